# Nothing here for Python: see groups.pxd.
