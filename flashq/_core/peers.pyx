"""Reply gates: bytes of a connection leave in order, and none before the log is durable up to what they show."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memmove

from flashq._core.buffer cimport buffer_close, buffer_consume, buffer_shrink, buffer_swap
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.state cimport Gate

cdef enum:
    KEEP_BYTES = 64 * 1024      # an emptied buffer keeps so much room
    SPARE_BYTES = 1024 * 1024   # and the one all peers share at most so much


cdef void peer_replied(Core* core, Peer* peer, uint64_t position) noexcept nogil:
    peer_mark(core, peer)
    if position > core.committed:           # behind an open gate it waits all the same: bytes leave in order
        hold(core, peer, position, 0)


cdef void peer_replied_synced(Core* core, Peer* peer, uint64_t position) noexcept nogil:
    peer_mark(core, peer)
    if position > core.synced:
        core.hurry = True
        hold(core, peer, position, position)


cdef void hold(Core* core, Peer* peer, uint64_t position, uint64_t synced) noexcept nogil:
    """Put a gate behind all that was written so far."""
    cdef Gate* last
    cdef Gate* gates
    cdef uint32_t cap
    if peer.gate_count:
        last = &peer.gates[peer.gate_first + peer.gate_count - 1]
        if last.position >= position and last.synced >= synced:
            last.end = peer.out_start + peer.out.size
            return
    if peer.gate_first + peer.gate_count == peer.gate_cap:
        if peer.gate_first:
            memmove(peer.gates, peer.gates + peer.gate_first, peer.gate_count * sizeof(Gate))
            peer.gate_first = 0
        else:
            cap = 2 * peer.gate_cap + 8
            gates = <Gate*>raw_realloc(peer.gates, cap * sizeof(Gate))
            if gates == NULL:
                peer.out.failed = True      # a reply that cannot be held must not leave: the connection is closed
                return
            peer.gates = gates
            peer.gate_cap = cap
    if peer.gate_count == 0:
        peer.gated_prev = NULL
        peer.gated_next = core.gated
        if core.gated != NULL:
            core.gated.gated_prev = peer
        core.gated = peer
        core.gated_count += 1
    last = &peer.gates[peer.gate_first + peer.gate_count]
    last.position = position
    last.synced = synced
    last.end = peer.out_start + peer.out.size
    peer.gate_count += 1
    core.gates += 1


cdef inline bint is_open(const Core* core, const Gate* gate) noexcept nogil:
    return gate.position <= core.committed and gate.synced <= core.synced


cdef size_t peer_sendable(Core* core, Peer* peer) noexcept nogil:
    cdef uint64_t free_until = peer.out_start
    if peer.gate_count == 0:
        return peer.out.size
    while peer.gate_count and is_open(core, &peer.gates[peer.gate_first]):
        free_until = peer.gates[peer.gate_first].end
        peer.gate_first += 1
        peer.gate_count -= 1
        core.gates -= 1
    if peer.gate_count == 0:
        peer.gate_first = 0
        ungate(core, peer)
        return peer.out.size
    return <size_t>(free_until - peer.out_start)


cdef void ungate(Core* core, Peer* peer) noexcept nogil:
    if peer.gated_prev != NULL:
        peer.gated_prev.gated_next = peer.gated_next
    else:
        core.gated = peer.gated_next
    if peer.gated_next != NULL:
        peer.gated_next.gated_prev = peer.gated_prev
    peer.gated_next = NULL
    peer.gated_prev = NULL
    core.gated_count -= 1
    core.gates -= peer.gate_count


cdef void peer_sent(Core* core, Peer* peer, size_t size) noexcept nogil:
    peer.out_start += size
    buffer_consume(&peer.out, size)
    if peer.out.cap > KEEP_BYTES and peer.out.size == 0:
        if core.spare.cap < peer.out.cap <= SPARE_BYTES:
            buffer_swap(&core.spare, &peer.out)
        buffer_shrink(&peer.out, KEEP_BYTES)


cdef void peer_withdraw(Core* core, Peer* peer) noexcept nogil:
    if peer.gate_count:
        ungate(core, peer)
    peer.gate_first = peer.gate_count = 0
    peer_sent(core, peer, peer.out.size)


cdef void peer_borrow(Core* core, Peer* peer) noexcept nogil:
    if peer.out.size == 0 and core.spare.cap > peer.out.cap:
        buffer_swap(&core.spare, &peer.out)


cdef void peer_clean(Core* core, Peer* peer) noexcept nogil:
    if not peer.dirty:
        return
    peer.dirty = False
    if peer.dirty_prev != NULL:
        peer.dirty_prev.dirty_next = peer.dirty_next
    else:
        core.dirty = peer.dirty_next
    if peer.dirty_next != NULL:
        peer.dirty_next.dirty_prev = peer.dirty_prev
    peer.dirty_next = NULL
    peer.dirty_prev = NULL


cdef void peer_close(Core* core, Peer* peer) noexcept nogil:
    peer_clean(core, peer)
    if peer.gate_count:
        ungate(core, peer)
    buffer_close(&peer.out)
    raw_free(peer.gates)
    peer.gates = NULL
    peer.gate_count = peer.gate_cap = peer.gate_first = 0
