# Nothing here for Python: see recordapply.pxd.
