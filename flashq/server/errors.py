"""Why the server did not start, in one sentence for the person who started it."""


class StartError(Exception):
    """Printed without a traceback; the process exits with status 1."""
