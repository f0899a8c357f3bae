"""The queues that a connection pulled from last, and when: they tell workers apart from other clients."""
from flashq._core.state cimport PULLED_KEPT, Core, Peer, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    LATELY_MS = 30000           # who pulled within this is a worker, whatever it does now

cdef void pulled_other(Core* core, Peer* peer, const Queue* queue) noexcept nogil   # not the one of the last pull
cdef void pulled_several(Core* core, Peer* peer, Queue** queues, uint32_t count) noexcept nogil

cdef inline void pulled_note(Core* core, Peer* peer, const Queue* queue) noexcept nogil:
    """One command more that pulls from it."""
    if peer.pulled[0].queue == queue.name.hash:
        peer.pulled[0].at = core.mono
    else:
        pulled_other(core, peer, queue)
