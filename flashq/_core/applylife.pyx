"""The life of jobs out of its records. A record is read whole and judged before anything changes."""
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from flashq._core.failing cimport attempt_append, failing_of
from flashq._core.job cimport (
    ENDED_WELL, IN_DONE, IN_KEPT, JOB_RESULT_MSGPACK, LOG_LEVEL, OUTCOME_COMPLETED, STATE_ACTIVE, STATE_COMPLETED,
    STATE_WAITING_CHILDREN, Attempt, Delivery, Extra, Failing, Job,
)
from flashq._core.jobs cimport job_extra, job_free, log_append
from flashq._core.recordfields cimport Cursor, Text, get8, get16, get32, get64, get_bytes, get_text
from flashq._core.records cimport (
    DONE_NUMBERED, FLAG_COUNTS, FLAG_KEY_HELD, GONE_COUNTS, GONE_OUTCOME, GONE_UNCOUNTS,
)
from flashq._core.recovery cimport (
    DAMAGED, KEY_HELD, STORED_FLAGS, Recovery, blob_set, counts, damaged, done_note, found, raw_find, sequence_seen,
    shard_of,
)
from flashq._core.request cimport Slice
from flashq._core.reservations cimport session_restore
from flashq._core.shardmap cimport SHARD_BITS, id_put, id_remove
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.state cimport COMPLETED, Core, Owner, Queue
from flashq._core.status cimport NO_MEMORY, OK


cdef int delivery_set(Recovery* r, Job* job, uint64_t token, uint64_t started_at, const Text* session) noexcept nogil:
    cdef Delivery* delivery = job.delivery
    cdef Owner* owner = &r.core.leased
    if delivery == NULL:
        delivery = job.delivery = <Delivery*>slab_take(&r.core.deliveries)
        if delivery == NULL:
            return NO_MEMORY
    memset(delivery, 0, sizeof(Delivery))
    if session.size:
        owner = session_restore(r.core, session.ptr, session.size)
        if owner == NULL:
            return NO_MEMORY
    delivery.token, delivery.started_at, delivery.last_heartbeat = token, started_at, started_at
    delivery.owner = owner
    return OK


cdef inline void delivery_drop(Core* core, Job* job) noexcept nogil:
    if job.delivery != NULL:
        slab_give(&core.deliveries, job.delivery)
        job.delivery = NULL


cdef int completed(Recovery* r, Job* job, uint64_t ended_at) noexcept nogil:
    job.state, job.deadline, job.reason = STATE_COMPLETED, ended_at, ENDED_WELL
    if job.where == IN_DONE:
        return OK
    if not r.log:
        job.where = IN_KEPT                 # or it was completed after the ids were told: the log says so
        return OK
    job.where = IN_DONE
    return done_note(r, job.id)


cdef int apply_state(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    cdef Queue* queue
    cdef Extra* extra
    id[0] = get64(c)
    cdef uint8_t state = get8(c)
    cdef uint8_t flags = get8(c)
    cdef uint8_t progress = get8(c)
    cdef uint32_t generation = get32(c)
    cdef int32_t priority = <int32_t>get32(c)
    cdef uint32_t attempts = get32(c)
    cdef uint64_t run_at = get64(c)
    cdef uint64_t token = get64(c)
    cdef uint64_t started_at = get64(c)
    cdef uint64_t ended_at = get64(c)
    cdef uint32_t stall_count = get32(c)
    cdef uint8_t reason = get8(c)
    cdef Text message = get_text(c)
    cdef Text result = get_text(c)
    cdef Text session = get_text(c)
    cdef int status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    if state > STATE_WAITING_CHILDREN:
        return damaged(r, "the job's state is none")
    queue = <Queue*>job.queue
    job.state, job.flags, job.progress = state, <uint8_t>(flags & STORED_FLAGS), progress
    job.generation, job.priority, job.attempts, job.run_at = generation, priority, attempts, run_at
    job.reason, job.deadline = reason, ended_at
    if generation > r.generation:
        r.generation = generation
    if state == STATE_ACTIVE or (state == STATE_COMPLETED and token):
        status = delivery_set(r, job, token, started_at, &session)
    else:
        delivery_drop(r.core, job)
    if status == OK and state == STATE_COMPLETED and job.delivery != NULL:
        job.delivery.owner = NULL
    extra = job.extra
    if status == OK and (extra != NULL or stall_count or message.size or result.size):
        extra = job_extra(r.core, job)
        if extra == NULL or not blob_set(r.core, &extra.message, &extra.message_size, &message):
            return NO_MEMORY
        if not blob_set(r.core, &extra.result, &extra.result_size, &result):
            return NO_MEMORY
        extra.stall_count = stall_count
        if extra.relations != NULL:
            extra.relations.unique.kind = KEY_HELD if flags & FLAG_KEY_HELD else 0
    if status == OK and flags & FLAG_COUNTS:
        queue.failed += counts(r, queue)
        r.core.failed += 1 if r.position > r.counted else 0
    if status == OK and state == STATE_COMPLETED:
        status = completed(r, job, ended_at)
    return status


cdef int apply_taken(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    id[0] = get64(c)
    cdef uint64_t token = get64(c)
    cdef uint64_t started_at = get64(c)
    cdef Text session = get_bytes(c, get16(c))
    cdef int status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    job.state, job.deadline = STATE_ACTIVE, 0
    return delivery_set(r, job, token, started_at, &session)


cdef int apply_done(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    cdef Queue* queue
    cdef Extra* extra
    id[0] = get64(c)
    cdef uint64_t ended_at = get64(c)
    cdef uint8_t flags = get8(c)
    cdef Text result = get_text(c)
    cdef uint64_t number = get64(c) if flags & DONE_NUMBERED else 0
    cdef int status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    if result.size:
        extra = job_extra(r.core, job)
        if extra == NULL or not blob_set(r.core, &extra.result, &extra.result_size, &result):
            return NO_MEMORY
    job.flags = (job.flags & <uint8_t>~JOB_RESULT_MSGPACK) | (flags & <uint8_t>JOB_RESULT_MSGPACK)
    if job.extra != NULL and job.extra.relations != NULL:
        job.extra.relations.done_number = number
        job.extra.relations.unique.kind = 0
    if job.delivery != NULL:
        job.delivery.owner = NULL
    queue = <Queue*>job.queue
    queue.completed += counts(r, queue)
    r.core.completed += 1 if r.position > r.counted else 0
    return completed(r, job, ended_at)


cdef int apply_gone(Recovery* r, Cursor* c, uint64_t* id, int* how) noexcept nogil:
    cdef Job* job
    cdef Queue* queue
    id[0] = get64(c)
    how[0] = get8(c)
    cdef int status = found(r, c, id[0], &job)
    if status == DAMAGED:
        return status
    if job != NULL:
        queue = <Queue*>job.queue
        if how[0] & GONE_COUNTS and how[0] & GONE_OUTCOME == OUTCOME_COMPLETED:
            queue.completed += counts(r, queue)
            r.core.completed += 1 if r.position > r.counted else 0
        elif how[0] & GONE_COUNTS:
            queue.failed += counts(r, queue)
            r.core.failed += 1 if r.position > r.counted else 0
        if how[0] & GONE_UNCOUNTS:
            queue.pushed -= counts(r, queue)
            r.core.pushed -= 1 if r.position > r.counted else 0
        job_free(r.core, job)
        r.jobs -= 1
    id_remove(&shard_of(r.core, id[0]).ids, id[0] >> SHARD_BITS)
    return OK


cdef int apply_forget(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    id[0] = get64(c)
    if found(r, c, id[0], &job) == DAMAGED:
        return DAMAGED
    if job != NULL:
        job_free(r.core, job)
        r.jobs -= 1
    id_remove(&shard_of(r.core, id[0]).ids, id[0] >> SHARD_BITS)
    return OK


cdef int apply_ids(Recovery* r, Cursor* c) noexcept nogil:
    cdef Text ids = get_text(c)
    cdef Cursor each = Cursor(ids.ptr, ids.ptr + ids.size, False)
    cdef uint64_t id
    cdef Job* job
    if c.short or ids.size % sizeof(uint64_t):
        return damaged(r, "the record is cut off")
    while each.at < each.end:
        id = get64(&each)
        sequence_seen(r.core, id)
        job = raw_find(r.core, id)
        if job == NULL and id_put(&shard_of(r.core, id).ids, id >> SHARD_BITS, COMPLETED()) != OK:
            return NO_MEMORY
        if job == COMPLETED() or (job != NULL and job.where == IN_DONE):
            continue
        if job != NULL:
            job.where = IN_DONE
        if done_note(r, id) != OK:
            return NO_MEMORY
    return OK


cdef int apply_attempt(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Attempt head
    cdef Failing* failing
    cdef Job* job
    cdef Text error, worker
    cdef int status
    memset(&head, 0, sizeof(head))
    id[0] = get64(c)
    head.number = get32(c)
    head.started_at, head.ended_at = get64(c), get64(c)
    head.ending = get8(c)
    error, worker = get_text(c), get_text(c)
    status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    failing = failing_of(r.core, job)
    if failing == NULL:
        return NO_MEMORY
    if head.number <= failing.made:
        return OK                           # seen already: the checkpoint was made later
    failing.made = head.number
    head.error_size, head.worker_size = error.size, worker.size
    return OK if attempt_append(r.core, failing, &head, error.ptr, worker.ptr) != NULL else NO_MEMORY


cdef int apply_losses(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    id[0] = get64(c)
    cdef uint32_t losses = get32(c)
    cdef uint32_t missed = get32(c)
    cdef int status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    if job_extra(r.core, job) == NULL:
        return NO_MEMORY
    job.extra.losses, job.extra.missed = losses, missed
    return OK


cdef int apply_log(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    cdef Slice level, message
    id[0] = get64(c)
    cdef uint32_t number = get32(c)
    cdef uint64_t at = get64(c)
    cdef Text level_text = get_text(c)
    cdef Text text = get_text(c)
    cdef int status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    if level_text.size > LOG_LEVEL:
        return damaged(r, "the level's name is too long")
    if job.extra != NULL and job.extra.log != NULL and number <= job.extra.log.made:
        return OK
    level, message = Slice(level_text.ptr, level_text.size, 0), Slice(text.ptr, text.size, 0)
    if log_append(r.core, job, &message, &level, at) == NULL:
        return NO_MEMORY
    job.extra.log.made = number
    return OK
