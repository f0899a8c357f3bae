# Nothing here for Python: see applylife.pxd.
