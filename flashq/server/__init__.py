"""Start-up, listeners, drain and shutdown: the only part that knows all the others."""
