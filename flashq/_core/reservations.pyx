"""Owners of reservations.

A connected owner needs no deadline: its connection is the sign of life. When it goes, the owner stays behind with
one deadline for all its jobs (grace with a session, else the default lease), so that a disconnect costs the same for
one job or a million. A job whose worker shows life meanwhile leaves for `Core.leased`, with a timer of its own
(lifecycle.job_beat).
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.heap cimport heap_move, heap_push, heap_remove
from flashq._core.job cimport Job
from flashq._core.lifecycle cimport job_lease, job_lose
from flashq._core.jobs cimport job_gone
from flashq._core.namemap cimport name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport deadline_lower, list_remove
from flashq._core.records cimport record_frame_end, record_state
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport NEVER, NODE_OWNER, Session
from flashq._core.status cimport NO_MEMORY, OK


cdef Owner* owner_of(Core* core, Peer* peer) noexcept nogil:
    if peer.owner == NULL:
        peer.owner = owner_make(core)
        if peer.owner != NULL:
            peer.owner.peer = peer
    return peer.owner


cdef Owner* owner_make(Core* core) noexcept nogil:
    cdef Owner* owner = <Owner*>slab_take(&core.owners)
    if owner == NULL:
        return NULL
    memset(owner, 0, sizeof(Owner))
    # Room in the heap now, so that a disconnect cannot fail for want of it.
    owner.timer.kind = NODE_OWNER
    if heap_push(&core.timers, <uint64_t>NEVER, 0, &owner.timer) != OK:
        slab_give(&core.owners, owner)
        return NULL
    owner.next = core.first_owner
    if core.first_owner != NULL:
        core.first_owner.prev = owner
    core.first_owner = owner
    return owner


cdef int session_open(Core* core, Peer* peer, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef Owner* owner = find_session(core, name, size)
    if owner != NULL and owner == peer.owner:
        return OK
    if owner == NULL and (peer.owner == NULL or peer.owner.session.node.name == NULL):
        return session_name(core, peer, name, size)     # what it holds already is the session's from now on
    owner_disconnected(core, peer)          # what this connection held before stays with its old owner
    if owner == NULL:
        return session_name(core, peer, name, size)
    if owner.peer != NULL:
        owner.peer.owner = NULL             # an older connection of the same session: the newest speaks for it
    owner.peer = peer
    peer.owner = owner
    heap_move(&core.timers, &owner.timer, <uint64_t>NEVER, 0)
    return OK


cdef int session_name(Core* core, Peer* peer, const uint8_t* name, uint32_t size) noexcept nogil:
    """Give the peer's owner, made if need be, the name of a new session."""
    cdef Owner* owner = owner_of(core, peer)
    cdef Job* job
    if owner == NULL or owner_name(core, owner, name, size) != OK:
        return NO_MEMORY
    job = owner.jobs.first
    while job != NULL:
        record_state(core, job)             # whose it is now, also after a restart
        job = job.place.links.next
    return OK


cdef int owner_name(Core* core, Owner* owner, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint8_t* text = blob_take(&core.blobs, size)
    if text == NULL:
        return NO_MEMORY
    memcpy(text, name, size)
    owner.session.owner = owner
    owner.session.node.name = text
    owner.session.node.size = size
    owner.session.node.hash = name_hash(text, size)
    if name_add(&core.sessions, &owner.session.node) != OK:
        owner.session.node.name = NULL
        blob_give(&core.blobs, text, size)
        return NO_MEMORY
    owner.session_text = text
    return OK


cdef Owner* session_restore(Core* core, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef Owner* owner = find_session(core, name, size)
    if owner != NULL:
        return owner
    owner = owner_make(core)
    if owner != NULL and owner_name(core, owner, name, size) != OK:
        owner_free(core, owner)
        return NULL
    return owner


cdef void owner_await(Core* core, Owner* owner) noexcept nogil:
    cdef uint64_t when = core.mono + (
        core.limits.grace if owner.session.node.name != NULL else core.limits.default_lease)
    heap_move(&core.timers, &owner.timer, when, 0)
    deadline_lower(core, when)


cdef Owner* find_session(Core* core, const uint8_t* name, uint32_t size) noexcept nogil:
    """The owner of this session's name, or NULL."""
    cdef Session* session = <Session*>name_find(&core.sessions, name_hash(name, size), name, size)
    return NULL if session == NULL else session.owner


cdef void owner_disconnected(Core* core, Peer* peer) noexcept nogil:
    cdef Owner* owner = peer.owner
    if owner == NULL:
        return
    peer.owner = NULL
    owner.peer = NULL
    if owner.jobs.count == 0:
        owner_free(core, owner)
        return
    owner_await(core, owner)


cdef uint32_t owner_due(Core* core, Owner* owner, uint32_t budget) noexcept nogil:
    cdef Job* job
    while budget > 0 and owner.jobs.first != NULL:
        budget -= 1
        job = owner.jobs.first
        if job_gone(job):
            list_remove(&owner.jobs, job)   # its grave frees it
            continue
        if owner.session.node.name == NULL and job.delivery.lease_until > core.mono:
            job_lease(core, job)            # its stall_timeout, longer than the common lease, goes on
            continue
        job.delivery.lease_until = 0        # lost with its connection, not by a missed heartbeat
        job_lose(core, job)
        record_frame_end(core)
    if owner.jobs.first == NULL:
        owner_free(core, owner)
        return budget
    return 0


cdef void owner_free(Core* core, Owner* owner) noexcept nogil:
    if owner.timer.pos:
        heap_remove(&core.timers, &owner.timer)
    if owner.prev != NULL:
        owner.prev.next = owner.next
    else:
        core.first_owner = owner.next
    if owner.next != NULL:
        owner.next.prev = owner.prev
    if owner.session.node.name != NULL:
        name_remove(&core.sessions, &owner.session.node)
        blob_give(&core.blobs, owner.session_text, owner.session.node.size)
    slab_give(&core.owners, owner)
