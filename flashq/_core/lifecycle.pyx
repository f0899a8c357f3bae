"""The state machine of one job.

  waiting <-> delayed -> waiting -> active -> completed
                                    active -> waiting | delayed (failed with attempts left, worker lost) | failed

Steps that may not fail (a retry, a lost worker) never do: a job that finds no memory to stand in line waits in limbo.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport strlen

from flashq._core.edges cimport awaited_ended
from flashq._core.events cimport (
    EVENT_COMPLETED, EVENT_EXPIRED, EVENT_FAILED, EVENT_REMOVED, EVENT_RETRY, EVENT_STALLED, EVENT_TIMEOUT,
    EVENT_WORKER_LOST, event_failed, event_told, event_value,
)
from flashq._core.failing cimport failing_note, has_policy
from flashq._core.groups cimport group_release, has_group, line_enter, line_leave, line_take
from flashq._core.heap cimport heap_remove
from flashq._core.job cimport (
    ENDED_STALLED, ENDED_TIMEOUT, ENDED_WORKER_LOST, IN_BLOCKED, IN_DEAD, IN_DELAYED, IN_FIFO, IN_LIFO, IN_LIMBO,
    IN_OWNER, IN_RETURNED, JOB_REMOVE_ON_COMPLETE, JOB_REMOVE_ON_FAIL, JOB_RESULT_MSGPACK, OUTCOME_COMPLETED,
    OUTCOME_FAILED, OUTCOME_REMOVED, STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, STATE_WAITING,
    Delivery, Extra, job_is,
)
from flashq._core.latency cimport latency_add
from flashq._core.jobs cimport job_arm, job_extra, job_free, job_gone, job_set_message, job_shard, keep, saturated
from flashq._core.queue cimport (
    active_append, active_remove, deadline_lower, list_append, list_remove, queue_wants_service,
)
from flashq._core.records cimport (
    GONE_AWAITED, GONE_COUNTS, GONE_UNCOUNTS, record_death, record_done, record_gone, record_losses, record_state,
    record_taken,
)
from flashq._core.relations cimport unique_release
from flashq._core.request cimport MSGPACK
from flashq._core.retention cimport done_add, kept_end
from flashq._core.retry cimport retry_wait
from flashq._core.shardmap cimport SHARD_BITS, id_remove
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.state cimport Queue
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    MAX_DOUBLINGS = 10          # backoff × 2^min(attempts, 10)

cdef const char* TIMED_OUT = "Job timed out"
cdef const char* STALLED = "Job stalled"
cdef const char* WORKER_LOST = "Worker lost"


cdef int job_deliver(Core* core, Job* job, Owner* owner) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    cdef Delivery* delivery = <Delivery*>slab_take(&core.deliveries)
    cdef Extra* extra = job.extra
    if delivery == NULL:
        return NO_MEMORY
    core.deliveries_made += 1
    delivery.token = core.epoch << 32 | (core.deliveries_made & 0xFFFFFFFFULL)
    delivery.started_at = core.now
    delivery.last_heartbeat = core.now
    delivery.lease_until = 0
    delivery.deadline = 0
    delivery.position = 0
    delivery.owner = owner
    job.delivery = delivery
    if extra != NULL:
        if extra.timeout:
            delivery.deadline = saturated(core.mono, extra.timeout) + 1
        if extra.stall_timeout:
            delivery.lease_until = saturated(core.mono, extra.stall_timeout)
    job.state = STATE_ACTIVE
    if (extra != NULL or job.timer.pos) and job_arm(core, job) != OK:
        job.delivery = NULL                 # it stands where it stood, without a timer as before
        job.state = STATE_WAITING
        slab_give(&core.deliveries, delivery)
        return NO_MEMORY
    latency_add(&queue.wait, core.mono, job.run_at + job.deadline, core.now)
    line_take(core, queue, job)
    active_append(&queue.active, job)
    list_append(&owner.jobs, job, IN_OWNER)
    record_taken(core, job)
    return OK


cdef void job_place(Core* core, Job* job) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    cdef int status
    if job.extra != NULL and job.extra.ttl_deadline and job.extra.ttl_deadline <= core.mono:
        core.expired += 1                   # it outlived its time with a worker: a parked pull must not get it
        job_remove(core, job, EVENT_EXPIRED)
        return
    job.generation = queue.generation
    status = job_arm(core, job)
    if status == OK and job.state == STATE_DELAYED:
        list_append(&queue.delayed, job, IN_DELAYED)
    elif status == OK:
        status = line_enter(core, queue, job)
        if status == OK and queue.first_waiter != NULL:
            queue_wants_service(core, queue)
    if status != OK:
        list_append(&core.limbo, job, IN_LIMBO)
        deadline_lower(core, core.mono + LIMBO_RETRY_MS)


cdef void limbo_retry(Core* core) noexcept nogil:
    """Try again, once each, to place the jobs that found no memory."""
    cdef uint64_t left = core.limbo.count
    cdef Job* job
    while left > 0:
        left -= 1
        job = core.limbo.first
        if job_gone(job):
            job_remove(core, job, EVENT_REMOVED)
            continue
        list_remove(&core.limbo, job)
        job_place(core, job)


cdef void job_detach(Core* core, Job* job) noexcept nogil:
    """Take the job out of whatever it stands in, and out of its state's counts."""
    cdef Queue* queue = <Queue*>job.queue
    if job.timer.pos:
        heap_remove(&job_shard(core, job).timers, &job.timer)
    if job.where == IN_OWNER:
        list_remove(&(<Owner*>job.delivery.owner).jobs, job)
    elif job.where == IN_FIFO or job.where == IN_LIFO or job.where == IN_RETURNED:
        line_leave(core, queue, job)
    elif job.where == IN_DEAD:
        list_remove(&queue.dead, job)
    elif job.where == IN_DELAYED:
        list_remove(&queue.delayed, job)
    elif job.where == IN_BLOCKED:
        list_remove(&queue.blocked, job)
    elif job.where == IN_LIMBO:
        list_remove(&core.limbo, job)
    if job.state == STATE_ACTIVE:
        active_remove(&queue.active, job)
        if has_group(job):
            group_release(core, job)
        if queue.first_waiter != NULL:
            queue_wants_service(core, queue)    # a slot may have come free


cdef void drop_delivery(Core* core, Job* job) noexcept nogil:
    if job.delivery != NULL:
        slab_give(&core.deliveries, job.delivery)
        job.delivery = NULL


cdef int keep_result(Core* core, Job* job, const Slice* result, Format format) noexcept nogil:
    cdef Extra* extra = job_extra(core, job)
    if extra == NULL:
        return NO_MEMORY
    extra.result = keep(core, result, &extra.result_size)
    if extra.result == NULL:
        return NO_MEMORY
    if format == MSGPACK:
        job.flags |= JOB_RESULT_MSGPACK
    return OK


cdef int job_complete(Core* core, Job* job, const Slice* result, Format format) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    if result != NULL and result.size and not job_is(job, JOB_REMOVE_ON_COMPLETE):
        if keep_result(core, job, result, format) != OK:
            return NO_MEMORY
    job_detach(core, job)
    latency_add(&queue.processing, core.mono, job.delivery.started_at, core.now)
    queue.completed += 1
    core.completed += 1
    if job.extra != NULL:
        unique_release(core, job)
    if core.awaited_count:
        awaited_ended(core, job.id, OUTCOME_COMPLETED, job_is(job, JOB_REMOVE_ON_COMPLETE))
    if core.listening:
        event_value(core, job, EVENT_COMPLETED, core.position + 1, result, format)
    if job_is(job, JOB_REMOVE_ON_COMPLETE):
        job.state = STATE_COMPLETED
        job_erase(core, job, OUTCOME_COMPLETED | GONE_COUNTS)
        return OK
    job.state = STATE_COMPLETED
    job.deadline = core.now
    job.delivery.owner = NULL
    record_done(core, job)
    done_add(core, job)
    return OK


cdef inline uint64_t wait_of(Core* core, const Job* job, const FailOrder* order) noexcept nogil:
    """ms before the job may run again: what FAIL says, else the retry policy, else the wire's backoff."""
    cdef uint64_t doublings
    if order != NULL and order.timed:
        return order.after
    if order != NULL and order.release:
        return 0
    if has_policy(job):
        return retry_wait(core, &job.extra.failing.policy, job.attempts)
    doublings = job.attempts if job.attempts < MAX_DOUBLINGS else MAX_DOUBLINGS
    return <uint64_t>job.backoff << doublings


cdef void retry_in(Core* core, Job* job, uint64_t delay) noexcept nogil:
    """After an attempt that ended: waiting at its old place, or delayed."""
    job_waits(core, job)
    if delay:
        job.state = STATE_DELAYED
        job.run_at = saturated(core.now, delay)
        job.deadline = saturated(core.mono, delay)


cdef void job_bury(Core* core, Job* job, Ending reason, const char* text) noexcept nogil:
    """Into the dead letters; the job is detached. NULL leaves its message as it is."""
    if text != NULL:
        job_set_message(core, job, <const uint8_t*>text, <uint32_t>strlen(text))
    bury(core, job, reason, text != NULL)


cdef void bury(Core* core, Job* job, Ending reason, bint why) noexcept nogil:
    """As job_bury; `why`: whether the job's message says why."""
    cdef Queue* queue = <Queue*>job.queue
    cdef bint erased = job_is(job, JOB_REMOVE_ON_FAIL)
    cdef bint awaited = core.awaited_count != 0 and awaited_ended(core, job.id, OUTCOME_FAILED, erased)
    unique_release(core, job)
    queue.failed += 1
    core.failed += 1
    job.state = STATE_FAILED
    job.reason = <uint8_t>reason
    job.deadline = core.now
    if core.listening:
        event_failed(core, job, EVENT_FAILED, core.position + 1, why)
    if erased:
        job_erase(core, job, OUTCOME_FAILED | GONE_COUNTS | <int>awaited * GONE_AWAITED)
        return
    list_append(&queue.dead, job, IN_DEAD)
    record_death(core, job)


cdef void job_end_delivery(Core* core, Job* job) noexcept nogil:
    """Out of the active jobs; the side struct keeps what users still see of the delivery."""
    cdef uint64_t last_heartbeat = job.delivery.last_heartbeat
    cdef Extra* extra = job_extra(core, job)
    job_detach(core, job)
    drop_delivery(core, job)
    if extra != NULL:
        extra.last_heartbeat = last_heartbeat


cdef void job_fail(Core* core, Job* job, Ending ending, const Slice* error, const FailOrder* order) noexcept nogil:
    cdef bint charged = order == NULL or not order.release
    cdef bint why = error != NULL and error.size != 0
    if charged:
        failing_note(core, job, ending, error)
        job.attempts += 1
    job_end_delivery(core, job)
    if why:
        job_set_message(core, job, error.ptr, error.size)
    if charged and ((order != NULL and order.dead) or (job.max_attempts and job.attempts >= job.max_attempts)):
        bury(core, job, ending, why)
        return
    retry_in(core, job, wait_of(core, job, order))
    record_state(core, job)
    if core.listening:
        event_failed(core, job, EVENT_RETRY, core.position, why)
    job_place(core, job)


cdef inline Slice spelled(const char* text) noexcept nogil:
    return Slice(<const uint8_t*>text, <uint32_t>strlen(text), 0)


cdef void job_lose(Core* core, Job* job) noexcept nogil:
    """Of the losses that count, missed heartbeats of a worker that is still connected can be made good."""
    cdef bint stalled = job.delivery.lease_until != 0
    cdef bint connected = (<Owner*>job.delivery.owner).peer != NULL
    cdef Ending ending = ENDED_STALLED if stalled else ENDED_WORKER_LOST
    cdef const char* text = STALLED if stalled else WORKER_LOST
    cdef Slice error = spelled(text)
    cdef uint32_t losses = 1
    failing_note(core, job, ending, &error)
    job_end_delivery(core, job)
    core.lost += 1
    if job.extra != NULL:
        job.extra.stall_count += 1
        job.extra.losses += 1
        if connected:
            job.extra.missed += 1
        losses = job.extra.losses
        record_losses(core, job)
    if core.listening:
        event_told(core, job, EVENT_STALLED if stalled else EVENT_WORKER_LOST, core.position + 1)
    if losses >= core.limits.lost_workers:
        job_bury(core, job, ending, text)
        return
    job_waits(core, job)
    record_state(core, job)
    job_place(core, job)


cdef void job_erase(Core* core, Job* job, int how) noexcept nogil:
    """The detached job's id and memory go; from now on it is unknown."""
    record_gone(core, job.id, <uint8_t>how)
    id_remove(&job_shard(core, job).ids, job.id >> SHARD_BITS)
    job_free(core, job)


cdef inline void remove_as(Core* core, Job* job, EventType why, int how) noexcept nogil:
    job_detach(core, job)
    if core.listening:
        event_told(core, job, why, core.position + 1)
    if core.awaited_count and awaited_ended(core, job.id, OUTCOME_REMOVED, True):
        how |= GONE_AWAITED
    job_erase(core, job, how)


cdef void job_remove(Core* core, Job* job, EventType why) noexcept nogil:
    remove_as(core, job, why, OUTCOME_REMOVED)


cdef void job_take_back(Core* core, Job* job) noexcept nogil:
    (<Queue*>job.queue).pushed -= 1
    core.pushed -= 1
    remove_as(core, job, EVENT_REMOVED, OUTCOME_REMOVED | GONE_UNCOUNTS)


cdef void job_lease(Core* core, Job* job) noexcept nogil:
    list_remove(&(<Owner*>job.delivery.owner).jobs, job)
    job.delivery.owner = &core.leased
    list_append(&core.leased.jobs, job, IN_OWNER)


cdef void job_beat(Core* core, Job* job) noexcept nogil:
    cdef Delivery* delivery = job.delivery
    cdef Owner* owner = <Owner*>delivery.owner
    delivery.last_heartbeat = core.now
    if job.extra != NULL and job.extra.stall_timeout:
        delivery.lease_until = saturated(core.mono, job.extra.stall_timeout)
    elif owner.peer == NULL and owner.session.node.name == NULL:
        # Its connection is gone: from here on each sign of life buys the job a lease of its own.
        delivery.lease_until = core.mono + core.limits.default_lease
    else:
        return
    if job_arm(core, job) != OK:
        delivery.lease_until = 0            # no timer to be had: the owner's own deadline still watches over it
    elif owner.peer == NULL and owner != &core.leased:
        job_lease(core, job)


cdef void job_due(Core* core, Job* job) noexcept nogil:
    cdef Delivery* delivery = job.delivery
    cdef Slice error
    if job_gone(job):
        heap_remove(&job_shard(core, job).timers, &job.timer)   # its grave frees it
    elif job.state == STATE_ACTIVE:
        if delivery.deadline and delivery.deadline <= core.mono:
            core.timed_out += 1
            if core.listening:
                event_told(core, job, EVENT_TIMEOUT, core.position + 1)
            error = spelled(TIMED_OUT)
            job_fail(core, job, ENDED_TIMEOUT, &error, NULL)
        elif delivery.lease_until and delivery.lease_until <= core.mono:
            job_lose(core, job)
        else:
            job_arm(core, job)              # was in the heap: a move, which cannot fail
    elif job.state == STATE_COMPLETED:
        kept_end(core, job)
    elif job.extra != NULL and job.extra.ttl_deadline and job.extra.ttl_deadline <= core.mono:
        core.expired += 1
        job_remove(core, job, EVENT_EXPIRED)
    elif job.state == STATE_DELAYED and job.deadline <= core.mono:
        list_remove(&(<Queue*>job.queue).delayed, job)
        job.state = STATE_WAITING
        job.deadline = 0
        job_place(core, job)                # no record: waiting and delayed differ by the clock alone
    else:
        job_arm(core, job)
