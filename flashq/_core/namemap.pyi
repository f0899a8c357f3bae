"""Nothing for Python: see shardmap.pxd."""
