"""The pytest plug-in: fixtures with a test server. All of pytest loads it, so that it imports nothing of flashQ."""
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flashq.client import AsyncFlashQ, FlashQ
    from flashq.testing.server import AsyncTestServer, TestServer

# In its strict mode pytest-asyncio runs its own fixtures only.
_async_fixture: Callable[[Any], Any] = pytest.fixture
if find_spec("pytest_asyncio") is not None:
    import pytest_asyncio

    _async_fixture = pytest_asyncio.fixture


@pytest.fixture
def flashq_server() -> "Iterator[TestServer]":
    """A flashQ server for this test: flashq.testing.TestServer, in memory."""
    from flashq.testing.server import TestServer

    with TestServer() as server:
        yield server


@pytest.fixture
def flashq_client(flashq_server: "TestServer") -> "FlashQ":
    """A client of flashq_server, for threads."""
    return flashq_server.client()


@_async_fixture
async def async_flashq_server() -> "AsyncIterator[AsyncTestServer]":
    """A flashQ server in the event loop of this test: flashq.testing.AsyncTestServer, in memory."""
    from flashq.testing.server import AsyncTestServer

    async with AsyncTestServer() as server:
        yield server


@_async_fixture
async def async_flashq_client(async_flashq_server: "AsyncTestServer") -> "AsyncFlashQ":
    """A client of async_flashq_server, for asyncio."""
    return async_flashq_server.client()
