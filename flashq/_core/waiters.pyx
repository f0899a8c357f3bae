"""Pulls: answered at once from what is ready, or parked in their queue's line until a job or their timeout."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.groups cimport line_first, queue_offers
from flashq._core.heap cimport heap_push, heap_remove
from flashq._core.job cimport IN_RETURNED, Job
from flashq._core.lifecycle cimport job_deliver
from flashq._core.limits cimport queue_await_token, queue_room, queue_spent
from flashq._core.peers cimport peer_borrow, peer_replied
from flashq._core.prefetch cimport CACHE_LINE, prefetch_read, prefetch_write
from flashq._core.queue cimport deadline_lower
from flashq._core.ready cimport ready_first
from flashq._core.request cimport BIT_TIMEOUT, Format, has
from flashq._core.reservations cimport owner_of
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.state cimport NODE_WAITER, Owner
from flashq._core.status cimport NO_MEMORY, OK, TOO_MANY_PENDING
from flashq._core.wire cimport wire_job, wire_jobs_begin, wire_jobs_end, wire_jobs_next, wire_no_job

cdef enum:
    DEFAULT_TIMEOUT_MS = 60000


cdef inline void prefetch_line(Queue* queue) noexcept nogil:
    """The job after the next one, and the payload of the next: cold memory while this one is written."""
    cdef Job* job = ready_first(&queue.ready)
    if job != NULL and job.where != IN_RETURNED:
        prefetch_read(job.data)
        prefetch_read(job.data + CACHE_LINE)
        prefetch_write(job.place.links.next)
        prefetch_write(<uint8_t*>job.place.links.next + CACHE_LINE)


cdef int pull_now(Core* core, Queue* queue, Peer* peer, const Slice* req_id, uint32_t count, bint many) noexcept nogil:
    cdef Owner* owner
    cdef Job* job = NULL
    cdef uint32_t given = 0
    cdef uint64_t shown = 0
    cdef Format format = peer.format
    cdef size_t start = peer.out.size
    cdef size_t mark
    if not queue_offers(queue):
        return 0
    count = queue_room(core, queue, count)
    if count == 0:
        return 0
    owner = owner_of(core, peer)
    if owner == NULL:
        return NO_MEMORY
    if count > 1:
        peer_borrow(core, peer)
    mark = wire_jobs_begin(format, &peer.out, req_id, many)
    while given < count:
        job = line_first(core, queue)
        if job == NULL or (given and peer.out.size - start + job.data_size > core.limits.reply_size):
            break
        if job_deliver(core, job, owner) != OK:
            break
        if job.position > shown:
            shown = job.position
        prefetch_line(queue)
        wire_jobs_next(format, &peer.out, given)
        wire_job(core, format, &peer.out, job)
        given += 1
    if given == 0:
        peer.out.size = start
        return 0 if job == NULL else NO_MEMORY
    queue_spent(queue, given)
    wire_jobs_end(format, &peer.out, mark, many, given)
    peer_replied(core, peer, shown)
    return <int>given


cdef int waiter_park(Core* core, Queue* queue, Peer* peer, const Request* request, bint many) noexcept nogil:
    cdef Waiter* waiter
    cdef uint64_t timeout = request.item.timeout if has(&request.item, BIT_TIMEOUT) else DEFAULT_TIMEOUT_MS
    cdef uint64_t when = core.mono + timeout
    if peer.waiter_count >= core.limits.parked:
        return TOO_MANY_PENDING
    waiter = <Waiter*>slab_take(&core.waiters)
    if waiter == NULL:
        return NO_MEMORY
    memset(waiter, 0, sizeof(Waiter))
    waiter.timer.kind = NODE_WAITER
    if heap_push(&core.timers, when, 0, &waiter.timer) != OK:
        slab_give(&core.waiters, waiter)
        return NO_MEMORY
    deadline_lower(core, when)
    waiter.queue = queue
    waiter.peer = peer
    waiter.count = <uint32_t>request.count if many else 1
    waiter.many = many
    waiter.req_id_size = request.req_id.size
    if request.req_id.ptr != NULL:
        memcpy(waiter.req_id, request.req_id.ptr, request.req_id.size)
    else:
        peer.blocked = waiter
    waiter.prev = queue.last_waiter
    if queue.last_waiter != NULL:
        queue.last_waiter.next = waiter
    else:
        queue.first_waiter = waiter
    queue.last_waiter = waiter
    waiter.peer_next = peer.first_waiter
    if peer.first_waiter != NULL:
        peer.first_waiter.peer_prev = waiter
    peer.first_waiter = waiter
    peer.waiter_count += 1
    if queue_offers(queue):
        queue_await_token(core, queue)
    return OK


cdef void waiter_free(Core* core, Waiter* waiter) noexcept nogil:
    cdef Queue* queue = waiter.queue
    cdef Peer* peer = waiter.peer
    if waiter.timer.pos:
        heap_remove(&core.timers, &waiter.timer)
    if waiter.prev != NULL:
        waiter.prev.next = waiter.next
    else:
        queue.first_waiter = waiter.next
    if waiter.next != NULL:
        waiter.next.prev = waiter.prev
    else:
        queue.last_waiter = waiter.prev
    if waiter.peer_prev != NULL:
        waiter.peer_prev.peer_next = waiter.peer_next
    else:
        peer.first_waiter = waiter.peer_next
    if waiter.peer_next != NULL:
        waiter.peer_next.peer_prev = waiter.peer_prev
    peer.waiter_count -= 1
    if peer.blocked == waiter:
        peer.blocked = NULL
    queue.touched = core.mono
    slab_give(&core.waiters, waiter)


cdef inline Slice waiter_req_id(Waiter* waiter) noexcept nogil:
    """Its reqId; ptr NULL without one."""
    cdef Slice req_id
    req_id.ptr = NULL if waiter.peer.blocked == waiter else waiter.req_id
    req_id.size = waiter.req_id_size
    req_id.flags = 0
    return req_id


cdef void waiter_answer_empty(Core* core, Waiter* waiter) noexcept nogil:
    cdef Slice req_id = waiter_req_id(waiter)
    wire_no_job(waiter.peer.format, &waiter.peer.out, &req_id, waiter.many)
    peer_replied(core, waiter.peer, core.committed)
    waiter_free(core, waiter)


cdef void waiters_drop(Core* core, Peer* peer) noexcept nogil:
    while peer.first_waiter != NULL:
        waiter_free(core, peer.first_waiter)


cdef void waiters_release(Core* core, Peer* peer) noexcept nogil:
    while peer.first_waiter != NULL:
        waiter_answer_empty(core, peer.first_waiter)


cdef void serve_queue(Core* core, Queue* queue) noexcept nogil:
    cdef Waiter* waiter
    cdef Slice req_id
    cdef int given
    while queue.first_waiter != NULL:
        waiter = queue.first_waiter
        req_id = waiter_req_id(waiter)
        given = pull_now(core, queue, waiter.peer, &req_id, waiter.count, waiter.many)
        if given <= 0:                      # nothing ready, held back, or no memory: the next happening tries again
            if queue_offers(queue):
                queue_await_token(core, queue)
            return
        waiter_free(core, waiter)


cdef void waiters_serve(Core* core) noexcept nogil:
    cdef Queue* queue
    while core.serve != NULL:
        queue = core.serve
        core.serve = queue.serve_next
        queue.serve_next = NULL
        queue.serving = False
        serve_queue(core, queue)
