"""What one client knows apart from sockets: requests on their way, and what becomes of them when connections break.

It is fed with calls, bytes and the news that a connection was made or lost, and leaves the bytes to be sent in
`outgoing`. It belongs to one thread, the one of the event loop. docs/client.md says which rules it keeps.
"""
import os
from collections.abc import Callable
from typing import Any, Protocol

from flashq.client.call import KEY_SECONDS, Call, may_be_sent_again
from flashq.client.defaults import WAIT_MS
from flashq.client.errors import (
    ClientClosed,
    CommandError,
    ConnectionLost,
    DeadlineExceeded,
    FlashQError,
    UnknownError,
    recognise,
)
from flashq.client.held import Held
from flashq.client.methods import BY_COMMAND, Again
from flashq.client.readers import server
from flashq.client.refusals import BY_CODE
from flashq.client.results import ServerInfo
from flashq.client.streams import Listening, Told
from flashq.client.wire import Message, Packed, Wire
from flashq.errors import SHUTTING_DOWN, STORAGE_FAILED, TOO_LARGE_FRAME

PULLS = ("PULL", "PULLB")
ENDINGS = ("ACK", "ACKB", "FAIL", "MOVETODELAYED", "CANCEL", "DISCARD")     # after which a job is not held any more
LISTENS = ("SUBSCRIBE", "UNSUBSCRIBE", "SUB", "UNSUB", "PSUB", "PUNSUB")


class Future(Protocol):
    """What waits for a reply: that of asyncio, or of concurrent.futures."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, exception: BaseException, /) -> None: ...


class Request:
    """A call on its way. `sent_at` is when it first went out, None before."""

    __slots__ = ("abandoned", "call", "frame", "future", "packed", "req_id", "sent", "sent_again", "sent_at")

    def __init__(self, call: Call[Any], packed: Packed, future: Future) -> None:
        self.call = call
        self.packed = packed
        self.future = future
        self.req_id = ""
        self.frame = b""
        self.sent = False           # on the connection of now, or in doubt since the last one
        self.sent_again = False
        self.sent_at: float | None = None
        self.abandoned = False      # nobody waits, but what the answer brings must not be lost

    @property
    def fields(self) -> Message:
        return self.call.fields

    def fail(self, error: FlashQError) -> None:
        """Tell who waits."""
        if not self.future.done():
            self.future.set_exception(error)


class Nobody:
    """The future of a request that the client makes for itself: a function hears the answer."""

    def __init__(self, answered: Callable[[Message | None], object] = lambda _reply: None) -> None:
        self._answered = answered

    def done(self) -> bool:
        return False

    def set_result(self, result: Any, /) -> None:
        self._answered(result)

    def set_exception(self, _exception: BaseException, /) -> None:
        self._answered(None)


class Core:
    """One client's requests. `clock` tells monotonic seconds."""

    def __init__(
        self, make_wire: Callable[[], Wire], token: str | None, session: str | None, clock: Callable[[], float],
        on_told: Callable[[Told], object] | None = None,
    ) -> None:
        self.wire = make_wire()
        self.token = token
        self.session: str | None = session or os.urandom(16).hex()
        self.push = True
        self.listening = Listening(on_told)
        self.held = Held()
        self.pending: dict[str, Request] = {}   # in the order in which they were asked for
        self.outgoing: list[bytes] = []
        self.ready = False                      # greeted: requests may be sent
        self.failed: FlashQError | None = None  # why this connection cannot be used
        self.server: ServerInfo | None = None
        self.heard_at = clock()
        self._make_wire = make_wire
        self._clock = clock
        self._number = 0
        self.closed = False

    # -- requests -----------------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> None:
        """Take a request; it goes out at once, or when there is a connection."""
        if self.closed:
            request.fail(ClientClosed("the client is closed"))
            return
        call = request.call
        if call.command == "SUBSCRIBE" and call.lasting:
            request.packed = self.wire.pack(self.listening.widen(call.command, call.fields))
        self._enter(request)
        if self.server is not None and len(request.frame) > self.server.max_frame:
            del self.pending[request.req_id]    # the server would hang up, which ends what others have asked for
            request.fail(refused(TOO_LARGE_FRAME.code, TOO_LARGE_FRAME.text, call.command))
        elif self.ready:
            self._send(request)

    def abandon(self, request: Request) -> None:
        """Nobody waits for it any more. Its answer is awaited all the same: it may bring jobs, which are given back."""
        if request.sent:
            request.abandoned = True
        else:
            self.pending.pop(request.req_id, None)

    def expire(self, request: Request, seconds: float, cause: str) -> bool:
        """Its deadline has come. Whether the connection has been silent since it went out."""
        if request.future.done():
            return False
        in_doubt = request.sent_at is not None
        silent = request.sent and request.sent_at is not None and self.heard_at < request.sent_at
        self.abandon(request)
        request.fail(DeadlineExceeded(request.call.command, seconds, in_doubt, cause))
        return silent

    def say(self, command: str, fields: Message, answered: Callable[[Message | None], object] | None = None) -> None:
        """A request of the client's own; `answered` hears the reply, or None when there is none."""
        call = Call(command, fields, dict, lasting=False)
        request = Request(call, self.wire.pack(fields), Nobody(answered) if answered else Nobody())
        self._enter(request)
        self._send(request)

    def close(self) -> None:
        """All that wait are told."""
        self.closed = True
        self.ready = False
        self.fail_all(ClientClosed("the client was closed"))
        self.listening.close()

    def fail_all(self, error: FlashQError) -> None:
        """The same for all that wait."""
        pending, self.pending = self.pending, {}
        for request in pending.values():
            request.fail(error)

    def _enter(self, request: Request) -> None:
        self._number += 1
        request.req_id = f"{self._number:x}"
        request.frame = self.wire.frame(request.call.command, request.req_id, request.packed)
        self.pending[request.req_id] = request

    def _send(self, request: Request) -> None:
        request.sent_again = request.sent_at is not None
        request.sent_at = request.sent_at or self._clock()
        request.sent = True
        self.outgoing.append(request.frame)

    # -- connections --------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """There is a connection: say who this is; requests wait for the answer."""
        self.wire.reset()
        self.outgoing.clear()
        self.failed = None
        self.heard_at = self._clock()
        if self.token is not None:
            self.say("AUTH", {"token": self.token}, self._greeted)
        session = {} if self.session is None else {"session": self.session}
        self.say("HELLO", {**session, "push": self.push}, self._greeted)

    def _greeted(self, reply: Message | None) -> None:
        """AUTH or HELLO was answered; of HELLO the answer has a server."""
        if reply is None or "server" not in reply:
            return
        self.server = server(reply)
        self.ready = True
        for command, fields in self.listening.everything():
            self.say(command, fields)
        now = self._clock()
        for request in list(self.pending.values()):
            if not request.sent and self._may_go_out(request, now):
                self._send(request)

    def lost(self) -> None:
        """The connection is gone. What may be sent again waits for the next one, the rest is told."""
        self.ready = False
        self.outgoing.clear()
        now = self._clock()
        doubtful = False
        for request in list(self.pending.values()):
            if not request.sent:
                continue
            doubtful |= request.call.command in PULLS
            request.sent = False
            if isinstance(request.future, Nobody) or request.abandoned:
                del self.pending[request.req_id]
            else:
                self._may_go_out(request, now)
        if doubtful:
            self._renew_session()

    def _may_go_out(self, request: Request, now: float) -> bool:
        """Whether a request may be sent; one that has been before, and may not be again, is told."""
        if request.sent_at is None or self._may_repeat(request, now):
            return True
        del self.pending[request.req_id]
        request.fail(ConnectionLost(f"{request.call.command}: the connection was lost; it may have been done"))
        return False

    def _may_repeat(self, request: Request, now: float) -> bool:
        command = request.call.command
        if not may_be_sent_again(command, request.fields):
            return False
        keyed = BY_COMMAND[command].again is Again.KEYED
        return not keyed or request.sent_at is None or now - request.sent_at < KEY_SECONDS

    def _renew_session(self) -> None:
        """The next pulls are of another session: see flashq/client/held.py."""
        if self.session is not None:
            self.held.leave(self.session)
            self.session = f"{self.session.partition('~')[0]}~{os.urandom(4).hex()}"

    def keeper(self, session: str) -> "Core":
        """Of a connection that asks for nothing, and keeps an earlier session up."""
        core = Core(self._make_wire, self.token, session, self._clock)
        core.push = False
        return core

    # -- replies ------------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes came. BrokenStream when they are no frames."""
        self.heard_at = self._clock()
        for message in self.wire.feed(data):
            if "ok" not in message:
                if message.get("event") == "cancel":
                    self.held.ended(message)
                self.listening.deliver(message)
                continue
            request = self._asked_by(message)
            if request is not None:
                self._answer(request, message)

    def _asked_by(self, message: Message) -> Request | None:
        """Whom a reply is for.

        What could not be read is refused without its reqId. Replies come in order, but for those of requests that wait:
        so it was the first one that is still open.
        """
        req_id = message.get("reqId")
        if req_id is not None:
            return self.pending.pop(req_id, None)
        for found, request in self.pending.items():
            if request.sent and request.call.command not in WAIT_MS:
                return self.pending.pop(found)
        return None

    def _answer(self, request: Request, reply: Message) -> None:
        if reply["ok"] is not True:
            self._refuse(request, reply)
            return
        command = request.call.command
        if command in PULLS:
            self._delivered(request, reply)
        elif command in ENDINGS:
            self.held.ended(request.fields)
        elif command in LISTENS and request.call.lasting:
            self.listening.asked(command, request.fields)
        elif command in ("AUTH", "HELLO"):
            self._named(request)
        if not request.future.done():
            request.future.set_result(reply)

    def _named(self, request: Request) -> None:
        """AUTH and HELLO of the user hold for later connections, too."""
        if not request.call.lasting:
            return
        if request.call.command == "AUTH":
            self.token = request.fields["token"]
            return
        session = request.fields.get("session")
        if self.session is not None and session != self.session:
            self.held.leave(self.session)
        self.session, self.push = session, bool(request.fields.get("push", False))

    def _delivered(self, request: Request, reply: Message) -> None:
        jobs = reply.get("jobs") or ([reply["job"]] if reply.get("job") else [])
        if request.abandoned or request.future.done():
            for job in jobs:
                self.say("FAIL", {"id": job["id"], "token": job["token"], "release": True})
        else:
            self.held.delivered(jobs)

    def _refuse(self, request: Request, reply: Message) -> None:
        code, text = reply.get("code", ""), reply.get("error", "")
        error, _ = recognise(code, text) if code in (SHUTTING_DOWN.code, STORAGE_FAILED.code) else (None, {})
        own = isinstance(request.future, Nobody)
        open = not own and not request.abandoned
        if error is SHUTTING_DOWN and open:     # nothing was done: for the server that comes after this one
            request.sent, request.sent_at = False, request.sent_at if request.sent_again else None
            self.pending[request.req_id] = request
            return
        if error is STORAGE_FAILED and open and self._may_repeat(request, self._clock()):
            self.pending[request.req_id] = request  # for the next connection: this server stops
            return
        refusal = refused(code, text, request.call.command, request.sent_again)
        if own and request.call.command in ("AUTH", "HELLO"):
            self.failed = self.failed or refusal
        if request.call.command in ENDINGS:
            self.held.refused(request.fields, code)
        request.fail(refusal)


def refused(code: str, text: str, command: str, sent_again: bool = False) -> CommandError:
    """The exception for a refusal."""
    kind = BY_CODE.get(code)
    if kind is None:
        return UnknownError(f"{text} ({code})" if code else text, command, sent_again=sent_again)
    return kind(text, command, sent_again=sent_again)
