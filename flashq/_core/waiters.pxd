"""Parked pulls: they wait in order of arrival per queue, and are answered as soon as a job is ready."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.request cimport Request, Slice
from flashq._core.state cimport Core, Peer, Queue, Waiter
from libc.stdint cimport uint32_t, uint64_t

# Answer the pull from what is ready: the number of jobs delivered into the reply; 0 and nothing written when there
# is none. Negative: a Status, nothing delivered.
cdef int pull_now(Core* core, Queue* queue, Peer* peer, const Slice* req_id, uint32_t count, bint many) noexcept nogil
cdef int waiter_park(Core* core, Queue* queue, Peer* peer, const Request* request, bint many) noexcept nogil
cdef void waiter_answer_empty(Core* core, Waiter* waiter) noexcept nogil   # timeout, drain, client's EOF; frees it
cdef void waiters_drop(Core* core, Peer* peer) noexcept nogil      # the connection is lost: nobody to answer
cdef void waiters_release(Core* core, Peer* peer) noexcept nogil   # answer all of the peer's empty
cdef void waiters_serve(Core* core) noexcept nogil                 # queues that got ready jobs; ends each command
