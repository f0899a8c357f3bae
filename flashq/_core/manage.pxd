"""Commands on one job beside its life with a worker: cancel, priority, promote, delay, new data, discard, log."""
from flashq._core.request cimport Request
from flashq._core.state cimport Core, Peer

# As hot_execute: OK and answered, or a Status with request.problem_number set and nothing changed.
cdef int manage_execute(Core* core, Peer* peer, Request* request) noexcept nogil
