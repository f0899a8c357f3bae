"""Replies to changes: held until what they promise is so and, when that was asked for, with a receipt of it."""
from flashq._core.peers cimport peer_replied
from flashq._core.request cimport BIT_DURABILITY, BIT_RECEIPT, Request
from flashq._core.state cimport Core, Peer
from libc.stdint cimport uint64_t

cdef void replied_specially(Core* core, Peer* peer, const Request* request, size_t at, uint64_t position) noexcept nogil

cdef inline void replied(Core* core, Peer* peer, const Request* request, size_t at, uint64_t position) noexcept nogil:
    """As peer_replied, of a reply that stands at `at` in peer.out and may have been asked for more."""
    if request.item.seen & (<uint64_t>1 << BIT_RECEIPT | <uint64_t>1 << BIT_DURABILITY):
        replied_specially(core, peer, request, at, position)
    else:
        peer_replied(core, peer, position)
