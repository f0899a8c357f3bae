# Nothing here for Python: see applyjob.pxd.
