"""Nothing for Python: see ahead.pxd."""
