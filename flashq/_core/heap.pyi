"""Nothing for Python: see heap.pxd."""
