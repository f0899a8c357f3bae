"""What any server of this wire must do, asked over a socket: `pytest tests/conformance --address host:port`."""
