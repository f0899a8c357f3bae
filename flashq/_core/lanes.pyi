# Nothing here for Python: see lanes.pxd.
