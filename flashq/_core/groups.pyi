"""Nothing for Python: the engine's own."""
