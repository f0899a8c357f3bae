"""The file layer: it traces every call under its root and none beside it, and calls end as the control block says."""

import errno
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.filelayer import Action, Call, FileLayer, Kind
from support.powerloss import Disk

SECONDS = 60.0


class Stage:
    """A directory under the layer, and Python programs that run there."""

    def __init__(self, home: Path) -> None:
        self.root = home / "root"
        self.root.mkdir()
        (home / "layer").mkdir()
        self.layer = FileLayer(home / "layer", self.root)

    def start(self, program: str) -> "subprocess.Popen[str]":
        text = "import ctypes, errno, mmap, os, sys\nC = ctypes.CDLL(None, use_errno=True)\n" + program
        return subprocess.Popen(
            [sys.executable, "-I", "-c", text], cwd=self.root, env={**os.environ, **self.layer.env},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def run(self, program: str, status: int = 0) -> str:
        """What it prints."""
        process = self.start(program)
        said, complaint = process.communicate(timeout=SECONDS)
        assert process.returncode == status, complaint
        return said.strip()

    def files(self) -> dict[str, bytes | None]:
        return files_of(self.root)

    def kinds(self) -> list[Kind]:
        return [call.kind for call in self.layer.trace()]

    def only(self, kind: Kind) -> Call:
        (found,) = [call for call in self.layer.trace() if call.kind == kind]
        return found


def files_of(directory: Path) -> dict[str, bytes | None]:
    """What is in it: directories have no content."""
    return {
        str(path.relative_to(directory)): None if path.is_dir() else path.read_bytes()
        for path in sorted(directory.rglob("*"))
    }


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


# --- the trace --------------------------------------------------------------------------------------------------------

# Each does one thing to the open file `f` or in the root, and is traced as that kind.
OPERATIONS: dict[str, tuple[Kind, str]] = {
    "write": (Kind.WRITE, "os.write(f, text)"),
    "pwrite": (Kind.WRITE, "os.pwrite(f, text, at)"),
    "writev": (Kind.WRITE, "os.writev(f, [text, b'', text])"),
    "pwritev": (Kind.WRITE, "os.pwritev(f, [text, text], at)"),
    "C pwritev": (Kind.WRITE, "v = (ctypes.c_void_p * 2)(ctypes.cast(text, ctypes.c_void_p).value, len(text)); "
                  "assert C.pwritev(f, v, 1, ctypes.c_long(at)) == len(text)"),
    "C pwrite64": (Kind.WRITE, "assert C.pwrite64(f, text, len(text), ctypes.c_long(at)) == len(text)"),
    "fsync": (Kind.SYNC, "os.fsync(f)"),
    "fdatasync": (Kind.SYNC, "os.fdatasync(f)"),
    "ftruncate": (Kind.TRUNCATE, "os.ftruncate(f, at)"),
    "posix_fallocate": (Kind.ALLOCATE, "os.posix_fallocate(f, 0, at + 1)"),
    "C fallocate": (Kind.ALLOCATE, "assert C.fallocate(f, 0, ctypes.c_long(at), ctypes.c_long(10)) == 0"),
    "C fallocate, same size": (Kind.ALLOCATE, "assert C.fallocate64(f, 1, ctypes.c_long(at), ctypes.c_long(99)) == 0"),
    "reopen": (Kind.OPEN, "os.close(f); f = os.open('file', os.O_RDWR)"),
    "create": (Kind.OPEN, "os.close(f); f = os.open('file', os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)"),
    "append": (Kind.OPEN, "os.close(f); f = os.open('file', os.O_RDWR | os.O_APPEND)"),
    "C creat64": (Kind.OPEN, "os.close(C.creat64(b'other', 0o600))"),
    "rename": (Kind.RENAME, "os.rename('file', 'away'); os.rename('away', 'file')"),
    "replace": (Kind.RENAME, "open('a', 'wb').close(); open('b', 'wb').close(); os.replace('a', 'b')"),
    "rename by descriptor": (Kind.RENAME, "os.rename('file', 'x', src_dir_fd=d, dst_dir_fd=d); os.rename('x', 'file')"),
    "unlink": (Kind.UNLINK, "open('gone', 'wb').close(); os.unlink('gone')"),
    "unlink by descriptor": (Kind.UNLINK, "open('gone', 'wb').close(); os.unlink('gone', dir_fd=d)"),
    "rmdir": (Kind.UNLINK, "os.mkdir('folder'); os.rmdir('folder')"),
    "mkdir": (Kind.MKDIR, "os.makedirs('deep/er', exist_ok=True); open('deep/er/file', 'ab').write(text)"),
    "fsync of a directory": (Kind.SYNC, "os.fsync(d)"),
}
BEGIN = "d = os.open('.', os.O_RDONLY); f = os.open('file', os.O_RDWR | os.O_CREAT, 0o600); text, at = b'text', 5000\n"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_call_is_traced(stage: Stage, name: str) -> None:
    kind, statement = OPERATIONS[name]
    stage.run(BEGIN)
    before = Counter(stage.kinds())
    stage.run(BEGIN + statement)
    assert Counter(stage.kinds())[kind] > before[kind] + (kind == Kind.OPEN) * 2
    assert stage.layer.calls(kind) == Counter(stage.kinds())[kind]


@pytest.mark.parametrize("seed", range(5))
def test_the_trace_tells_all_that_happened(stage: Stage, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lines = [BEGIN]
    for _ in range(300):
        lines.append(f"text, at = bytes([{rng.randrange(256)}]) * {rng.choice([1, 100, 9000])}, {rng.randrange(20000)}")
        lines.append(rng.choice(list(OPERATIONS.values()))[1])
    stage.run("\n".join(lines))
    Disk(stage.layer.trace()).play().write_now(tmp_path / "rebuilt")
    assert files_of(tmp_path / "rebuilt") == stage.files()


def test_a_file_is_under_the_root_by_whatever_name(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(stage.root)
    (stage.root / "in").mkdir()
    stage.run(f"""
for name in ("plain", "./in/../dots", {str(stage.root / "whole")!r}, {str(tmp_path / "link" / "linked")!r},
             "in/.././/twice"):
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
os.chdir("/")
os.close(os.open("far", os.O_CREAT | os.O_WRONLY, dir_fd=os.open({str(stage.root / "in")!r}, os.O_RDONLY)))
""")
    opened = [call.path for call in stage.layer.trace() if call.kind == Kind.OPEN]
    assert opened == ["plain", "dots", "whole", "linked", "twice", "in", "in/far"]


def test_what_lies_beside_the_root_is_not_traced(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "rootless").mkdir()
    stage.run(f"""
for folder in ({str(tmp_path)!r}, {str(tmp_path / "rootless")!r}, "..", "../rootless"):
    with open(folder + "/file", "wb") as file:
        file.write(b"x")
        os.fsync(file.fileno())
    os.rename(folder + "/file", folder + "/other")
    os.unlink(folder + "/other")
""")
    assert stage.layer.trace() == []


def test_a_write_is_traced_with_its_place_and_bytes(stage: Stage) -> None:
    stage.run("f = os.open('file', os.O_CREAT | os.O_WRONLY); os.lseek(f, 7, 0); os.writev(f, [b'one', b'two'])")
    call = stage.only(Kind.WRITE)
    assert (call.a, call.b, call.result, call.data) == (7, 6, 6, b"onetwo")


def test_marks_stand_among_the_calls(stage: Stage) -> None:
    stage.run("os.mkdir('one')")
    stage.layer.mark(b"between")
    stage.run("os.mkdir('two')")
    assert stage.kinds() == [Kind.MKDIR, Kind.MARK, Kind.MKDIR]
    assert stage.only(Kind.MARK).data == b"between"


def test_a_kill_leaves_a_trace_of_whole_records(stage: Stage) -> None:
    process = stage.start("print('on', flush=True)\nwhile True: open('file', 'ab').write(b'x' * 50_000)")
    assert process.stdout is not None and process.stdout.readline() == "on\n"
    while stage.layer.calls(Kind.WRITE) < 20:
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert len([call for call in stage.layer.trace() if call.kind == Kind.WRITE]) >= 19


@pytest.mark.parametrize("call", [
    "os.link('file', 'second')",
    "os.rename('file', '../outside')",
    "os.rename('../layer/control', 'inside')",
    "mmap.mmap(f, 5)",
    "os.sendfile(f, os.open('/proc/self/stat', os.O_RDONLY), None, 10)",
    "os.copy_file_range(os.open('/proc/self/exe', os.O_RDONLY), f, 10)",
    "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "os.open('file', os.O_WRONLY | os.O_DSYNC)",
    "os.pwritev(f, [b'x'], 0, os.RWF_DSYNC)",
    "C.fallocate(f, 3, ctypes.c_long(0), ctypes.c_long(1))",
])
def test_what_cannot_be_traced_ends_the_process(stage: Stage, call: str) -> None:
    stage.run(f"f = os.open('file', os.O_CREAT | os.O_RDWR); os.write(f, b'12345')\n{call}", -signal.SIGABRT)


# --- faults -----------------------------------------------------------------------------------------------------------

TRIES = """
def tried(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
"""
FAULTY: dict[Kind, str] = {
    Kind.OPEN: "tried(os.open, 'file', os.O_WRONLY)",
    Kind.WRITE: "tried(os.write, f, b'1234')",
    Kind.SYNC: "tried(os.fdatasync, f)",
    Kind.ALLOCATE: "tried(os.posix_fallocate, f, 0, 10)",
    Kind.RENAME: "tried(os.rename, 'file', 'file')",
    Kind.UNLINK: "tried(os.unlink, 'file'), open('file', 'ab').close()",
    Kind.TRUNCATE: "tried(os.ftruncate, f, 3)",
    Kind.MKDIR: "tried(os.mkdir, str(n))",
}


@pytest.mark.parametrize("kind", FAULTY, ids=lambda kind: kind.name.lower())
def test_the_nth_call_of_a_kind_fails(stage: Stage, kind: Kind) -> None:
    (stage.root / "file").touch()
    opened = int(kind == Kind.OPEN)     # once more, before the others
    stage.layer.rule(0, kind, Action.FAIL, errno.EIO, first=2 + opened, count=2)
    said = stage.run(f"{TRIES}\nf = os.open('file', os.O_WRONLY)\nfor n in range(5): print({FAULTY[kind]})")
    failed = [number for number, line in enumerate(said.splitlines(), 1) if "EIO" in line]
    assert failed == [2, 3]
    assert stage.layer.seen(0) >= 5 + opened
    results = [call.result for call in stage.layer.trace() if call.kind in (kind, Kind.SYNC_END)]
    assert results.count(-errno.EIO) == 2


def test_a_call_that_fails_does_nothing(stage: Stage) -> None:
    (stage.root / "now").write_bytes(b"before")
    for number, kind in enumerate(FAULTY):
        stage.layer.rule(number, kind, Action.FAIL, errno.EROFS, first=1 + (kind == Kind.OPEN), pattern="n*")
    said = stage.run(f"""{TRIES}
f = os.open("now", os.O_WRONLY)
print(tried(os.open, "new", os.O_CREAT), tried(os.mkdir, "n"), tried(os.unlink, "now"), tried(os.rename, "now", "new"))
print(tried(os.write, f, b"x"), tried(os.ftruncate, f, 0), tried(os.posix_fallocate, f, 0, 99), tried(os.fsync, f))
""")
    assert said.split() == ["EROFS"] * 8
    assert stage.files() == {"now": b"before"}


def test_a_rule_may_be_for_some_names_only(stage: Stage) -> None:
    stage.layer.rule(0, Kind.OPEN, Action.FAIL, errno.EACCES, pattern="*.log")
    assert stage.run(f"{TRIES}\nprint(tried(os.open, 'a.log', os.O_CREAT), tried(os.open, 'a.txt', os.O_CREAT) > 0)"
                     ) == "EACCES True"


def test_a_renamed_file_is_known_by_its_new_name(stage: Stage) -> None:
    stage.layer.rule(0, Kind.WRITE, Action.FAIL, errno.EIO, pattern="new")
    assert stage.run(f"""{TRIES}
f = os.open("old", os.O_CREAT | os.O_WRONLY)
print(tried(os.write, f, b"x"))
os.rename("old", "new")
print(tried(os.write, f, b"x"))
""").split() == ["1", "EIO"]


@pytest.mark.parametrize(("action", "said", "written"), [
    (Action.SHORT, "3", b"12345" b"123"), (Action.TORN, "EIO", b"12345" b"12"), (Action.FAIL, "EIO", b"12345"),
    (Action.FAIL_AFTER, "EIO", b"12345" b"12345"),
], ids=lambda one: one.name.lower() if isinstance(one, Action) else "")
def test_a_write_may_be_done_in_part(stage: Stage, action: Action, said: str, written: bytes) -> None:
    stage.layer.rule(0, Kind.WRITE, action, errno.EIO, first=2)
    write = "tried(os.write, f, b'12345')"
    assert stage.run(f"{TRIES}\nf = os.open('file', os.O_CREAT | os.O_WRONLY)\nprint({write}, {write})") == f"5 {said}"
    assert stage.files() == {"file": written}
    assert b"".join(call.data for call in stage.layer.trace()) == written


@pytest.mark.parametrize(("action", "there"), [(Action.KILL, ["0"]), (Action.KILL_AFTER, ["0", "1"])])
def test_a_process_may_be_killed_at_a_call(stage: Stage, action: Action, there: list[str]) -> None:
    stage.layer.rule(0, Kind.MKDIR, action, first=2)
    stage.run("for n in range(5): os.mkdir(str(n))", -signal.SIGKILL)
    assert list(stage.files()) == [call.path for call in stage.layer.trace()] == there


def test_a_held_sync_returns_when_it_is_let_go(stage: Stage) -> None:
    stage.layer.hold(True)
    process = stage.start("f = os.open('file', os.O_CREAT | os.O_WRONLY); os.fsync(f); os.write(f, b'x')")
    while stage.layer.held == 0:
        assert process.poll() is None
    stage.layer.mark(b"held")
    stage.layer.hold(False)
    assert process.wait(SECONDS) == 0
    process.communicate()
    assert stage.kinds() == [Kind.OPEN, Kind.SYNC, Kind.MARK, Kind.SYNC_END, Kind.WRITE]
    assert stage.layer.held == 0


@pytest.mark.parametrize(("kind", "call"), [(Kind.SYNC, "os.fsync(f)"), (Kind.WRITE, "os.pwrite(f, b'x', 0)")])
def test_a_sync_and_a_write_may_be_slow(stage: Stage, kind: Kind, call: str) -> None:
    stage.layer.rule(0, kind, Action.SLOW, 50_000)
    slow = f"t = time.monotonic(); {call}; print(time.monotonic() - t >= 0.05)"
    assert stage.run(f"import time; f = os.open('file', os.O_CREAT | os.O_WRONLY); {slow}") == "True"


def test_what_is_cleared_is_as_before(stage: Stage) -> None:
    stage.layer.rule(0, Kind.MKDIR, Action.FAIL, errno.EIO)
    stage.layer.limit(1)
    stage.layer.hold(True)
    stage.layer.clear()
    stage.run("os.mkdir('d'); f = os.open('file', os.O_CREAT | os.O_WRONLY); os.write(f, b'x' * 9000); os.fsync(f)")


# --- space ------------------------------------------------------------------------------------------------------------


def test_a_small_disk_fills_up(stage: Stage) -> None:
    stage.layer.limit(20_480)
    said = stage.run(f"""{TRIES}
f, g = os.open("file", os.O_CREAT | os.O_WRONLY), os.open("other", os.O_CREAT | os.O_WRONLY)
print(tried(os.posix_fallocate, f, 0, 8192), tried(os.posix_fallocate, g, 0, 12_289))
print(tried(os.write, f, b"x" * 8192), tried(os.write, g, b"x" * 15_000), tried(os.write, g, b"x"))
os.unlink("file")
os.close(f)
print(tried(os.write, g, b"x" * 5000), tried(os.posix_fallocate, g, 0, 20_480), tried(os.posix_fallocate, g, 0, 20_481))
""")
    assert said.split() == ["None", "ENOSPC", "8192", "12288", "ENOSPC", "5000", "None", "ENOSPC"]


def test_the_disk_can_be_made_larger_meanwhile(stage: Stage) -> None:
    stage.layer.limit(4096)
    process = stage.start(f"""{TRIES}
f = os.open("file", os.O_CREAT | os.O_WRONLY)
while tried(os.posix_fallocate, f, 0, 8192) == "ENOSPC": pass
""")
    while stage.layer.calls(Kind.ALLOCATE) < 3:
        assert process.poll() is None
    stage.layer.limit(8192)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert len(stage.files()["file"] or b"") == 8192
