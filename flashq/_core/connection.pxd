"""The uvloop Protocol of one client."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.outlet cimport Outlet
from libc.stdint cimport uint8_t

cdef enum Mode:
    MODE_UNKNOWN = 0            # no byte came yet
    MODE_TEXT = 1               # JSON objects, a line each
    MODE_BINARY = 2             # MessagePack maps behind a 4-byte length

cdef class Connection(Outlet):
    cdef WriteBuffer partial    # input not yet a whole frame, or not yet wanted
    cdef WriteBuffer deferred   # whole frames without reqId behind a parked request without reqId
    cdef size_t input_counted   # bytes of this connection in hub.input_bytes
    cdef size_t id_offset       # where the last frame had its `id`, 0 when it had none
    cdef size_t searched        # bytes of `partial` known to hold no line end
    cdef Mode mode
    cdef public bint authenticated
    cdef bint reading_paused
    cdef bint feeding           # feed is at work: flush must not start it again
    cdef bint at_eof
    cdef size_t feed(self, const uint8_t* data, size_t size, size_t searched) except? 0
    cdef int handle(self, const uint8_t* frame, size_t size) except -1
    cdef int resume_input(self) except -1
    cdef int feed_partial(self) except -1
    cdef int stop_reading(self) except -1
    cdef int count_input(self) except -1
    cdef size_t frame_limit(self) noexcept
    cdef int too_large(self) except -1
    cdef int defer(self, const uint8_t* frame, size_t size) except -1
    cdef int release_parked(self) except -1
    cdef bint held_up(self) noexcept
    cdef void release(self) noexcept
