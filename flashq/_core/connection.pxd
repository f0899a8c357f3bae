"""The uvloop Protocol of one client."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.hub cimport Endpoint, Hub
from flashq._core.request cimport Request
from flashq._core.state cimport Peer
from libc.stdint cimport uint8_t

cdef enum Mode:
    MODE_UNKNOWN = 0            # no byte came yet
    MODE_TEXT = 1               # JSON objects, a line each
    MODE_BINARY = 2             # MessagePack maps behind a 4-byte length

cdef class Connection(Endpoint):
    cdef Hub hub
    cdef Peer peer              # its `connection` points back here until connection_lost
    cdef object transport
    cdef object write           # its bound methods: looked up once, called once a read
    cdef object is_closing
    cdef int fd                 # borrowed from the transport: valid while it is not closing; -1 over TLS
    cdef bint lagging           # the transport may still hold bytes: what follows must go behind them
    cdef object write_timer
    cdef WriteBuffer partial    # input not yet a whole frame, or not yet wanted
    cdef WriteBuffer deferred   # whole frames without reqId behind a parked request without reqId
    cdef size_t input_counted   # bytes of this connection in hub.input_bytes
    cdef size_t id_offset       # where the last frame had its `id`, 0 when it had none
    cdef size_t searched        # bytes of `partial` known to hold no line end
    cdef Mode mode
    cdef public bint authenticated
    cdef bint parked            # a request of the cold tier without reqId waits for its reply
    cdef bint writing_paused    # the transport's buffer is full
    cdef bint reading_paused
    cdef bint feeding           # feed is at work: flush must not start it again
    cdef bint at_eof
    cdef bint closed
    cdef size_t feed(self, const uint8_t* data, size_t size, size_t searched) except? 0
    cdef int handle(self, const uint8_t* frame, size_t size) except -1
    cdef int refuse(self, int status, const Request* request) except -1
    cdef int reply_partly(self, const Request* request) except -1
    cdef int put(self, bytes reply) except -1
    cdef int send(self, size_t size) except -1
    cdef int resume_input(self) except -1
    cdef int feed_partial(self) except -1
    cdef int stop_reading(self) except -1
    cdef int count_input(self) except -1
    cdef size_t frame_limit(self) noexcept
    cdef int too_large(self) except -1
    cdef int finish(self) except -1
    cdef int defer(self, const uint8_t* frame, size_t size) except -1
    cdef int release_parked(self) except -1
    cdef bint held_up(self) noexcept
    cdef void release(self) noexcept
