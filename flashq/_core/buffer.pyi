"""Nothing for Python: see buffer.pxd."""
