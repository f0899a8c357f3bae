"""Pushing lines of a file or of stdin: as they come, many at once, and with the number of each that was refused."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

from flashq.cli.exits import Exit, Failure, failure_of
from flashq.cli.output import Output, counted
from flashq.cli.values import from_json, sent_size

if TYPE_CHECKING:
    from flashq.client import FlashQ, PushInterrupted, PushOptions
    from flashq.client.bulk import Durability
    from flashq.client.results import BatchResult

READ = 1024 * 1024
LONGEST = 64 * 1024 * 1024      # bytes of a line; over it the input is no lines
ROOM = 2048                     # bytes of a request around the job
DEEPEST = 126                   # levels of a job; a request may have 128, with its own and that of the list
_PLACE = re.compile(r"jobs\[(\d+)\]")


class BadLine(ValueError):
    """What is wrong with a line."""


@dataclass(frozen=True)
class Item:
    """A line that can be pushed: where, and what."""

    number: int
    queue: str
    job: "PushOptions"


@dataclass
class Tally:
    """What became of the lines so far."""

    pushed: int = 0
    there_already: int = 0      # their custom id was taken: the server answers with the id of that job
    refused: int = 0
    passed_over: dict[str, int] = field(default_factory=dict)


def numbered(stream: BinaryIO, on_read: Callable[[int], None]) -> Iterator[list[tuple[int, bytes]]]:
    """Lines with their numbers, in lists as they come: one that is there is not kept waiting for later ones.

    Empty lines are passed over. `on_read` hears how many bytes were read.
    """
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    rest, number = b"", 0
    while True:
        data = read(READ)
        on_read(len(data))
        *lines, rest = (rest + data).split(b"\n") if data else ([rest, b""])
        found = [(number + at, line) for at, line in enumerate(lines, 1) if line.strip()]
        number += len(lines)
        if found:
            yield found
        if not data:
            return
        if len(rest) > LONGEST:
            raise Failure(Exit.USAGE, f"line {number + 1} is longer than {LONGEST} bytes: is this JSON lines?")


class Pusher:
    """Pushes lines, tells of those that are refused, and counts."""

    def __init__(self, client: "FlashQ", out: Output, read_line: Callable[[bytes], tuple[str, "PushOptions"] | str],
                 durability: "Durability | None" = None, find_taken: bool = False) -> None:
        """`read_line` makes a queue and a job of a line, or tells why it is passed over; BadLine, ValueError.

        `find_taken`: ask of each custom id whether it is taken, and push no job that has such a one.
        """
        self.tally = Tally()
        self._client = client
        self._out = out
        self._read_line = read_line
        self._durability = durability
        self._find_taken = find_taken
        self._largest = client.connect().max_frame - ROOM

    def run(self, stream: BinaryIO) -> Tally:
        """All lines of it."""
        from flashq.cli.bar import Bar  # loads rich

        try:
            with Bar(stream) as bar:
                for lines in numbered(stream, bar.read):
                    for queue, items in groupby(self._items(lines), key=lambda item: item.queue):
                        self._push(queue, [item for item in items if not (self._find_taken and self._taken(item))])
                        bar.show(self.tally)
        except KeyboardInterrupt:
            self._out.note(f"stopped: {counted(self.tally.pushed, 'job')} pushed, and perhaps some more")
            raise
        return self.tally

    def _items(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[Item]:
        for number, line in lines:
            try:
                found = self._read_line(line)
                if isinstance(found, str):
                    self.tally.passed_over[found] = self.tally.passed_over.get(found, 0) + 1
                    continue
                queue, job = found
                self._check(line, job)
            except ValueError as error:
                self._refuse(number, "", str(error))
            else:
                yield Item(number, queue, job)

    def _check(self, line: bytes, job: "PushOptions") -> None:
        """What would have a whole batch refused."""
        if line.count(b"[") + line.count(b"{") >= DEEPEST and depth(job) > DEEPEST:
            raise BadLine("it is nested deeper than the server takes")
        if sent_size(job) > self._largest:
            raise BadLine(f"it is larger than the {self._largest} bytes that the server takes")

    def _taken(self, item: Item) -> bool:
        """Whether there is a job with its custom id; counted."""
        custom = item.job.get("job_id")
        if not isinstance(custom, str) or self._client.get_job_by_custom_id(custom) is None:
            return False
        self.tally.there_already += 1
        return True

    def _push(self, queue: str, items: list[Item]) -> None:
        """All of them, but those that are refused. PushInterrupted when the server refuses all, or is lost."""
        from flashq.client import CommandError, PushInterrupted

        while items:
            try:
                result = self._client.push_many(queue, (item.job for item in items), durability=self._durability)
            except PushInterrupted as error:
                self._count(items, error.done)
                cause = error.__cause__
                place = _PLACE.match(cause.field or "") if isinstance(cause, CommandError) else None
                if place is None or not isinstance(cause, CommandError):
                    raise self._interrupted(items[error.open[0][0]].number, error) from None
                # A batch was refused for one of its jobs: that one is told, the others are pushed again.
                bad = error.open[0][int(place[1])]
                self._refuse(items[bad].number, cause.code, cause.text.replace(f"{place[0]}.", ""))
                again = {at for places in error.open for at in places if at != bad}
                items = [item for at, item in enumerate(items) if at in again or at >= error.pushed_until]
            else:
                self._count(items, result)
                return

    def _interrupted(self, line: int, error: "PushInterrupted") -> Exception:
        """How it ends when not one job is at fault: from which line on it is open what was pushed."""
        cause = failure_of(error.__cause__) if isinstance(error.__cause__, Exception) else None
        if cause is None:
            return error
        doubt = "" if cause.code else "; of later ones it is not known"
        text = f"line {line}: {cause.message} ({counted(self.tally.pushed, 'job')} pushed by then{doubt})"
        return Failure(cause.status, text, cause.code, cause.field)

    def _count(self, items: list[Item], done: "BatchResult") -> None:
        """Two lines with one custom id got one id."""
        pushed = len(set(done.ids))
        self.tally.pushed += pushed
        self.tally.there_already += len(done.ids) - pushed
        for one in done.refused:
            self._refuse(items[one.index].number, one.code, one.error)

    def _refuse(self, number: int, code: str, text: str) -> None:
        self.tally.refused += 1
        if self._out.as_json:
            self._out.json({"line": number, "code": code or None, "error": text})
        else:
            self._out.note(f"line {number}: {text}{f' [{code}]' if code else ''}")


def depth(value: Any) -> int:
    """How deep lists and objects stand in each other; without recursion."""
    deepest, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        deepest += 1
    return deepest


def decoded(line: bytes) -> Any:
    """The JSON value of a line. BadLine, ValueError."""
    text = utf8(line).removeprefix("\ufeff")
    try:
        return from_json(text)
    except ValueError as error:
        raise BadLine(f"it is no JSON: {error}") from None


def utf8(line: bytes) -> str:
    """The text of a line. BadLine."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise BadLine("it is no UTF-8") from None
