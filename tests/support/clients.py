"""Both Python clients behind one face, so that one test drives either of them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from flashq.client import AsyncFlashQ, FlashQ
from support.server import ServerProcess

KINDS = ("sync", "async")
FORMATS = ("msgpack", "json")


def url_of(server: ServerProcess, query: str = "") -> str:
    """Of the TCP listener."""
    host, port = server.address
    return f"flashq://{host}:{port}{query}"


class Either:
    """Methods of a client by name; those of the asynchronous one run to their end in a loop of its own."""

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop() if kind == "async" else None
        self.client: Any = AsyncFlashQ(url, **options) if kind == "async" else FlashQ(url, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*args: Any, **options: Any) -> Any:
            return self.result(method(*args, **options))

        return call

    def result(self, made: Any) -> Any:
        """What a call gives, or what its coroutine does."""
        if self._loop is None or not isinstance(made, Coroutine):
            return made
        return self._loop.run_until_complete(made)

    def items(self, made: Any) -> list[Any]:
        """All of an iterator of either kind."""
        if self._loop is None:
            return list(made)

        async def collect() -> list[Any]:
            return [item async for item in made]

        return self._loop.run_until_complete(collect())

    def finish(self) -> None:
        """Hang up."""
        self.result(self.client.close())
        if self._loop is not None:
            self._loop.close()


@contextmanager
def either(kind: str, url: str, **options: Any) -> Iterator[Either]:
    """One that is closed at the end."""
    client = Either(kind, url, **options)
    try:
        yield client
    finally:
        client.finish()
