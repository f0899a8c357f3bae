"""What the connections of a server share. Owner: the server."""
from flashq._core.engine cimport Engine
from flashq._core.sink cimport Sink
from libc.stdint cimport uint32_t, uint64_t

cdef class Endpoint:
    cdef int flush(self) except -1

cdef class Hub:
    cdef readonly Engine engine
    cdef object dispatch, refuse, loop, log, store, clock, rooms
    cdef Sink sink              # the store, if it is one, else None
    cdef object timer           # the armed TimerHandle, or None
    cdef object keeping         # the TimerHandle of the next look at what the loop's turn has recorded, or None
    cdef size_t gathered        # bytes that the sink has and need not begin with yet
    cdef size_t seen            # bytes of records and of those at the last look
    cdef uint32_t looks         # since the first of them
    cdef object telling         # the TimerHandle of the next slice of events, or None
    cdef uint64_t wall_read     # monotonic ms when the wall clock was last asked
    cdef uint64_t wall_ahead    # of the monotonic clock, ms
    cdef uint64_t armed_for     # monotonic ms of it; 2^64-1 = none
    cdef set open_connections
    cdef size_t max_frame       # bytes
    cdef size_t input_bytes     # of unfinished frames, over all connections
    cdef uint64_t made          # connections taken since the start
    cdef uint32_t gone          # connections lost since the heap was trimmed
    cdef uint32_t max_connections
    cdef readonly uint64_t refused
    cdef readonly uint64_t events_lost  # to clients that take too little
    cdef size_t write_high_water    # bytes
    cdef size_t write_limit         # bytes
    cdef double write_timeout       # seconds
    cdef bint auth_required
    cdef readonly object failure    # why nothing is acknowledged any more; None while all is well
    cdef public object on_failure   # told once, with that reason
    cdef size_t unsynced_limit  # bytes that the store may hold unwritten while requests are read
    cdef readonly bint choked   # it holds more
    cdef bint draining
    cdef int tick(self) except -1
    cdef uint64_t pending(self) except? 0
    cdef int unchoke(self) except -1
    cdef int after(self) except -1
    cdef int after_read(self) except -1
    cdef int finish(self, bint read) except -1
    cdef size_t gathers(self) noexcept
    cdef bint all_wait(self) noexcept
    cdef int write_records(self) except -1
    cdef int arm(self) except -1
    cdef bint must_keep(self) noexcept
    cdef int keep_records(self, bint wake) except -1
    cdef int connection_gone(self, Endpoint connection) except -1
