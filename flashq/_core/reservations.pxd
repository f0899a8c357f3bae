"""Who keeps active jobs alive: a live connection, a named session for its grace time, or a lease."""
from flashq._core.state cimport Core, Owner, Peer
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    MAX_SESSION = 256           # bytes of a session's name

cdef Owner* owner_of(Core* core, Peer* peer) noexcept nogil        # the peer's, made on first use; NULL: no memory
# The peer says HELLO {session}: it takes over the session's jobs, if there are any. OK or NO_MEMORY.
cdef int session_open(Core* core, Peer* peer, const uint8_t* name, uint32_t size) noexcept nogil
# The owner of that session's name, made without a connection when there is none; NULL: no memory. For recovery.
cdef Owner* session_restore(Core* core, const uint8_t* name, uint32_t size) noexcept nogil
cdef void owner_await(Core* core, Owner* owner) noexcept nogil     # nobody is connected: its time begins
cdef void owner_disconnected(Core* core, Peer* peer) noexcept nogil
# The owner's time is up, or it empties: a step of at most `budget` jobs; the budget left.
cdef uint32_t owner_due(Core* core, Owner* owner, uint32_t budget) noexcept nogil
cdef void owner_free(Core* core, Owner* owner) noexcept nogil
