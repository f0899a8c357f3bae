"""A client's replies: written in order, held back until what they show is durable, sent once per event."""
from flashq._core.request cimport Slice
from flashq._core.state cimport Core, Peer
from libc.stdint cimport uint8_t, uint64_t

# A reply was just written to peer.out that shows the log up to `position`: hold it if need be, mark the peer dirty.
cdef void peer_replied(Core* core, Peer* peer, uint64_t position) noexcept nogil
# The same of a reply that asked to be on disk, whatever the server promises.
cdef void peer_replied_synced(Core* core, Peer* peer, uint64_t position) noexcept nogil
cdef size_t peer_sendable(Core* core, Peer* peer) noexcept nogil   # bytes at the front of peer.out that may leave now
cdef void peer_sent(Core* core, Peer* peer, size_t size) noexcept nogil
# A long reply is about to be written: into the room that the last one left behind, whosever it was, and which the
# caches still hold. It goes back with peer_sent.
cdef void peer_borrow(Core* core, Peer* peer) noexcept nogil
cdef void peer_withdraw(Core* core, Peer* peer) noexcept nogil     # what was not sent is dropped, with its gates
cdef void peer_clean(Core* core, Peer* peer) noexcept nogil        # off the dirty list
cdef void peer_close(Core* core, Peer* peer) noexcept nogil        # frees the buffers; the rest is gone already

cdef inline void peer_mark(Core* core, Peer* peer) noexcept nogil:
    if not peer.dirty:
        peer.dirty = True
        peer.dirty_prev = NULL
        peer.dirty_next = core.dirty
        if core.dirty != NULL:
            core.dirty.dirty_prev = peer
        core.dirty = peer
