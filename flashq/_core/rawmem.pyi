"""Nothing for Python: see rawmem.pxd."""
