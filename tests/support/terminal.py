"""A program at a terminal: a pseudo-terminal of any size, its screen as a person sees it, and keys."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

from support.server import server_environment

SECONDS = 30.0
ALTERNATE = b"\x1b[?1049h", b"\x1b[?1049l"     # the screen that full-screen programs draw on, and back


class Terminal:
    """`flashq` with these words at a terminal of its own."""

    def __init__(self, *words: Any, directory: Path, columns: int = 80, rows: int = 24,
                 env: dict[str, str] | None = None) -> None:
        self._fd, inside = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.seen = b""             # everything that was written
        self.resize(columns, rows)
        self.settings = termios.tcgetattr(self._fd)
        command = [sys.executable, "-m", "flashq", *map(str, words)]
        environment = {**server_environment(env), "TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, cwd=directory, env=environment, stdin=inside, stdout=inside,
                                        stderr=inside, start_new_session=True, preexec_fn=_take_terminal)
        self._inside = inside       # kept open: what was written is not lost at the end

    def resize(self, columns: int, rows: int) -> None:
        """As when a person pulls at the window."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def type(self, keys: str) -> None:
        """Press these."""
        os.write(self._fd, keys.encode())

    def interrupt(self) -> int:
        """Press Ctrl-C until the program ends; its status. Once may be too soon: a read that begins in that moment
        hears of no signal."""
        pressed = [0.0]

        def ended() -> bool:
            if self.process.poll() is None and time.monotonic() - pressed[0] > 0.5:
                pressed[0] = time.monotonic()
                self.type("\x03")
            return self.process.poll() is not None

        self.wait(ended, "the end")
        return self.end()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        return [str(line).rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The same, in one."""
        return "\n".join(self.lines)

    def wait(self, condition: Callable[[], bool], what: str = "") -> None:
        """Until it holds, while the screen is kept up."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what or 'it'} did not come; the screen:\n{self.text}"
            self.read(0.05)

    def wait_for(self, text: str) -> None:
        """Until that stands on the screen."""
        self.wait(lambda: text in self.text, text)

    def read(self, seconds: float = 0.0) -> None:
        """Take what was written."""
        while select.select([self._fd], [], [], seconds)[0]:
            data = os.read(self._fd, 65536)
            self.seen += data
            self._stream.feed(data)
            seconds = 0.0

    def end(self) -> int:
        """The status, once it has ended by itself; the screen then shows all that it wrote."""
        self.wait(lambda: self.process.poll() is not None, "the end")
        self.read(0.05)
        return self.process.wait()

    def restored(self) -> bool:
        """Whether the terminal is as it was before: settings, the normal screen, the cursor."""
        on, off = (self.seen.rfind(code) for code in ALTERNATE)
        settings: list[Any] = termios.tcgetattr(self._fd)
        return settings == self.settings and off >= on and not self.screen.cursor.hidden

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._inside)
        os.close(self._fd)


def row_of(terminal: Terminal, name: str) -> list[str]:
    """The cells of a queue on the screen of `flashq top`."""
    return next(line.split() for line in terminal.lines if line.startswith(f"{name} "))


def _take_terminal() -> None:
    """So that Ctrl-C at it is a signal, and a change of its size too."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
