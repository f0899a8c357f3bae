"""Nothing for Python: see logthread.pxd."""
