"""Nothing for Python: see slab.pxd."""
