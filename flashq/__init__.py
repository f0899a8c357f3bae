"""flashQ, a job queue server. Importing this costs nothing: the server loads with `flashq serve`."""

__version__ = "0.1.0"
