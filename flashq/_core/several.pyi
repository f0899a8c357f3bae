"""Nothing for Python: see several.pxd."""
