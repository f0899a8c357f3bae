# Nothing here for Python: see recovery.pxd.
