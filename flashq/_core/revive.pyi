# Nothing here for Python: see revive.pxd.
