"""What this machine gives to this process: memory."""
from pathlib import Path

SHARE_PERCENT = 60
FALLBACK_BYTES = 2 * 1024**3
_MEMINFO = Path("/proc/meminfo")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes(meminfo: Path = _MEMINFO, cgroup_limits: tuple[Path, ...] = _CGROUP_LIMITS) -> int:
    """Memory in bytes that the process may use: the machine's, or its container's when that is less."""
    found = [size for size in (_total(meminfo), *map(_limit, cgroup_limits)) if size]
    return min(found, default=FALLBACK_BYTES)


def memory_share() -> int:
    """The default of `memory_limit`."""
    return memory_bytes() * SHARE_PERCENT // 100


def _total(meminfo: Path) -> int:
    """MemTotal of proc(5) meminfo, which counts in kB; 0 when it cannot be told."""
    for line in _text(meminfo).splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            return int(rest.split()[0]) * 1024
    return 0


def _limit(path: Path) -> int:
    """A cgroup's limit; 0 when there is none (`max`)."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
