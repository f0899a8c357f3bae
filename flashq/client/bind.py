"""Makes methods of both clients out of one description of a call."""
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from flashq.client.call import Call

P = ParamSpec("P")
T = TypeVar("T")
_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)


class Blocking(Protocol):
    """What carries out a call while its thread waits."""

    def call(self, call: Call[T]) -> T:
        """The result."""
        ...


class Awaiting(Protocol):
    """What carries out a call while its task waits."""

    async def call(self, call: Call[T]) -> T:
        """The result."""
        ...


def blocking(build: Callable[P, Call[T]]) -> Callable[Concatenate[Blocking, P], T]:
    """The method of FlashQ that makes this call."""

    def method(client: Blocking, /, *args: P.args, **options: P.kwargs) -> T:
        return client.call(build(*args, **options))

    return _named(method, build)


def awaiting(build: Callable[P, Call[T]]) -> Callable[Concatenate[Awaiting, P], Coroutine[Any, Any, T]]:
    """The method of AsyncFlashQ that makes this call."""

    async def method(client: Awaiting, /, *args: P.args, **options: P.kwargs) -> T:
        return await client.call(build(*args, **options))

    return _named(method, build)


M = TypeVar("M", bound=Callable[..., Any])


def _named(method: M, build: Callable[..., Call[Any]]) -> M:
    """With the name, text and parameters of the description, as `help` shows them."""
    signature = inspect.signature(build)
    returns = signature.return_annotation.__args__[0]
    told = signature.replace(parameters=[_SELF, *signature.parameters.values()], return_annotation=returns)
    method.__name__ = method.__qualname__ = build.__name__
    method.__doc__ = build.__doc__
    method.__module__ = build.__module__
    method.__signature__ = told  # type: ignore[attr-defined]
    return method
