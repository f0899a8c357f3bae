"""A server on a disk that fails at its nth call, with the work and the ledgers of the crash test around it."""

import asyncio
import errno
import os
import signal
from dataclasses import dataclass

import uvloop

from support.crash import Crash
from support.filelayer import FOR_EVER, Action, Kind
from support.server import ServerProcess

WORK = 25           # replies of a trial, before the server is told to stop
FIRST_TRIES = 8


@dataclass(frozen=True)
class Fault:
    """What becomes of the nth call of a kind."""

    kind: Kind
    action: Action
    error: int = errno.EIO
    pattern: str = ""
    count: int = 1

    def __str__(self) -> str:
        lasting = " for ever" if self.count == FOR_EVER else ""
        which = f" of {self.pattern}" if self.pattern else ""
        return f"{self.kind.name}{which} {self.action.name} {errno.errorcode[self.error]}{lasting}"

    @property
    def is_fatal(self) -> bool:
        """Whether a server that runs must end by it: what the log is written to did not take it."""
        return self.kind in (Kind.WRITE, Kind.SYNC) and self.action != Action.SHORT and self.pattern == "segment-*"


FAULTS = (
    Fault(Kind.WRITE, Action.FAIL, pattern="segment-*"),
    Fault(Kind.WRITE, Action.TORN, pattern="segment-*"),
    Fault(Kind.WRITE, Action.FAIL, errno.ENOSPC, pattern="segment-*"),
    Fault(Kind.SYNC, Action.FAIL, pattern="segment-*"),
    Fault(Kind.SYNC, Action.FAIL_AFTER, errno.ENOSPC, pattern="segment-*"),
    Fault(Kind.WRITE, Action.SHORT, count=FOR_EVER),
    Fault(Kind.WRITE, Action.TORN),
    Fault(Kind.SYNC, Action.FAIL),
    Fault(Kind.WRITE, Action.FAIL, errno.ENOSPC, pattern="*.tmp"),
    Fault(Kind.SYNC, Action.FAIL, pattern="*.tmp"),
    Fault(Kind.ALLOCATE, Action.FAIL),
    Fault(Kind.ALLOCATE, Action.FAIL, errno.ENOSPC),
    Fault(Kind.ALLOCATE, Action.FAIL, errno.ENOSPC, count=FOR_EVER),
    Fault(Kind.OPEN, Action.FAIL),
    Fault(Kind.RENAME, Action.FAIL),
    Fault(Kind.RENAME, Action.FAIL_AFTER, errno.ENOSPC),
    Fault(Kind.UNLINK, Action.FAIL),
    Fault(Kind.TRUNCATE, Action.FAIL),
)


class Faults(Crash):
    """Trial after trial, on one directory."""

    def trial(self, fault: Fault, number: int) -> bool:
        """Start, work and stop, with the fault at its call of that number; then all is looked at. Whether it came."""
        if self.server is not None:
            self.server.stop()
        self.layer.clear()
        self.layer.rule(0, fault.kind, fault.action, fault.error, first=number, count=fault.count,
                        pattern=f"data/{fault.pattern}" if fault.pattern else "")
        self.server = ServerProcess(self.home, *self.flags, env=self.layer.env, wait=False)
        serves = self.server.is_ready()
        if serves:
            for ledger in self.ledgers:
                ledger.restarted(self.epoch + 1)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self.work(WORK))
            if self.server.process.poll() is None:
                self.server.signal(signal.SIGTERM)
        self.server.wait()
        came = self.layer.seen(0) >= number
        self.check_end(fault, serves, came, f"{fault}, call {number}")
        self.server = None
        self.start()
        self.check()
        return came

    def start_once_more(self) -> None:
        """Without a fault."""
        assert self.server is not None
        self.server.stop()
        self.start()
        self.check()

    def check_end(self, fault: Fault, serves: bool, came: bool, what: str) -> None:
        """The process says what was wrong, in its exit status as well."""
        assert self.server is not None
        status, text = self.server.wait(), f"{what}:\n{self.server.text}"
        self.server.check_log()
        reason = os.strerror(fault.error)
        if not serves:
            assert came and status in (1, os.EX_IOERR), text
            assert reason in self.server.text, text
        elif status:
            assert came and status == os.EX_IOERR, text
            assert any(reason in one["reason"] for one in self.server.events if one["event"] == "storage_failed"), text
        else:
            assert not (came and fault.is_fatal), text
            assert "storage_failed" not in self.server.text, text
        outcome = "refused" if not serves else "ended" if status else "went on" if came else "not met"
        self.did[f"{fault}: {outcome}"] += 1


def try_every_call(faults: Faults, fault: Fault) -> int:
    """The fault at the first call, the second, … until one is not reached; how many were.

    A checkpoint, with what it removes, is due after a number of starts: the first call has more than one run to come
    in, each as the next of them.
    """
    number = 1
    for _ in range(FIRST_TRIES):
        while faults.trial(fault, number):
            number += 1
        if number > 1:
            break
        faults.start_once_more()
    return number - 1
