# Nothing here for Python: see edges.pxd.
