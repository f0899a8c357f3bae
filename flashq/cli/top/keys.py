"""The keys of a terminal, one by one, and the terminal as it was before, whatever happens."""

import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SEQUENCES = {
    b"[A": "up", b"[B": "down", b"OA": "up", b"OB": "down", b"[5~": "page-up", b"[6~": "page-down", b"[H": "home",
    b"[F": "end", b"OH": "home", b"OF": "end", b"[1~": "home", b"[4~": "end",
}
_CHARACTERS = {b"k": "up", b"j": "down", b"g": "home", b"G": "end", b"\x1b": "escape", b"\x0c": "redraw"}
_ESC = b"\x1b"


class Keys:
    """Names of the keys that bytes stand for; what begins a sequence waits for its end."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The keys that are whole with these bytes; no bytes: an escape alone was that."""
        found: list[str] = []
        left = self._rest + data
        while left:
            if left.startswith(_ESC):
                size = _sequence(left)
                if size == 0 and data:
                    break
                size = size or len(left)
            else:
                size = 1
            name = _name(left[:size])
            found += [name] if name else []
            left = left[size:]
        self._rest = left
        return found


def _sequence(data: bytes) -> int:
    """The length of the sequence that the bytes begin with; 0 when its end is not there yet."""
    if len(data) < 2:
        return 0
    if data[1:2] == b"O":
        return 3 if len(data) >= 3 else 0
    if data[1:2] != b"[":
        return 1
    for at in range(2, len(data)):
        if 0x40 <= data[at] <= 0x7E:
            return at + 1
    return 0


def _name(key: bytes) -> str:
    if key.startswith(_ESC) and len(key) > 1:
        return _SEQUENCES.get(key[1:], "")
    return _CHARACTERS.get(key) or (key.decode() if b" " <= key <= b"~" else "")


class Typed:
    """Keys as they are typed at stdin."""

    def __init__(self) -> None:
        self._keys = Keys()
        self._fd = sys.stdin.fileno()
        self.closed = False

    def wait(self, seconds: float) -> list[str]:
        """Those that come within a time; returns with the first ones."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return self._keys.feed(b"")
        data = os.read(self._fd, 1024)
        self.closed = not data      # the terminal went away
        return self._keys.feed(data) if data else []


@contextmanager
def single_keys() -> Iterator[Typed]:
    """A terminal that gives each key as it is typed and shows none. It is put back, also when a signal ends the
    process. Ctrl-Z is off meanwhile: it would leave the screen as it is."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    now = termios.tcgetattr(fd)
    now[3] &= ~(termios.ICANON | termios.ECHO)
    now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
    now[6][termios.VSUSP] = b"\x00"
    signals = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, now)
        yield Typed()
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number, handler in signals.items():
            _set(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _set(number: int, handler: Any) -> None:
    signal.signal(number, handler if handler is not None else signal.SIG_DFL)
