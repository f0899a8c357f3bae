"""Pulls from several queues: which they name, and from which of them the next job comes."""
from flashq._core.request cimport BIT_NAMES, BIT_QUEUES, BIT_VERSIONS, BIT_WEIGHTS, Request, Slice
from flashq._core.state cimport Core, Peer, Queue, Wanted
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    MAX_QUEUES = 100            # as in flashq/commands/jobs.py, likewise below
    MAX_WEIGHT = 1000

cdef struct Several:            # the queues of a pull, in its order
    Queue* queues[MAX_QUEUES]   # borrowed
    uint64_t[MAX_QUEUES] weights
    uint32_t count
    bint weighted               # chance chooses, by the weights; else they are asked in order

cdef Several several            # of the request at hand: the engine runs on one thread

cdef inline bint several_asked(const Request* request) noexcept nogil:
    """Whether it names several queues."""
    return request.item.seen & (<uint64_t>1 << BIT_QUEUES | <uint64_t>1 << BIT_WEIGHTS) != 0

cdef inline bint choosy(const Request* request) noexcept nogil:
    """Whether the pull asks for more than the next job of a queue: one test for all pulls."""
    return request.item.seen & (<uint64_t>1 << BIT_QUEUES | <uint64_t>1 << BIT_WEIGHTS
                                | <uint64_t>1 << BIT_NAMES | <uint64_t>1 << BIT_VERSIONS) != 0

# The queues that the request names, created if need be. OK, or a Status with request.problem_*.
cdef int several_open(Core* core, Request* request, Several* out) noexcept nogil
# Answer the pull from the queues where nobody waits in front: what pull_now returns.
cdef int several_now(Core* core, Several* of, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                     const Wanted* wanted) noexcept nogil
