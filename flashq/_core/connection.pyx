"""Frames in, replies out: one write per read event, back-pressure both ways, and no business rule.

A client that does not take its replies is not read from (its requests stay in the kernel), and closed when it does not
come round within `write_timeout`. What it sends behind a parked pull without reqId waits here, up to the same bound.
"""
import socket

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

from flashq._core.ahead cimport ids_ahead
from flashq._core.buffer cimport buffer_close, buffer_consume, buffer_put, buffer_shrink, copied
from flashq._core.hot cimport hot_execute
from flashq._core.hub cimport Hub
from flashq._core.peers cimport peer_clean, peer_close, peer_mark, peer_sendable
from flashq._core.request cimport JSON, MSGPACK, OP_COLD, OP_NONE, Request
from flashq._core.reservations cimport owner_disconnected, session_open
from flashq._core.scratch cimport scratch_reset
from flashq._core.state cimport Core
from flashq._core.status cimport AUTH_REQUIRED, OK, PARTLY, STORAGE_FAILED, TOO_LARGE_FRAME
from flashq._core.waiters cimport waiters_drop, waiters_release
from flashq._core.wire cimport wire_scan

cdef enum:
    FLUSH_BYTES = 100 * 1024    # replies leave before the read is worked off when there are so many
    KEEP_BYTES = 64 * 1024      # room an emptied input buffer keeps
    BEFORE_AUTH_BYTES = 64 * 1024

# Dead peers are found within IDLE + COUNT * INTERVAL seconds.
KEEPALIVE = tuple(
    (getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
)


cdef inline bint blocked(Connection self) noexcept:
    """Whether a parked request without reqId holds up those that come after it without one."""
    return self.peer.blocked != NULL or self.parked


cdef class Connection(Outlet):
    """The Protocol of one client. `authenticated` is set by AUTH."""

    def __cinit__(self, Hub hub):
        self.hub = hub
        self.peer.connection = <void*>self
        self.fd = -1

    def __dealloc__(self):
        if self.hub is not None:
            self.release()

    cdef void release(self) noexcept:
        """Let go of everything the engine knows of this client."""
        cdef Core* core = &self.hub.engine.core
        waiters_drop(core, &self.peer)
        owner_disconnected(core, &self.peer)
        peer_close(core, &self.peer)
        buffer_close(&self.partial)
        buffer_close(&self.deferred)
        self.hub.input_bytes -= self.input_counted
        self.input_counted = 0

    # --- Protocol callbacks ------------------------------------------------------------------------------------------

    def connection_made(self, transport):
        cdef Hub hub = self.hub
        self.transport = transport
        self.write = transport.write
        self.is_closing = transport.is_closing
        if hub.draining or len(hub.open_connections) >= hub.max_connections:
            hub.refused += 1
            self.closed = True
            transport.abort()
            return
        hub.tick()
        hub.made += 1
        self.number, self.made_at = hub.made, hub.engine.core.now
        hub.open_connections.add(self)
        transport.set_write_buffer_limits(high=hub.write_high_water)
        sock = transport.get_extra_info("socket")
        if sock is not None and transport.get_extra_info("ssl_object") is None:
            self.fd = sock.fileno()
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in KEEPALIVE:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def data_received(self, bytes data):
        cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef size_t size = <size_t>PyBytes_GET_SIZE(data)
        cdef size_t used
        if self.closed:
            return
        try:
            self.hub.tick()
            if self.partial.size == 0:
                used = self.feed(start, size, 0)
                if used < size and not self.closed:
                    buffer_put(&self.partial, start + used, size - used)
            else:
                buffer_put(&self.partial, start, size)
                if not self.partial.failed:
                    self.feed_partial()
            if self.partial.failed or self.deferred.failed:
                self.abort("out of memory")
            self.count_input()
            self.hub.after_read()
        except Exception as error:
            self.abort(repr(error))

    def eof_received(self):
        """The client sends no more: answer what it asked, also what is parked, then close."""
        self.at_eof = True
        try:
            self.hub.tick()
            if self.mode == MODE_TEXT and self.partial.size and not self.closed:
                buffer_put(&self.partial, b"\n", 1)
                self.feed_partial()
            self.release_parked()
            peer_mark(&self.hub.engine.core, &self.peer)
            self.hub.after()
        except Exception as error:
            self.abort(repr(error))
        # Over TLS there is no half-close: the transport is going, whatever is returned.
        return not self.closed and self.transport.get_extra_info("ssl_object") is None

    def connection_lost(self, error):
        self.closed = True
        if self.write_timer is not None:
            self.write_timer.cancel()
            self.write_timer = None
        self.hub.connection_gone(self)
        self.hub.tick()
        self.release()
        self.transport = None
        self.write = None
        self.is_closing = None
        self.fd = -1
        try:
            self.hub.rooms.disconnected(self)
            self.hub.after()
        except Exception as problem:
            self.hub.log("connection_lost_failed", error=repr(problem))

    def pause_writing(self):
        self.writing_paused = True
        self.stop_reading()
        if self.write_timer is None and not self.closed:
            self.write_timer = self.hub.loop.call_later(self.hub.write_timeout, self._write_timed_out)

    def resume_writing(self):
        self.writing_paused = False
        if self.write_timer is not None:
            self.write_timer.cancel()
            self.write_timer = None
        try:
            self.hub.tick()
            self.resume_input()
            if self.at_eof:
                peer_mark(&self.hub.engine.core, &self.peer)    # perhaps nothing is left but to close: flush sees to it
            self.hub.after()
        except Exception as error:
            self.abort(repr(error))

    # --- for the cold tier and the hub -------------------------------------------------------------------------------

    def hello(self, session, bint push):
        """HELLO: name the session that holds this connection's jobs (or None); ask for unsolicited frames.

        Raises MemoryError.
        """
        cdef bytes name
        self.peer.push = push
        if session:
            name = session.encode("utf-8", "surrogatepass")
            if session_open(&self.hub.engine.core, &self.peer, <const uint8_t*>PyBytes_AS_STRING(name),
                            <uint32_t>len(name)) != OK:
                raise MemoryError("session")

    def close_if_idle(self):
        """Close unless replies are still on their way, or it holds jobs whose worker may still acknowledge them."""
        if self.peer.owner == NULL or self.peer.owner.jobs.count == 0:
            self.close_if_flushed()

    def close_if_flushed(self):
        """Close unless replies are still on their way."""
        if self.peer.out.size == 0 and not self.closed and self.transport.get_write_buffer_size() == 0:
            self.finish()

    def hold_off(self):
        """Read no more requests."""
        self.stop_reading()

    def read_on(self):
        """Look again whether requests are wanted now; `flush` sees to it."""
        if self.reading_paused:
            peer_mark(&self.hub.engine.core, &self.peer)

    # --- input -------------------------------------------------------------------------------------------------------

    cdef int stop_reading(self) except -1:
        if not self.reading_paused and not self.closed and self.transport is not None:
            self.reading_paused = True
            self.transport.pause_reading()
        return 0

    cdef bint held_up(self) noexcept:
        """Whether no further frame is wanted now."""
        if blocked(self) and self.deferred.size > self.hub.write_high_water:
            return True
        # Replies stay in `out` only while what they show is not durable: as many as a client may leave untaken.
        return (self.writing_paused or self.closed or self.peer.out.size > self.hub.write_high_water
                or self.hub.choked)

    cdef int release_parked(self) except -1:
        """Answer every request that waits."""
        waiters_release(&self.hub.engine.core, &self.peer)
        self.hub.rooms.at_eof(self)
        return 0

    cdef int count_input(self) except -1:
        """Unfinished frames of all connections together may take a quarter of the memory limit."""
        cdef size_t held = self.partial.size + self.deferred.size
        if held == self.input_counted:
            return 0
        self.hub.input_bytes += held - self.input_counted
        self.input_counted = held
        if self.hub.input_bytes > self.hub.engine.core.limits.memory >> 2 and held > KEEP_BYTES:
            self.abort("too many unfinished frames in memory")
        return 0

    cdef size_t frame_limit(self) noexcept:
        """Bytes of the largest frame; who has not shown a token needs no large one."""
        if self.hub.auth_required and not self.authenticated and self.hub.max_frame > BEFORE_AUTH_BYTES:
            return BEFORE_AUTH_BYTES
        return self.hub.max_frame

    cdef int feed_partial(self) except -1:
        cdef size_t searched = self.searched
        cdef size_t used
        self.searched = 0
        used = self.feed(self.partial.data, self.partial.size, searched)
        buffer_consume(&self.partial, used)
        buffer_shrink(&self.partial, KEEP_BYTES)
        return 0

    cdef int resume_input(self) except -1:
        """Work off what was held back, oldest first, then read on."""
        cdef WriteBuffer waiting
        cdef size_t used
        while self.deferred.size and not blocked(self) and not self.held_up():
            waiting = self.deferred         # frames that must wait again are put into a fresh buffer, in order
            memset(&self.deferred, 0, sizeof(WriteBuffer))
            used = self.feed(waiting.data, waiting.size, 0)
            if used < waiting.size:
                buffer_put(&self.deferred, waiting.data + used, waiting.size - used)
            buffer_close(&waiting)
        if self.partial.size and not self.held_up():
            self.feed_partial()
        if self.at_eof:
            self.release_parked()
        if self.reading_paused and not self.held_up():
            self.reading_paused = False
            self.transport.resume_reading()
        return 0

    cdef size_t feed(self, const uint8_t* data, size_t size, size_t searched) except? 0:
        """Handle the whole frames at the front of `data`; the bytes used. The first `searched` hold no line end."""
        cdef size_t at = 0
        cdef size_t end, frame
        cdef size_t looked = 0
        cdef size_t limit
        cdef const uint8_t* line_end
        if self.mode == MODE_UNKNOWN and size:
            self.mode = MODE_BINARY if data[0] <= 1 else MODE_TEXT
            self.peer.format = MSGPACK if self.mode == MODE_BINARY else JSON
        self.feeding = True
        while at < size:
            if self.held_up():
                self.stop_reading()
                break
            if self.id_offset and at >= looked:
                looked = ids_ahead(&self.hub.engine.core, self.peer.format, data, at, size, self.id_offset)
            limit = self.frame_limit()
            if self.mode == MODE_TEXT:
                line_end = <const uint8_t*>memchr(data + at + searched, c'\n', size - at - searched)
                if line_end == NULL:
                    self.searched = size - at
                    if size - at > limit:
                        self.too_large()
                    break
                frame = at
                end = <size_t>(line_end - data)
                at = end + 1
                searched = 0
                while end > frame and data[end - 1] == c'\r':
                    end -= 1
                if end == frame:
                    continue                # a blank line asks nothing
            else:
                if size - at < 4:
                    break
                frame = at + 4
                end = frame + (<size_t>data[at] << 24 | <size_t>data[at + 1] << 16 | <size_t>data[at + 2] << 8
                               | data[at + 3])
                if end > size and end - frame <= limit:
                    break
                at = end
            if end - frame > limit:
                self.too_large()
                break
            self.handle(data + frame, end - frame)
            if self.peer.out.size > FLUSH_BYTES:
                self.flush()
        self.feeding = False
        if self.deferred.size and not blocked(self):
            peer_mark(&self.hub.engine.core, &self.peer)    # its request was answered meanwhile: `flush` works them off
        return at

    cdef int too_large(self) except -1:
        """Refuse the frame and close: what follows cannot be told apart from it."""
        cdef Request request
        memset(&request, 0, sizeof(request))
        self.refuse(TOO_LARGE_FRAME, &request)
        self.flush()
        return self.finish()

    cdef int handle(self, const uint8_t* frame, size_t size) except -1:
        cdef Core* core = &self.hub.engine.core
        cdef Request request
        cdef int status
        scratch_reset(&self.hub.engine.scratch)
        status = wire_scan(self.peer.format, &self.hub.engine.scratch, frame, size, &request)
        self.id_offset = 0 if request.id_text == NULL else <size_t>(request.id_text - frame)
        if request.req_id.ptr == NULL and (blocked(self) or self.deferred.size):
            return self.defer(frame, size)
        if self.hub.failure is not None:
            status = STORAGE_FAILED
        elif self.hub.auth_required and not self.authenticated and request.op != OP_NONE:
            if request.op != OP_COLD or request.cmd.size != 4 or memcmp(request.cmd.ptr, "AUTH", 4) != 0:
                status = AUTH_REQUIRED
        if status == OK:
            if request.op == OP_COLD:
                reply = self.hub.dispatch(self, self.peer.format == MSGPACK, copied(frame, size))
                if reply is not None:
                    self.put(reply)
                elif request.req_id.ptr == NULL:
                    self.parked = True
                return 0
            status = hot_execute(core, &self.peer, &request)
        if status == PARTLY:
            self.reply_partly(&request)
        elif status != OK:
            self.refuse(status, &request)
        return 0

    cdef int defer(self, const uint8_t* frame, size_t size) except -1:
        """Keep the frame, framed again, until the pull before it is answered."""
        cdef uint8_t[4] head
        if self.mode == MODE_BINARY:
            head[0] = <uint8_t>(size >> 24)
            head[1] = <uint8_t>(size >> 16)
            head[2] = <uint8_t>(size >> 8)
            head[3] = <uint8_t>size
            buffer_put(&self.deferred, head, 4)
        buffer_put(&self.deferred, frame, size)
        if self.mode == MODE_TEXT:
            buffer_put(&self.deferred, b"\n", 1)
        return 0

    # --- output ------------------------------------------------------------------------------------------------------

    cdef int flush(self) except -1:
        """Hand what may leave to the transport, in one write."""
        cdef size_t size = peer_sendable(&self.hub.engine.core, &self.peer)
        peer_clean(&self.hub.engine.core, &self.peer)
        if self.closed or self.transport is None:
            return 0
        if self.peer.out.failed:
            self.abort("out of memory")
            return 0
        if size:
            self.send(size)
        if (self.deferred.size or self.reading_paused) and not self.feeding and not self.held_up():
            self.resume_input()
        # Inside `feed` more frames may follow this reply.
        if self.at_eof and not self.feeding and self.peer.out.size == 0 and not self.closed and not self.held_up():
            self.finish()
        return 0
