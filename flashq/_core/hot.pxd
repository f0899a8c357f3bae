"""The hot commands: a scanned request in, its reply in the peer's buffer. No Python object is made on the way."""
from flashq._core.request cimport Request
from flashq._core.state cimport Core, Peer

# OK: answered or parked. Else a Status with request.problem_* set, and nothing was changed.
cdef int hot_execute(Core* core, Peer* peer, Request* request) noexcept nogil
