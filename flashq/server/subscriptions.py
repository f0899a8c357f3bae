"""Who listens to which name: bounded for each connection and in all, and gone with the connection."""
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

Listener = TypeVar("Listener")
Detail = TypeVar("Detail")


class Subscriptions(Generic[Listener, Detail]):
    """Names and their listeners, each with a detail of its own. Empty names are not kept."""

    def __init__(self, per_listener: int, max_names: int) -> None:
        self._names: dict[str, dict[Listener, Detail]] = {}
        self._held: dict[Listener, set[str]] = {}
        self._per_listener = per_listener
        self._max_names = max_names

    def add(self, listener: Listener, names: Iterable[str], detail: Detail) -> bool:
        """Listen to all of these names, or to none when that would be too many; whether it does."""
        wanted = set(names)
        held = self._held.get(listener, set())
        new = sum(name not in self._names for name in wanted)
        if len(held | wanted) > self._per_listener or len(self._names) + new > self._max_names:
            return False
        if wanted:
            self._held.setdefault(listener, set()).update(wanted)
        for name in wanted:
            self._names.setdefault(name, {})[listener] = detail
        return True

    def remove(self, listener: Listener, names: Iterable[str]) -> None:
        """Stop listening; names that it does not listen to are passed over."""
        held = self._held.get(listener, set())
        for name in held.intersection(names):
            held.discard(name)
            listeners = self._names[name]
            del listeners[listener]
            if not listeners:
                del self._names[name]
        if not held:
            self._held.pop(listener, None)

    def held(self, listener: Listener) -> tuple[str, ...]:
        """The names that it listens to."""
        return tuple(self._held.get(listener, ()))

    def forget(self, listener: Listener) -> None:
        """It is gone."""
        self.remove(listener, self.held(listener))

    def of(self, name: str) -> Mapping[Listener, Detail]:
        """Who listens to a name."""
        return self._names.get(name, {})

    def names(self) -> list[str]:
        """All that somebody listens to, sorted."""
        return sorted(self._names)

    def __len__(self) -> int:
        return len(self._names)
