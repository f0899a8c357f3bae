"""Nothing for Python: see rawlist.pxd."""
