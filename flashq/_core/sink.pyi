class Sink:
    """What the hub feeds directly, from C."""
