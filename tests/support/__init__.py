"""What several tests use: servers as processes, raw clients, certificates."""
