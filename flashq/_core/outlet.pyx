"""What goes out to one client: replies and events into its buffer, and the buffer to the socket."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.buffer cimport buffer_put, copied
from flashq._core.hot cimport outcome
from flashq._core.peers cimport peer_mark, peer_replied, peer_replied_synced, peer_sent, peer_withdraw
from flashq._core.receipt cimport replied
from flashq._core.request cimport MSGPACK, Slice
from flashq._core.sendnow cimport send_now
from flashq._core.state cimport Core


cdef inline bytes optional(const Slice* slice):
    """Its bytes, or None for ptr NULL."""
    return None if slice.ptr == NULL else copied(slice.ptr, slice.size)


cdef class Outlet(Endpoint):
    """The sending half of a Connection, which sets it up."""

    def send_event(self, bytes frame):
        """Append a whole frame that answers no request; whether it will leave.

        Not unless the client said HELLO with push, nor while it is over its high-water mark: then the frame is lost to
        it, and counted by the hub.
        """
        if not self.peer.push or self.closed or self.transport is None:
            return False
        if self.writing_paused or self.peer.out.size > self.hub.write_high_water:
            self.hub.events_lost += 1
            return False
        buffer_put(&self.peer.out, PyBytes_AS_STRING(frame), <size_t>PyBytes_GET_SIZE(frame))
        peer_mark(&self.hub.engine.core, &self.peer)
        return True

    def answer(self, bytes reply, bint in_order, uint64_t synced=0):
        """The reply to a request that the cold tier parked; `in_order`: it came without reqId.

        What it shows is durable already, or when the log is on disk up to `synced`.
        """
        if in_order:
            self.parked = False
        if self.closed or self.transport is None:
            return
        buffer_put(&self.peer.out, PyBytes_AS_STRING(reply), <size_t>PyBytes_GET_SIZE(reply))
        if synced:
            peer_replied_synced(&self.hub.engine.core, &self.peer, synced)
        else:
            peer_replied(&self.hub.engine.core, &self.peer, self.hub.engine.core.committed)

    def address(self):
        """Of the client, `host:port`; None when it has none, as over a Unix socket."""
        peer = None if self.transport is None else self.transport.get_extra_info("peername")
        if not isinstance(peer, tuple):
            return None
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    def abort(self, reason):
        """Drop the connection at once, saying why in the log."""
        if self.closed:
            return
        self.closed = True
        self.hub.log("connection_closed", reason=reason)
        if self.transport is not None:
            self.transport.abort()

    def _write_timed_out(self):
        self.write_timer = None
        self.closed = False
        self.abort("the client does not take its replies")

    # --- replies

    cdef int refuse(self, int status, const Request* request) except -1:
        cdef object field = None
        if request.problem_field != NULL:
            field = (<bytes>request.problem_field).decode("ascii")
            if request.problem_item >= 0:
                field = f"jobs[{request.problem_item}].{field}"
        self.put(self.hub.refuse(
            self.peer.format == MSGPACK, status, optional(&request.req_id), field, request.problem_number,
            optional(&request.problem_text) or optional(&request.cmd)))
        return 0

    cdef int reply_partly(self, const Request* request) except -1:
        """PUSHB: the ids of what was taken, and what was refused, by its place."""
        cdef const Slice* req_id = &request.req_id
        cdef size_t at = self.peer.out.size
        cdef Core* core = &self.hub.engine.core
        cdef uint32_t i
        failures = []
        for i in range(outcome.refused):
            failures.append((outcome.failures[i].index, outcome.failures[i].status, outcome.failures[i].number,
                             optional(&outcome.failures[i].text)))
        ids = [outcome.ids[i] for i in range(outcome.made)]
        cdef bytes reply = self.hub.refuse.partly(self.peer.format == MSGPACK, optional(req_id), ids, failures)
        buffer_put(&self.peer.out, PyBytes_AS_STRING(reply), <size_t>PyBytes_GET_SIZE(reply))
        replied(core, &self.peer, request, at, core.position)
        return 0

    cdef int put(self, bytes reply) except -1:
        cdef Core* core = &self.hub.engine.core
        buffer_put(&self.peer.out, PyBytes_AS_STRING(reply), <size_t>PyBytes_GET_SIZE(reply))
        if core.answer_synced:
            core.answer_synced = False
            peer_replied_synced(core, &self.peer, core.position)
        else:
            peer_replied(core, &self.peer, core.position)
        return 0

    def withdraw(self):
        """What was not sent yet tells of changes that may be lost: each reply becomes an error, and events go."""
        cdef Core* core = &self.hub.engine.core
        cdef bytes told
        if self.peer.out.size == 0:
            return
        told = self.hub.refuse.withdrawn(self.peer.format == MSGPACK, copied(self.peer.out.data, self.peer.out.size))
        peer_withdraw(core, &self.peer)
        buffer_put(&self.peer.out, PyBytes_AS_STRING(told), <size_t>PyBytes_GET_SIZE(told))
        peer_mark(core, &self.peer)

    # --- the socket

    cdef int send(self, size_t size) except -1:
        """The first `size` bytes of the replies: to the socket as far as it takes them now, the rest by the transport.

        A transport that is closing may have closed its descriptor, whose number may be another connection's by now.
        """
        cdef size_t sent = 0
        if self.fd >= 0 and not self.is_closing():
            if not self.lagging or self.transport.get_write_buffer_size() == 0:
                sent = send_now(self.fd, self.peer.out.data, size)
                self.lagging = sent < size
        if sent == size:
            peer_sent(&self.hub.engine.core, &self.peer, size)
            return 0
        rest = copied(self.peer.out.data + sent, size - sent)
        peer_sent(&self.hub.engine.core, &self.peer, size)
        self.write(rest)
        if self.writing_paused and self.transport.get_write_buffer_size() > self.hub.write_limit:
            self.abort("too many replies the client does not take")
        return 0

    cdef int finish(self) except -1:
        """Close once the transport has sent what it holds; a client that never takes that is cut off."""
        if self.closed or self.transport is None:
            return 0
        self.closed = True
        if self.write_timer is None:
            self.write_timer = self.hub.loop.call_later(self.hub.write_timeout, self._write_timed_out)
        self.transport.close()
        return 0
