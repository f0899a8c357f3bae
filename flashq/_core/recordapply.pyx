"""Jobs out of records. A record is read whole and judged before anything changes.

Until `revive` has run, jobs stand in no line and no map but the id table. `where` of a completed one is IN_DONE when
its id stands in Recovery.done, and IN_KEPT when a checkpoint told it and did not name its id among the completed.
"""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.failing cimport attempt_append, failing_of
from flashq._core.job cimport (
    ENDED_WELL, IN_DONE, IN_KEPT, JOB_RESULT_MSGPACK, LOG_LEVEL, OUTCOME_COMPLETED, STATE_ACTIVE, STATE_COMPLETED, STATE_FAILED,
    STATE_WAITING_CHILDREN, Attempt, Delivery, Extra, Failing, Job, Log, Relations,
)
from flashq._core.jobs cimport extra_free, job_extra, job_free, log_append
from flashq._core.queue cimport queue_open
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.recordfields cimport get8, get16, get32, get64, get_bytes, get_text
from flashq._core.records cimport (
    DONE_NUMBERED, FLAG_COUNTS, FLAG_KEY_HELD, GONE_COUNTS, GONE_OUTCOME, GONE_UNCOUNTS, HAS_ATTEMPTS, HAS_BACKOFF,
    HAS_CUSTOM_ID, HAS_MAX_ATTEMPTS, HAS_PRIORITY, HAS_PROGRESS, HAS_RETRY, HAS_RUN_AT, HAS_STALL_TIMEOUT, HAS_TAGS,
    HAS_TIMEOUT, HAS_TTL, RETRY_BYTES,
)
from flashq._core.relations cimport job_relations, relations_free
from flashq._core.request cimport Slice
from flashq._core.reservations cimport session_restore
from flashq._core.shardmap cimport SHARD_BITS, SHARDS, id_get, id_put, id_remove, id_replace
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport COMPLETED, Owner, Shard
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    STORED_FLAGS = 0x1F         # of JobFlags: those that are recorded
    FIRST_DONE = 1024


cdef inline int damaged(Recovery* r, const char* reason) noexcept nogil:
    r.reason = reason
    return DAMAGED


cdef inline Shard* shard_of(Core* core, uint64_t id) noexcept nogil:
    return &core.shards[id & (SHARDS - 1)]


cdef inline Job* raw_find(Core* core, uint64_t id) noexcept nogil:
    """What the id table has, a job that a bulk removal took included."""
    return <Job*>id_get(&shard_of(core, id).ids, id >> SHARD_BITS)


cdef inline uint64_t counts(const Recovery* r, const Queue* queue) noexcept nogil:
    return 1 if r.position > (queue.counted if queue.counted else r.counted) else 0


cdef int found(Recovery* r, Cursor* c, uint64_t id, Job** out) noexcept nogil:
    """The job of a record that was read: OK, UNKNOWN_ID or DAMAGED; NULL when only `completed` is known of it."""
    out[0] = NULL
    if c.short:
        return damaged(r, "the record is cut off")
    out[0] = raw_find(r.core, id)
    if out[0] == NULL:
        return UNKNOWN_ID
    if out[0] == COMPLETED():
        out[0] = NULL
    return OK


cdef uint8_t* kept(Core* core, const Text* text) noexcept nogil:
    """An owned blob; NULL without memory. Not for an empty text."""
    cdef uint8_t* blob = blob_take(&core.blobs, text.size)
    if blob != NULL:
        memcpy(blob, text.ptr, text.size)
    return blob


cdef bint blob_set(Core* core, uint8_t** blob, uint32_t* size, const Text* text) noexcept nogil:
    """Put the text in place of what is there; False without memory."""
    cdef uint8_t* copy = NULL
    if text.size:
        copy = kept(core, text)
        if copy == NULL:
            return False
    if blob[0] != NULL:
        blob_give(&core.blobs, blob[0], size[0])
    blob[0], size[0] = copy, text.size
    return True


cdef int queue_of(Recovery* r, const Text* name, Queue** out) noexcept nogil:
    cdef Slice slice = Slice(name.ptr, name.size, 0)
    cdef int status = queue_open(r.core, &slice, out)
    return status if status == OK or status == NO_MEMORY else damaged(r, "the queue's name is none")


cdef int done_note(Recovery* r, uint64_t id) noexcept nogil:
    cdef uint64_t cap
    cdef void* room
    if r.done_count == r.done_cap:
        if r.done_count > 4 * <uint64_t>r.core.limits.completed + FIRST_DONE:
            done_pack(r)
    if r.done_count == r.done_cap:
        cap = max(<uint64_t>FIRST_DONE, 2 * r.done_cap)
        room = raw_realloc(r.done, cap * sizeof(uint64_t))
        if room == NULL:
            return NO_MEMORY
        r.done, r.done_cap = <uint64_t*>room, cap
    r.done[r.done_count] = id
    r.done_count += 1
    return OK


cdef void done_pack(Recovery* r) noexcept nogil:
    """Drop the ids that are gone, so that a long log of a short queue takes no memory."""
    cdef uint64_t i, left = 0
    for i in range(r.done_count):
        if raw_find(r.core, r.done[i]) != NULL:
            r.done[left] = r.done[i]
            left += 1
    r.done_count = left


cdef void recovery_close(Recovery* r) noexcept nogil:
    raw_free(r.done)
    r.done = NULL
    r.done_count = r.done_cap = 0


cdef void sequence_seen(Core* core, uint64_t id) noexcept nogil:
    cdef Shard* shard = shard_of(core, id)
    if id >> SHARD_BITS >= shard.next_sequence:
        shard.next_sequence = (id >> SHARD_BITS) + 1


# JOB

cdef struct Options:            # of a JOB record
    int32_t priority
    uint64_t run_at
    uint32_t attempts
    uint32_t max_attempts
    uint32_t backoff
    uint64_t ttl
    uint64_t timeout
    uint64_t stall_timeout
    uint8_t progress
    Text tags
    Text custom_id
    Text retry


cdef void options_read(Cursor* c, int mask, Options* o) noexcept nogil:
    memset(o, 0, sizeof(Options))
    if mask & HAS_PRIORITY:
        o.priority = <int32_t>get32(c)
    if mask & HAS_RUN_AT:
        o.run_at = get64(c)
    if mask & HAS_ATTEMPTS:
        o.attempts = get32(c)
    if mask & HAS_MAX_ATTEMPTS:
        o.max_attempts = get32(c)
    if mask & HAS_BACKOFF:
        o.backoff = get32(c)
    if mask & HAS_TTL:
        o.ttl = get64(c)
    if mask & HAS_TIMEOUT:
        o.timeout = get64(c)
    if mask & HAS_STALL_TIMEOUT:
        o.stall_timeout = get64(c)
    if mask & HAS_PROGRESS:
        o.progress = get8(c)
    if mask & HAS_TAGS:
        o.tags = get_text(c)
    if mask & HAS_CUSTOM_ID:
        o.custom_id = get_text(c)
    if mask & HAS_RETRY:
        o.retry = get_text(c)


cdef int rare_set(Core* core, Job* job, const Options* o) noexcept nogil:
    """What stands in the side struct."""
    cdef Extra* extra = job_extra(core, job)
    if extra == NULL:
        return NO_MEMORY
    extra.ttl, extra.timeout, extra.stall_timeout = o.ttl, o.timeout, o.stall_timeout
    if not blob_set(core, &extra.tags, &extra.tags_size, &o.tags):
        return NO_MEMORY
    if not blob_set(core, &extra.custom_id, &extra.custom_id_size, &o.custom_id):
        return NO_MEMORY
    return policy_set(core, job, &o.retry) if o.retry.size else OK


cdef int policy_set(Core* core, Job* job, const Text* retry) noexcept nogil:
    cdef Failing* failing = failing_of(core, job)
    cdef Cursor c = Cursor(retry.ptr, retry.ptr + retry.size, False)
    if failing == NULL:
        return NO_MEMORY
    failing.policy.type = get8(&c)
    failing.policy.jitter = get32(&c)
    failing.policy.delay = get64(&c)
    failing.policy.max = get64(&c)
    return OK


cdef void job_wipe(Core* core, Job* job) noexcept nogil:
    """All that a JOB record says anew; the log stays."""
    cdef Log* log = NULL
    cdef uint8_t where = job.where
    if job.data != NULL:
        blob_give(&core.blobs, job.data, job.data_size)
    if job.delivery != NULL:
        slab_give(&core.deliveries, job.delivery)
    if job.extra != NULL:
        log, job.extra.log = job.extra.log, NULL
        extra_free(core, job.extra)
    memset(job, 0, sizeof(Job))
    job.where = where
    if log != NULL and job_extra(core, job) != NULL:
        job.extra.log = log


cdef int job_at(Recovery* r, uint64_t id, Job** out) noexcept nogil:
    """The empty job of this id, in place of whatever was known of it."""
    cdef Shard* shard = shard_of(r.core, id)
    cdef Job* known = raw_find(r.core, id)
    if known != NULL and known != COMPLETED():
        job_wipe(r.core, known)
        out[0] = known
        return OK
    out[0] = <Job*>slab_take(&r.core.jobs)
    if out[0] == NULL:
        return NO_MEMORY
    memset(out[0], 0, sizeof(Job))
    if known != NULL:
        out[0].where = IN_DONE              # its id was met among the completed ones
        id_replace(&shard.ids, id >> SHARD_BITS, out[0])
    elif id_put(&shard.ids, id >> SHARD_BITS, out[0]) != OK:
        slab_give(&r.core.jobs, out[0])
        return NO_MEMORY
    r.jobs += 1
    return OK


cdef int apply_job(Recovery* r, Cursor* c) noexcept nogil:
    cdef uint64_t id = get64(c)
    cdef uint8_t state = get8(c)
    cdef uint8_t flags = get8(c)
    cdef uint32_t generation = get32(c)
    cdef uint64_t created_at = get64(c)
    cdef int mask = get16(c)
    cdef Text name = get_bytes(c, get16(c))
    cdef Text data = get_text(c)
    cdef Options o
    cdef Queue* queue
    cdef Job* job = NULL
    cdef int status
    if mask:
        options_read(c, mask, &o)
    if c.short:
        return damaged(r, "the record is cut off")
    status = queue_of(r, &name, &queue)
    if status != OK:
        return status
    if id >> SHARD_BITS == 0 or state > STATE_WAITING_CHILDREN or queue.shard != (id & (SHARDS - 1)):
        return damaged(r, "the job is none that was ever pushed")
    status = job_at(r, id, &job)
    if status != OK:
        return status
    job.id, job.queue, job.state, job.flags = id, queue, state, <uint8_t>(flags & STORED_FLAGS)
    job.generation, job.created_at, job.run_at = generation, created_at, created_at
    if data.size:
        job.data = kept(r.core, &data)
        if job.data == NULL:
            return NO_MEMORY
        job.data_size = data.size
    if mask:
        status = options_set(r.core, job, mask, &o)
        if status != OK:
            return status
    if generation > r.generation:
        r.generation = generation
    sequence_seen(r.core, id)
    if flags & FLAG_COUNTS:
        queue.pushed += counts(r, queue)
        r.core.pushed += 1 if r.position > r.counted else 0
    return OK


cdef int options_set(Core* core, Job* job, int mask, const Options* o) noexcept nogil:
    job.priority, job.attempts, job.max_attempts, job.backoff = o.priority, o.attempts, o.max_attempts, o.backoff
    job.progress = o.progress
    if mask & HAS_RUN_AT:
        job.run_at = o.run_at
    if mask & (HAS_TTL | HAS_TIMEOUT | HAS_STALL_TIMEOUT | HAS_TAGS | HAS_CUSTOM_ID | HAS_RETRY):
        return rare_set(core, job, o)
    return OK


# A job's life

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


# What ties it to others, how it failed, its log

cdef int apply_ties(Recovery* r, Cursor* c, uint64_t* id) noexcept nogil:
    cdef Job* job
    cdef Relations* ties
    cdef Relations said
    cdef Text key, depends_on, children, group, name, met
    cdef int status
    memset(&said, 0, sizeof(said))
    id[0] = get64(c)
    said.parent_id, said.keep_age, said.keep_count = get64(c), get64(c), get64(c)
    said.done_number = get64(c)
    said.children_completed, said.version = get32(c), get32(c)
    said.on_parent_failure, said.fail_parent = get8(c), get8(c)
    key, depends_on, children = get_text(c), get_text(c), get_text(c)
    group, name, met = get_text(c), get_text(c), get_text(c)
    status = found(r, c, id[0], &job)
    if status != OK or job == NULL:
        return status
    if job.extra != NULL and job.extra.relations != NULL:
        said.unique.kind = job.extra.relations.unique.kind
        relations_free(r.core, job.extra.relations)
        job.extra.relations = NULL
    elif key.size:
        said.unique.kind = KEY_HELD
    ties = job_relations(r.core, job)
    if ties == NULL:
        return NO_MEMORY
    said.job = job
    ties[0] = said
    if key.size and not key_set(r.core, job, ties, &key):
        return NO_MEMORY
    if not (blob_set(r.core, &ties.depends_on, &ties.depends_on_size, &depends_on)
            and blob_set(r.core, &ties.group, &ties.group_size, &group)
            and blob_set(r.core, &ties.name, &ties.name_size, &name)
            and blob_set(r.core, <uint8_t**>&ties.children, &ties.children_count, &children)
            and blob_set(r.core, <uint8_t**>&ties.met, &ties.met_count, &met)):
        return NO_MEMORY
    ties.met_count = met.size // <uint32_t>sizeof(uint64_t)
    ties.children_count = children.size // <uint32_t>sizeof(uint64_t)
    if depends_on.size or children.size:
        r.tied = True
    return OK


cdef bint key_set(Core* core, const Job* job, Relations* ties, const Text* key) noexcept nogil:
    """The key within its queue, held by nobody yet."""
    cdef const Queue* queue = <const Queue*>job.queue
    cdef uint32_t at = queue.name.size + 1
    cdef uint8_t* text = blob_take(&core.blobs, at + key.size)
    if text == NULL:
        return False
    memcpy(text, queue.text, queue.name.size)
    text[at - 1] = 0
    memcpy(text + at, key.ptr, key.size)
    ties.unique_text, ties.unique_size, ties.key_at = text, at + key.size, at
    return True


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
