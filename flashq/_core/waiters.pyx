"""Pulls: answered at once from what is ready, or parked in their queues' lines until a job or their timeout."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.groups cimport line_first, queue_offers
from flashq._core.heap cimport heap_push, heap_remove
from flashq._core.job cimport IN_RETURNED, Job
from flashq._core.lifecycle cimport job_deliver
from flashq._core.lanes cimport lanes_first, waiter_wants, wanted_free, wanted_keep
from flashq._core.limits cimport queue_await_token, queue_room, queue_spent
from flashq._core.peers cimport peer_borrow, peer_replied
from flashq._core.prefetch cimport CACHE_LINE, prefetch_read, prefetch_write
from flashq._core.queue cimport deadline_lower
from flashq._core.ready cimport ready_first
from flashq._core.request cimport BIT_TIMEOUT, Format, has
from flashq._core.reservations cimport owner_of
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.state cimport NODE_WAITER, Owner, Standing
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


cdef uint32_t queue_yields(Core* core, Queue* queue, uint32_t count) noexcept nogil:
    if not queue_offers(queue):
        return 0
    return queue_room(core, queue, count)


cdef inline int reply_begin(Core* core, Giving* to, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                            const Wanted* wanted) noexcept nogil:
    to.peer = peer
    to.wanted = wanted
    to.shown = 0
    to.given = 0
    to.ended = False
    to.owner = owner_of(core, peer)
    if to.owner == NULL:
        return NO_MEMORY
    if count > 1:
        peer_borrow(core, peer)
    to.start = peer.out.size
    to.mark = wire_jobs_begin(peer.format, &peer.out, req_id, many)
    return OK


cdef inline void reply_fill(Core* core, Queue* queue, Giving* to, uint32_t count) noexcept nogil:
    cdef Peer* peer = to.peer
    cdef Owner* owner = to.owner
    cdef Job* job
    cdef uint32_t given = to.given
    cdef uint32_t end = given + count
    cdef uint64_t shown = to.shown
    cdef Format format = peer.format
    cdef size_t start = to.start
    while given < end:
        job = line_first(core, queue) if queue.first_lane == NULL else lanes_first(core, queue, to.wanted)
        if job == NULL:
            break
        if given and peer.out.size - start + job.data_size > core.limits.reply_size:
            to.ended = True
            break
        if job_deliver(core, job, owner) != OK:
            to.ended = True
            break
        if job.position > shown:
            shown = job.position
        prefetch_line(queue)
        wire_jobs_next(format, &peer.out, given)
        wire_job(core, format, &peer.out, job)
        given += 1
    queue_spent(queue, given - to.given)
    to.given, to.shown = given, shown


cdef inline int reply_end(Core* core, Giving* to, bint many) noexcept nogil:
    if to.given == 0:
        to.peer.out.size = to.start
        return NO_MEMORY if to.ended else 0
    wire_jobs_end(to.peer.format, &to.peer.out, to.mark, many, to.given)
    peer_replied(core, to.peer, to.shown)
    return <int>to.given


cdef int pull_now(Core* core, Queue* queue, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                  const Wanted* wanted) noexcept nogil:
    cdef Giving to
    if not queue_offers(queue):
        return 0
    count = queue_room(core, queue, count)
    if count == 0:
        return 0
    if reply_begin(core, &to, peer, req_id, count, many, wanted) != OK:
        return NO_MEMORY
    reply_fill(core, queue, &to, count)
    return reply_end(core, &to, many)


# The same for those who ask several queues: inline above, so that a pull of one queue pays for no further call.

cdef int giving_begin(Core* core, Giving* to, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                      const Wanted* wanted) noexcept nogil:
    return reply_begin(core, to, peer, req_id, count, many, wanted)


cdef void queue_give(Core* core, Queue* queue, Giving* to, uint32_t count) noexcept nogil:
    reply_fill(core, queue, to, count)


cdef int giving_end(Core* core, Giving* to, bint many) noexcept nogil:
    return reply_end(core, to, many)


# Lines

cdef void standing_join(Core* core, Queue* queue, Standing* standing) noexcept nogil:
    standing.queue = queue
    standing.next = NULL
    standing.prev = queue.last_waiter
    if queue.last_waiter != NULL:
        queue.last_waiter.next = standing
    else:
        queue.first_waiter = standing
    queue.last_waiter = standing
    queue.waiting_pulls += 1
    if queue_offers(queue):
        queue_await_token(core, queue)


cdef void standing_leave(Core* core, Standing* standing) noexcept nogil:
    cdef Queue* queue = standing.queue
    if standing.prev != NULL:
        standing.prev.next = standing.next
    else:
        queue.first_waiter = standing.next
    if standing.next != NULL:
        standing.next.prev = standing.prev
    else:
        queue.last_waiter = standing.prev
    queue.waiting_pulls -= 1
    queue.touched = core.mono


cdef void standings_free(Core* core, Waiter* waiter) noexcept nogil:
    """Those beyond the first, which stand in no line."""
    cdef Standing* standing
    while waiter.first.other != NULL:
        standing = waiter.first.other
        waiter.first.other = standing.other
        slab_give(&core.standings, standing)


cdef Waiter* waiter_new(Core* core, uint32_t queue_count) noexcept nogil:
    """With a standing for each queue, in no line yet; NULL without memory."""
    cdef Waiter* waiter = <Waiter*>slab_take(&core.waiters)
    cdef Standing* standing
    if waiter == NULL:
        return NULL
    memset(waiter, 0, sizeof(Waiter))
    waiter.timer.kind = NODE_WAITER
    waiter.first.waiter = waiter
    while queue_count > 1:
        queue_count -= 1
        standing = <Standing*>slab_take(&core.standings)
        if standing == NULL:
            standings_free(core, waiter)
            slab_give(&core.waiters, waiter)
            return NULL
        memset(standing, 0, sizeof(Standing))
        standing.waiter = waiter
        standing.other = waiter.first.other
        waiter.first.other = standing
    return waiter


cdef int waiter_park(Core* core, Queue** queues, uint32_t queue_count, Peer* peer, const Request* request, bint many,
                     const Wanted* wanted) noexcept nogil:
    cdef Waiter* waiter
    cdef Standing* standing
    cdef uint32_t i
    cdef uint64_t timeout = request.item.timeout if has(&request.item, BIT_TIMEOUT) else DEFAULT_TIMEOUT_MS
    cdef uint64_t when = core.mono + timeout
    if peer.waiter_count >= core.limits.parked:
        return TOO_MANY_PENDING
    waiter = waiter_new(core, queue_count)
    if waiter == NULL:
        return NO_MEMORY
    if (wanted != NULL and wanted_keep(core, wanted, waiter) != OK
            or heap_push(&core.timers, when, 0, &waiter.timer) != OK):
        wanted_free(core, waiter)
        standings_free(core, waiter)
        slab_give(&core.waiters, waiter)
        return NO_MEMORY
    deadline_lower(core, when)
    waiter.peer = peer
    waiter.count = <uint32_t>request.count if many else 1
    waiter.many = many
    waiter.req_id_size = request.req_id.size
    if request.req_id.ptr != NULL:
        memcpy(waiter.req_id, request.req_id.ptr, request.req_id.size)
    else:
        peer.blocked = waiter
    waiter.peer_next = peer.first_waiter
    if peer.first_waiter != NULL:
        peer.first_waiter.peer_prev = waiter
    peer.first_waiter = waiter
    peer.waiter_count += 1
    standing = &waiter.first
    for i in range(queue_count):
        standing_join(core, queues[i], standing)
        standing = standing.other
    return OK


cdef void waiter_free(Core* core, Waiter* waiter) noexcept nogil:
    cdef Standing* standing = &waiter.first
    cdef Peer* peer = waiter.peer
    if waiter.timer.pos:
        heap_remove(&core.timers, &waiter.timer)
    while standing != NULL:
        standing_leave(core, standing)
        standing = standing.other
    standings_free(core, waiter)
    wanted_free(core, waiter)
    if waiter.peer_prev != NULL:
        waiter.peer_prev.peer_next = waiter.peer_next
    else:
        peer.first_waiter = waiter.peer_next
    if waiter.peer_next != NULL:
        waiter.peer_next.peer_prev = waiter.peer_prev
    peer.waiter_count -= 1
    if peer.blocked == waiter:
        peer.blocked = NULL
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
    cdef Standing* standing = queue.first_waiter
    cdef Standing* following
    cdef Waiter* waiter
    cdef Slice req_id
    cdef int given
    while standing != NULL:
        waiter, following = standing.waiter, standing.next
        req_id = waiter_req_id(waiter)
        given = pull_now(core, queue, waiter.peer, &req_id, waiter.count, waiter.many, waiter_wants(waiter))
        if given > 0:
            waiter_free(core, waiter)
        elif given < 0 or queue.first_lane == NULL or queue_room(core, queue, 1) == 0:
            if queue_offers(queue):         # nothing ready, held back, or no memory: the next happening tries again
                queue_await_token(core, queue)
            return
        standing = following                # what one of them does not take may be for the next


cdef void waiters_serve(Core* core) noexcept nogil:
    cdef Queue* queue
    while core.serve != NULL:
        queue = core.serve
        core.serve = queue.serve_next
        queue.serve_next = NULL
        queue.serving = False
        serve_queue(core, queue)
