"""Jobs with names, and the pulls that ask for some names only.

The waiting jobs of a queue with one name and version stand in a lane of their own, beside those without a name. A pull
takes the first of all heads that it may have.
"""
from flashq._core.job cimport Job, Relations
from flashq._core.ready cimport Ready
from flashq._core.request cimport Request
from flashq._core.state cimport Core, Lane, Queue, Waiter, Wanted
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    MAX_LANES = 256             # of a queue: a push that would open one more is refused
    MAX_NAMES = 100             # of a pull; as in flashq/commands/jobs.py, likewise below
    MAX_NAME = 256              # bytes

cdef bint lanes_full(const Queue* queue, const Relations* relations) noexcept nogil    # no room for a job of that name
cdef Lane* lane_open(Core* core, Queue* queue, Relations* relations) noexcept nogil    # or made; NULL: no memory
cdef void lane_settle(Core* core, Queue* queue, Lane* lane) noexcept nogil             # given back when it is empty
cdef int lane_enter(Core* core, Queue* queue, Job* job) noexcept nogil     # of no group; OK or NO_MEMORY
cdef void lane_leave(Core* core, Queue* queue, Job* job) noexcept nogil
cdef Job* lanes_first(Core* core, Queue* queue, const Wanted* wanted) noexcept nogil   # of a queue that has lanes
cdef Job* lane_bury(Core* core, Lane** first) noexcept nogil               # a job out of lanes that are gone, or NULL
cdef void lanes_close(Lane* first) noexcept nogil      # their lines; the lanes go with the engine's pages

# What the request asks for: `out` NULL for all, else valid until the next request. OK or BAD_TYPE with problem_*.
cdef int wanted_read(Core* core, Request* request, const Wanted** out) noexcept nogil
cdef int wanted_keep(Core* core, const Wanted* wanted, Waiter* waiter) noexcept nogil  # OK or NO_MEMORY
cdef void wanted_free(Core* core, Waiter* waiter) noexcept nogil
cdef bint wanted_takes(const Wanted* wanted, const Relations* relations) noexcept nogil

cdef inline const Wanted* waiter_wants(const Waiter* waiter) noexcept nogil:
    """NULL: all."""
    return &waiter.wanted if waiter.choosy else NULL

cdef inline Ready* turns_at(Queue* queue, const Job* job) noexcept nogil:
    """Where the shown job of a group stands."""
    return &queue.turns if job.extra.relations.lane == NULL else &(<Lane*>job.extra.relations.lane).turns
