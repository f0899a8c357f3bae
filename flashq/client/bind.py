"""Makes methods of both clients out of one description of a call."""
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from flashq.client.call import Call

if TYPE_CHECKING:
    import inspect

P = ParamSpec("P")
T = TypeVar("T")


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
    method.__name__ = method.__qualname__ = build.__name__
    method.__doc__ = build.__doc__
    method.__module__ = build.__module__
    method.__wrapped__ = _Described(build)  # type: ignore[attr-defined]
    return method


class _Described:
    """What `inspect.signature` finds behind a method. Put together when it looks: no program needs that to run."""

    def __init__(self, build: Callable[..., Call[Any]]) -> None:
        self.__wrapped__ = build

    @property
    def __signature__(self) -> "inspect.Signature":
        import inspect

        described = inspect.signature(self.__wrapped__)
        client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        return described.replace(parameters=[client, *described.parameters.values()],
                                 return_annotation=described.return_annotation.__args__[0])
