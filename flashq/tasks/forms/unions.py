"""The form of a union: plain where its members look different on the wire, else with a member's name around it."""
from collections.abc import Sequence
from typing import Any

from flashq.tasks.forms.base import FLOAT, INT, MAP, NULL, Form, WrongValue, kind_of, wrong


class Union(Form):
    """`int | str | None` goes as it is; of `str | datetime` a value goes as `{"datetime": "2026-05-01T12:00:00"}`."""

    def __init__(self, members: Sequence[Form]) -> None:
        self.name = " | ".join(one.name for one in members)
        self._members = members
        self.strict = all(one.strict for one in members)
        self._named = {one.name: one for one in members if one.kinds != frozenset((NULL,))}
        self._nullable = len(self._named) < len(members)
        self._by_kind = _by_kind(members)
        if self._by_kind:
            self.kinds = frozenset(self._by_kind)
        else:
            self.kinds = frozenset((MAP, NULL) if self._nullable else (MAP,))
            if len(self._named) < len(members) - self._nullable:
                raise TypeError(f"members of {self.name} have the same name")

    def write(self, value: Any) -> Any:
        """By the first member that takes it. Of errors that of the member which was meant is told."""
        meant: WrongValue | None = None
        for one in self._members:
            try:
                plain = one.write(value)
            except WrongValue as error:
                if meant is None and not error.other_type:
                    meant = error
            else:
                return plain if self._by_kind or plain is None else {one.name: plain}
        raise meant or wrong(self.name, value)

    def read(self, plain: Any) -> Any:
        if self._by_kind:
            kind = kind_of(plain)
            found = self._by_kind.get(kind) or (self._by_kind.get(FLOAT) if kind == INT else None)
            if found is None:
                raise wrong(self.name, plain)
            return found.read(plain)
        if plain is None and self._nullable:
            return None
        if not isinstance(plain, dict) or len(plain) != 1 or next(iter(plain)) not in self._named:
            raise WrongValue(f"must be an object with one key, which is one of {', '.join(self._named)}")
        ((name, inner),) = plain.items()
        return self._named[name].read(inner)


def _by_kind(members: Sequence[Form]) -> dict[str, Form]:
    """The member for each kind of value on the wire; empty when two of them share one."""
    found: dict[str, Form] = {}
    for one in members:
        for kind in one.kinds:
            if kind in found:
                return {}
            found[kind] = one
    return found
