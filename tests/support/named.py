"""What the tests name: commands with their fields, error texts and defects, read from the tests' own sources."""

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

HOLE = "\0"     # stands for what an f-string fills in
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Unit = ast.FunctionDef | ast.AsyncFunctionDef | ast.Module


def parse(paths: Iterable[Path]) -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def units(tree: ast.Module) -> Iterator[Unit]:
    """Each function with its decorators, and what stands beside them."""
    yield from (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))
    yield ast.Module(body=[node for node in tree.body if not isinstance(node, FUNCTIONS)], type_ignores=[])


def texts(node: ast.AST) -> set[str]:
    """All strings below `node`; of f-strings what is written out, with holes."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else HOLE for part in one.values)
            found.add("".join(parts))
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.add(one.value)
    return found


def names(node: ast.AST) -> set[str]:
    """All names and attributes below `node`."""
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    return found | {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}


def constants_of(tree: ast.Module) -> dict[str, ast.expr]:
    """What a module gives names to at its top."""
    pairs = [(one.targets, one.value) for one in tree.body if isinstance(one, ast.Assign)]
    pairs += [([one.target], one.value) for one in tree.body if isinstance(one, ast.AnnAssign) and one.value]
    return {target.id: value for targets, value in pairs for target in targets if isinstance(target, ast.Name)}


def marks(trees: Iterable[ast.Module], name: str) -> set[object]:
    """The first arguments of all decorators `@name(...)` of tests."""
    functions = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    calls = (call for function in functions for call in function.decorator_list if isinstance(call, ast.Call))
    return {
        call.args[0].value for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == name and isinstance(call.args[0], ast.Constant)
    }


class Requests:
    """Which fields the tests send with each command.

    A request is a call that begins with a command's name, a dict with `cmd`, or a call of a helper that hands its own
    keywords on to such a call. Where names or keywords are computed, all texts of the function count as them,
    with those of the module's constants that it names.
    """

    def __init__(self, trees: list[ast.Module], commands: Collection[str]) -> None:
        self._commands = commands
        self._helpers: dict[str, set[str]] = defaultdict(set)
        self.fields: dict[str, set[str]] = defaultdict(set)
        found = [unit for tree in trees for unit in units(tree)]
        while any(self._learn_helper(unit) for unit in found):
            continue
        for tree in trees:
            constants = constants_of(tree)
            for unit in units(tree):
                named = [constants[name] for name in names(unit) & set(constants)]
                self._read(unit, texts(unit).union(*map(texts, named)))

    def _learn_helper(self, unit: Unit) -> bool:
        """Whether `unit` is seen to be a helper for another command than known."""
        if isinstance(unit, ast.Module) or unit.args.kwarg is None:
            return False
        rest = unit.args.kwarg.arg
        before = len(self._helpers[unit.name])
        for call in (node for node in ast.walk(unit) if isinstance(node, ast.Call)):
            hands_on = any(word.arg is None and rest in names(word.value) for word in call.keywords)
            if hands_on:
                self._helpers[unit.name] |= self._constant_command(call) or self._helpers.get(called(call), set())
        return len(self._helpers[unit.name]) > before

    def _constant_command(self, call: ast.Call) -> set[str]:
        first = call.args[0] if call.args else None
        known = isinstance(first, ast.Constant) and first.value in self._commands
        return {str(first.value)} if known and isinstance(first, ast.Constant) else set()

    def _read(self, unit: Unit, said: set[str]) -> None:
        for node in ast.walk(unit):
            if isinstance(node, ast.Call):
                self._read_call(node, said)
            elif isinstance(node, ast.Dict):
                self._read_dict(node)

    def _read_call(self, call: ast.Call, said: set[str]) -> None:
        found = self._constant_command(call)
        if not found and call.keywords:
            found = self._helpers.get(called(call), set())
        if not found and called(call) in ("ok", "call", "error", "send"):
            found = said.intersection(self._commands)
        fields = {word.arg for word in call.keywords if word.arg is not None}
        for word in call.keywords:
            if word.arg is None:
                keys = word.value.keys if isinstance(word.value, ast.Dict) else [None]
                constant = {key.value for key in keys if isinstance(key, ast.Constant)}
                fields |= constant if len(constant) == len(keys) else constant | said
        for command in found:
            self.fields[command] |= fields

    def _read_dict(self, node: ast.Dict) -> None:
        pairs = {key.value: value for key, value in zip(node.keys, node.values, strict=True)
                 if isinstance(key, ast.Constant)}
        command = pairs.get("cmd")
        if isinstance(command, ast.Constant) and command.value in self._commands:
            self.fields[command.value] |= set(pairs)


def called(call: ast.Call) -> str:
    """The name of what is called, without what it belongs to."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def says(template: str, text: str) -> bool:
    """Whether `text` is what the template makes: all of it, or all up to the first thing that is filled in."""
    parts = re.split(r"\{\w+\}", template)
    if len(parts) > 1 and len(parts[0]) >= 12 and text == parts[0]:
        return True
    return re.fullmatch(".+".join(map(re.escape, parts)), text, re.S) is not None
