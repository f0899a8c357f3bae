"""The hot commands: a scanned request in, its reply in the peer's buffer. No Python object is made on the way."""
from flashq._core.request cimport MAX_BATCH, Failure, Request
from flashq._core.state cimport Core, Peer
from libc.stdint cimport uint32_t, uint64_t

# PARTLY: a PUSHB of which some items were refused; `outcome` says which, and the caller replies.
cdef struct Outcome:            # of the last PUSHB
    uint64_t[MAX_BATCH] ids
    Failure[MAX_BATCH] failures
    uint32_t made
    uint32_t refused
    uint64_t shown              # position that the reply shows

cdef Outcome outcome            # one at a time: the engine runs on one thread

# OK: answered or parked. Else a Status with request.problem_* set, and nothing was changed.
cdef int hot_execute(Core* core, Peer* peer, Request* request) noexcept nogil
