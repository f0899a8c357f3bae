"""The parameters of a task's function: how its arguments become a job's data, an object by name, and come back."""
import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from flashq.tasks.context import CurrentJob
from flashq.tasks.errors import UnreadableResult, WrongArgument, WrongData, WrongResult
from flashq.tasks.forms import ANYTHING, Form, WrongValue, form_of
from flashq.tasks.meta import META

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Slot(NamedTuple):
    """One parameter that is part of the data."""

    name: str
    kind: Any
    required: bool
    form: Form


class Parameters:
    """Of one function. `task` is its name in error texts.

    Hints are looked up when they are first needed: they may name what a module defines further down.
    """

    def __init__(self, task: str, function: Callable[..., Any]) -> None:
        self._task = task
        self._function = function
        self._signature = inspect.signature(function)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        function = self._function
        try:
            return typing.get_type_hints(function, include_extras=True)
        except NameError as error:
            raise TypeError(f"{self._task}: a type hint names '{error.name}', which is not defined") from error

    @cached_property
    def injected(self) -> str | None:
        """The parameter that takes the running job, and is no part of the data."""
        found = [name for name in self._signature.parameters if self._hints.get(name) is CurrentJob]
        if len(found) > 1:
            raise TypeError(f"{self._task}: only one parameter may take the job")
        return found[0] if found else None

    @cached_property
    def injected_at(self) -> int | None:
        """Its place among those that may be given without their names; None when it is not one of them."""
        placed = [name for name, one in self._signature.parameters.items() if one.kind in _POSITIONAL]
        return placed.index(self.injected) if self.injected in placed else None

    @cached_property
    def slots(self) -> dict[str, Slot]:
        """By name, in their order. TypeError for a hint that cannot go over the wire."""
        slots = {}
        for name, one in self._signature.parameters.items():
            if name == self.injected:
                continue
            try:
                form = form_of(self._hints[name]) if name in self._hints else ANYTHING
            except TypeError as error:
                raise TypeError(f"{self._task}: parameter '{name}': {error}") from None
            open_ended = one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
            slots[name] = Slot(name, one.kind, one.default is one.empty and not open_ended, form)
        return slots

    @cached_property
    def returns(self) -> Form:
        """The form of the result; any plain value where nothing is said."""
        try:
            return form_of(self._hints["return"]) if "return" in self._hints else ANYTHING
        except TypeError as error:
            raise TypeError(f"{self._task}: return type: {error}") from None

    @cached_property
    def _plain(self) -> bool:
        """Whether all arguments may be handed over by name."""
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return all(slot.kind in named for slot in self.slots.values())

    @cached_property
    def _binds(self) -> inspect.Signature:
        """Without the parameter of the job."""
        kept = [one for name, one in self._signature.parameters.items() if name != self.injected]
        return self._signature.replace(parameters=kept)

    # -- arguments to data --------------------------------------------------------------------------------------------

    def pack(
        self, args: tuple[Any, ...], named: Mapping[str, Any], partial: bool = False
    ) -> dict[str, Any]:
        """The data of a job. WrongArgument names what does not fit; `partial`: some may be missing still."""
        self._check_names(named)
        try:
            bound = (self._binds.bind_partial if partial else self._binds.bind)(*args, **named)
        except TypeError as error:
            text = str(error)
            name = text.partition("'")[2].partition("'")[0]
            raise WrongArgument(self._task, text, name or None) from None
        return {name: self._write(name, value) for name, value in bound.arguments.items()}

    def _check_names(self, named: Mapping[str, Any]) -> None:
        """First of all: a name that is written wrong is also one that lacks."""
        kinds = {name: one.kind for name, one in self._binds.parameters.items()}
        if inspect.Parameter.VAR_KEYWORD in kinds.values():
            return
        for name in named:
            if name not in kinds:
                takes = ", ".join(kinds) or "none"
                raise WrongArgument(self._task, f"got an unexpected keyword argument '{name}'; it takes {takes}", name)

    def missing(self, data: Mapping[str, Any]) -> list[str]:
        """Required parameters that a job with this data would lack."""
        return [name for name, slot in self.slots.items() if slot.required and name not in data]

    def _write(self, name: str, value: Any) -> Any:
        slot = self.slots[name]
        try:
            if slot.kind is inspect.Parameter.VAR_POSITIONAL:
                return [slot.form.write(one) for one in value]
            if slot.kind is inspect.Parameter.VAR_KEYWORD:
                return {key: slot.form.write(one) for key, one in value.items()}
            return slot.form.write(value)
        except WrongValue as error:
            raise WrongArgument(self._task, f"argument '{name}'{error.path} {error.reason}", name) from None

    # -- data to arguments --------------------------------------------------------------------------------------------

    def unpack(self, data: Any) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a job's data. WrongData."""
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise WrongData(self._task, "the data of its jobs must be an object of arguments by name")
        values = {}
        for name, slot in self.slots.items():
            if name in data:
                values[name] = self._read(slot, data[name])
            elif slot.required:
                raise WrongData(self._task, f"missing a required argument: '{name}'", name)
        if len(values) < len(data):
            self._refuse_unknown(data)
        return ([], values) if self._plain else self._spread(values)

    def _read(self, slot: Slot, plain: Any) -> Any:
        try:
            if slot.kind is inspect.Parameter.VAR_POSITIONAL:
                return [slot.form.read(one) for one in _as(list, plain)]
            if slot.kind is inspect.Parameter.VAR_KEYWORD:
                return {key: slot.form.read(one) for key, one in _as(dict, plain).items()}
            return slot.form.read(plain)
        except WrongValue as error:
            raise WrongData(self._task, f"argument '{slot.name}'{error.path} {error.reason}", slot.name) from None

    def _refuse_unknown(self, data: dict[str, Any]) -> None:
        for name in data:
            if name not in self.slots and name != META:
                raise WrongData(self._task, f"got an unexpected argument '{name}'", name)

    def _spread(self, values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """For functions whose arguments cannot all be handed over by name."""
        placed: list[Any] = []
        named: dict[str, Any] = {}
        by_name = False     # from the first that is left out on
        for name, slot in self.slots.items():
            if slot.kind is inspect.Parameter.VAR_POSITIONAL:
                placed += values.get(name, [])
            elif slot.kind is inspect.Parameter.VAR_KEYWORD:
                named.update(values.get(name, {}))
            elif name not in values:
                by_name = True
            elif slot.kind in _POSITIONAL and not by_name:
                placed.append(values[name])
            else:
                named[name] = values[name]
        return placed, named

    # -- results ------------------------------------------------------------------------------------------------------

    def write_result(self, value: Any) -> Any:
        """What is kept as the result. WrongResult."""
        try:
            return self.returns.write(value)
        except WrongValue as error:
            raise WrongResult(f"{self._task}: the result{error.path} {error.reason}") from None

    def read_result(self, plain: Any) -> Any:
        """The result again. UnreadableResult."""
        try:
            return self.returns.read(plain)
        except WrongValue as error:
            raise UnreadableResult(f"{self._task}: the result{error.path} {error.reason}") from None

    def check(self) -> None:
        """Look everything up now. TypeError for what cannot go over the wire."""
        _ = self.slots, self.returns

    def check_now(self) -> None:
        """The same, but for hints that name what is not defined yet: those are looked up later."""
        try:
            self.check()
        except TypeError as error:
            if not isinstance(error.__cause__, NameError):
                raise


def _as(kind: type, plain: Any) -> Any:
    if not isinstance(plain, kind):
        raise WrongValue(f"must be a {kind.__name__}")
    return plain
