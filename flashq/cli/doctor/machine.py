"""Checks of this machine: what a server that is started here gets of files, memory, time and the kernel."""

import ctypes
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flashq import __version__
from flashq.cli.doctor.check import Check, fail, ok, warn
from flashq.cli.journal.common import size_text
from flashq.cli.output import moment
from flashq.config import Settings
from flashq.machine import memory_bytes
from flashq.server.listeners import BACKLOG, SPARE_FILES

MEMORY_PERCENT = 85     # of what the process may use; over it the kernel ends processes
CLOCK_SECONDS = 0.1    # of watching
CLOCK_STEP = 0.05       # seconds between the two clocks that are a jump
OLDEST_TIME = 1_767_225_600     # 2026-01-01, in seconds since 1970: no clock that is right is before it
_UNSYNCED = 0x40        # STA_UNSYNC of adjtimex(2)
_STATUS_AT, _TIMEX_BYTES = 40, 256      # of its struct, on 64-bit Linux
STRICT_OVERCOMMIT = 2


def checks(settings: Settings, uid: int, open_files: int | None) -> Iterator[Check]:
    """All of them; the user and the limit of open files (None for none) are the server's."""
    yield ok("version", f"flashq {__version__}, Python {platform.python_version()}, {platform.system()} "
             f"{platform.release()}, {os.cpu_count()} processors")
    yield user(uid)
    yield files(open_files, settings.max_connections)
    yield memory(settings.memory_limit, memory_bytes())
    yield clock(time.time())
    yield from synchronised()
    yield from kernel(Path("/proc/sys"))


def user(uid: int) -> Check:
    """Whom the server would run as."""
    if uid == 0:
        return warn("user", "runs as root", "start the server as a user of its own: it needs no right of root")
    return ok("user", f"uid {uid}")


def open_files() -> int | None:
    """What a server started from here would have: it lifts its limit up to the hard one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def files(limit: int | None, connections: int) -> Check:
    """A connection takes one."""
    wanted = connections + SPARE_FILES
    if limit is None:
        return ok("open files", "no limit")
    if limit < wanted:
        return warn("open files", f"at most {limit:,}, and --max-connections wants {wanted:,}",
                    "LimitNOFILE= of the systemd unit, `ulimit -Hn`, or a smaller --max-connections")
    return ok("open files", f"{limit:,}, enough for {connections:,} connections")


def memory(limit: int, there: int) -> Check:
    """What jobs may take of what the process may use."""
    text = f"jobs may take {size_text(limit)} of {size_text(there)} (--memory-limit)"
    if limit * 100 > there * MEMORY_PERCENT:
        return warn("memory", text, f"set --memory-limit to at most {MEMORY_PERCENT} % of the memory: the kernel would "
                    "end the server before it refuses pushes")
    return ok("memory", text)


def clock(wall: float) -> Check:
    """Delays and schedules go by it."""
    began, wall_began = time.monotonic(), time.time()
    time.sleep(CLOCK_SECONDS)
    step = (time.time() - wall_began) - (time.monotonic() - began)
    if wall < OLDEST_TIME:
        return fail("clock", f"it shows {moment(int(wall * 1000))}", "set the clock: delays and schedules go by it")
    if abs(step) > CLOCK_STEP:
        return warn("clock", f"it jumped by {step * 1000:+.0f} ms within {CLOCK_SECONDS} s",
                    "let NTP slew the clock instead of setting it, and see whether two programs set it")
    return ok("clock", f"{moment(int(wall * 1000))}, steady")


def synchronised() -> Iterator[Check]:
    """Whether the kernel says that the clock is kept; nothing where it does not tell."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return
    told = ctypes.create_string_buffer(_TIMEX_BYTES)
    if adjtimex(told) < 0:
        return
    if int.from_bytes(told.raw[_STATUS_AT:_STATUS_AT + 4], sys.byteorder) & _UNSYNCED:
        yield warn("time service", "the kernel says that nothing keeps the clock",
                   "run chrony or systemd-timesyncd, or see that the host of a virtual machine does")
    else:
        yield ok("time service", "the clock is kept")


def kernel(sysctl: Path) -> Iterator[Check]:
    """Settings of Linux that matter here; nothing of those that cannot be read."""
    overcommit = _number(sysctl / "vm/overcommit_memory")
    if overcommit == STRICT_OVERCOMMIT:
        yield warn("vm.overcommit_memory", "2: memory can be refused while there is some",
                   "sysctl vm.overcommit_memory=0, or keep --memory-limit well below the commit limit")
    elif overcommit is not None:
        yield ok("vm.overcommit_memory", str(overcommit))
    backlog = _number(sysctl / "net/core/somaxconn")
    if backlog is not None and backlog < BACKLOG:
        yield warn("net.core.somaxconn", f"{backlog}: when more clients connect at once, some wait for seconds",
                   f"sysctl net.core.somaxconn={BACKLOG}")
    elif backlog is not None:
        yield ok("net.core.somaxconn", str(backlog))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
