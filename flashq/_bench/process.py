"""What a process costs, read from outside: CPU time, resident memory, and how long it waited for a core."""
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SCHEDULED = 2      # CPUCLOCK_SCHED: the time that the scheduler gave to all threads


@dataclass(frozen=True)
class Cost:
    """Nanoseconds since the process began: on a core, also of threads that have ended, and runnable without one (the
    machine's noise)."""

    cpu_ns: int
    waited_ns: int


def cost(pid: int) -> Cost | None:
    """Both sums; None where there is no /proc. Resolution: nanoseconds (user + system)."""
    waited = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):       # a thread that has just ended
                waited += int((task / "schedstat").read_text().split()[1])
        return Cost(time.clock_gettime_ns(cpu_clock(pid)), waited)
    except OSError:
        return None


def cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time: as Linux makes clock ids of process ids (clock_getcpuclockid)."""
    return ~pid << 3 | _SCHEDULED


def resident_bytes(pid: int) -> int:
    """Resident set size; 0 where there is no /proc."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def listener_pid(host: str, port: int) -> int | None:
    """The process of this machine that listens on a port; None when it is elsewhere or not ours to look at."""
    try:
        address = socket.gethostbyname(host)
    except OSError:
        return None
    if not address.startswith("127."):
        return None
    return next((pid for inode in _listening_inodes(port) if (pid := _holder(inode)) is not None), None)


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                found.append(fields[9])
    return found


def _holder(inode: str) -> int | None:
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(os.readlink(entry) == wanted for entry in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    return None
