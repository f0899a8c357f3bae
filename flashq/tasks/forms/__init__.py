"""How Python values go over the wire and come back, by their type hints: `form_of`. Nothing is ever pickled."""
import collections.abc as abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from functools import partial
from typing import Any

from flashq.tasks.forms.base import Form, WrongValue, kind_of
from flashq.tasks.forms.containers import Anything, Fixed, Many, Table
from flashq.tasks.forms.foreign import foreign_form
from flashq.tasks.forms.records import dataclass_form, named_tuple_form, typed_dict_form
from flashq.tasks.forms.scalars import SCALARS, Flags, OneOf
from flashq.tasks.forms.unions import Union

__all__ = ["ANYTHING", "Form", "WrongValue", "form_of"]

ANYTHING = Anything()
_LISTS: dict[Any, tuple[type | tuple[type, ...], Callable[..., Any]]] = {
    list: (list, list), set: (set, set), frozenset: (frozenset, frozenset),
    abc.Sequence: (abc.Sequence, list), abc.MutableSequence: (abc.MutableSequence, list),
    abc.Collection: (abc.Collection, list), abc.Iterable: (abc.Collection, list),
    abc.Set: (abc.Set, set), abc.MutableSet: (abc.MutableSet, set),
}
_DICTS = (dict, abc.Mapping, abc.MutableMapping)


def form_of(hint: Any, known: dict[Any, Form] | None = None) -> Form:
    """The form of a resolved type hint. TypeError for a type that has none.

    `known`: classes on the way to this hint, so that one may hold itself.
    """
    known = {} if known is None else known
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return ANYTHING
    if hint in SCALARS:
        return SCALARS[hint]
    origin = typing.get_origin(hint)
    if origin is not None:
        return _of_generic(hint, origin, typing.get_args(hint), known)
    if hasattr(hint, "__supertype__"):          # NewType
        return form_of(hint.__supertype__, known)
    if hasattr(hint, "__value__"):              # the `type` statement
        return form_of(hint.__value__, known)
    if hint in _LISTS or hint is tuple:
        taken, make = _LISTS.get(hint, (tuple, tuple))
        return Many(taken, make, ANYTHING)
    if hint in _DICTS:
        return Table(SCALARS[str], ANYTHING)
    return _of_class(hint, {}, known)


def _of_generic(hint: Any, origin: Any, args: tuple[Any, ...], known: dict[Any, Form]) -> Form:
    if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
        return form_of(args[0], known)
    if origin in (typing.Union, types.UnionType):
        return Union([form_of(one, known) for one in args])
    if origin is typing.Literal:
        return OneOf("Literal", {one: one for one in args}, frozenset(map(kind_of, args)))
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return Many(tuple, tuple, form_of(args[0], known))
        return Fixed([form_of(one, known) for one in args])
    if origin in _LISTS:
        taken, make = _LISTS[origin]
        return Many(taken, make, form_of(args[0], known))
    if origin in _DICTS:
        return Table(form_of(args[0], known), form_of(args[1], known))
    return _of_class(origin, dict(zip(getattr(origin, "__parameters__", ()), args, strict=False)), known, hint)


def _of_class(kind: Any, bound: dict[Any, Any], known: dict[Any, Form], hint: Any = None) -> Form:
    hint = kind if hint is None else hint
    if hint in known:
        return known[hint]
    form = foreign_form(kind) or _of_enum(kind)
    if form is None:
        fields = partial(_hints, kind, bound, known)
        if dataclasses.is_dataclass(kind):
            form = dataclass_form(typing.cast(type, kind), fields)
        elif isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
            form = named_tuple_form(kind, fields)
        elif typing.is_typeddict(kind):
            form = typed_dict_form(kind, fields)
        else:
            raise TypeError(f"{getattr(kind, '__name__', kind)} is no type that can go over the wire")
        known[hint] = form
        form.resolve()
    return form


def _hints(kind: Any, bound: dict[Any, Any], known: dict[Any, Form]) -> dict[str, Form]:
    forms = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        try:
            forms[name] = form_of(_bind(hint, bound), known)
        except TypeError as error:
            raise TypeError(f"{kind.__name__}.{name}: {error}") from None
    return forms


def _bind(hint: Any, bound: dict[Any, Any]) -> Any:
    """With the type variables of a generic class replaced by what stands in its brackets."""
    if isinstance(hint, typing.TypeVar):
        return bound.get(hint, Any)
    names = getattr(hint, "__parameters__", ())
    return hint[tuple(bound.get(one, Any) for one in names)] if names and not isinstance(hint, type) else hint


def _of_enum(kind: Any) -> Form | None:
    """By value where all values are text or all are numbers, else by name."""
    if not isinstance(kind, type) or not issubclass(kind, enum.Enum):
        return None
    if issubclass(kind, enum.Flag):
        return Flags(kind)
    values = [one.value for one in kind]
    for plain in (str, int):
        if values and all(type(value) is plain for value in values):
            return OneOf(kind.__name__, {plain(one.value): one for one in kind}, frozenset((kind_of(plain()),)))
    return OneOf(kind.__name__, {one.name: one for one in kind}, frozenset(("text",)))
