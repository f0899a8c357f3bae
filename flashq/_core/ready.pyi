"""Nothing for Python: see ready.pxd."""
