# Nothing here for Python: see recordwrite.pxd.
