"""The queues that a connection pulled from last: by the hashes of their names, so that a queue may go meanwhile."""
from libc.stdint cimport uint32_t

from flashq._core.state cimport Pulled


cdef void pulled_other(Core* core, Peer* peer, const Queue* queue) noexcept nogil:
    """To the front, at the cost of the one that was not pulled from for longest."""
    cdef uint32_t at = 0
    while at < PULLED_KEPT - 1 and peer.pulled[at].queue != queue.name.hash:
        at += 1
    while at:
        peer.pulled[at] = peer.pulled[at - 1]
        at -= 1
    peer.pulled[0] = Pulled(queue.name.hash, core.mono)


cdef void pulled_several(Core* core, Peer* peer, Queue** queues, uint32_t count) noexcept nogil:
    """The first ones, when there are more than are kept."""
    count = min(count, <uint32_t>PULLED_KEPT)
    while count:
        count -= 1
        pulled_note(core, peer, queues[count])
