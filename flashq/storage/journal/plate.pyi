"""Nothing for Python: see plate.pxd."""
