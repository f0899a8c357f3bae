"""Parked pulls: they wait in order of arrival per queue, and are answered as soon as a job is ready.

One that names several queues stands in the line of each, and leaves all of them when one of them has a job for it.
"""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.request cimport Request, Slice
from flashq._core.state cimport Core, Owner, Peer, Queue, Waiter, Wanted
from libc.stdint cimport uint32_t, uint64_t

cdef struct Giving:             # a pull's reply while jobs are delivered into it
    Peer* peer                  # borrowed
    Owner* owner                # borrowed
    size_t start                # of the reply in peer.out
    size_t mark                 # see wire_jobs_begin
    uint64_t shown              # position that the reply shows
    const Wanted* wanted        # borrowed: names that it takes; NULL: all
    uint32_t given              # jobs so far
    bint ended                  # no further one: the reply is long, or there is no memory

# Jobs, `count` at most, that the queue's limits let go now: 0 also when none is ready, else perhaps more than are.
# Whether others wait there is not its business.
cdef uint32_t queue_yields(Core* core, Queue* queue, uint32_t count) noexcept nogil
# A reply with the jobs of one or several queues: begin, which is OK or NO_MEMORY; from each queue as many as it yields,
# until the reply ends; end, which returns how many were delivered: for 0 and NO_MEMORY nothing is written.
cdef int giving_begin(Core* core, Giving* to, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                      const Wanted* wanted) noexcept nogil
cdef void queue_give(Core* core, Queue* queue, Giving* to, uint32_t count) noexcept nogil
cdef int giving_end(Core* core, Giving* to, bint many) noexcept nogil

# Answer the pull from what is ready: the number of jobs delivered into the reply; 0 and nothing written when there
# is none. Negative: a Status, nothing delivered.
cdef int pull_now(Core* core, Queue* queue, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                  const Wanted* wanted) noexcept nogil
# In the lines of these queues; OK, or TOO_MANY_PENDING or NO_MEMORY and it waits nowhere.
cdef int waiter_park(Core* core, Queue** queues, uint32_t queue_count, Peer* peer, const Request* request, bint many,
                     const Wanted* wanted) noexcept nogil
cdef void waiter_answer_empty(Core* core, Waiter* waiter) noexcept nogil   # timeout, drain, client's EOF; frees it
cdef void waiters_drop(Core* core, Peer* peer) noexcept nogil      # the connection is lost: nobody to answer
cdef void waiters_release(Core* core, Peer* peer) noexcept nogil   # answer all of the peer's empty
cdef void waiters_serve(Core* core) noexcept nogil                 # queues that got ready jobs; ends each command
