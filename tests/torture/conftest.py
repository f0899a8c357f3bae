"""Torture runs take minutes and most of a machine's sockets: `make torture` asks for them, by their marker."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "torture: thousands of hostile connections for minutes; `make torture` runs it")
