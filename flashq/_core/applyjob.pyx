"""JOB and TIES. A record is read whole and judged before anything changes."""
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.failing cimport failing_of
from flashq._core.job cimport IN_DONE, STATE_WAITING_CHILDREN, Extra, Failing, Job, Log, Relations
from flashq._core.jobs cimport extra_free, job_extra
from flashq._core.recordfields cimport Cursor, Text, get8, get16, get32, get64, get_bytes, get_text
from flashq._core.records cimport (
    FLAG_COUNTS, HAS_ATTEMPTS, HAS_BACKOFF, HAS_CUSTOM_ID, HAS_MAX_ATTEMPTS, HAS_PRIORITY, HAS_PROGRESS, HAS_RETRY,
    HAS_RUN_AT, HAS_STALL_TIMEOUT, HAS_TAGS, HAS_TIMEOUT, HAS_TTL,
)
from flashq._core.recovery cimport (
    KEY_HELD, STORED_FLAGS, Recovery, blob_set, counts, damaged, found, kept, queue_of, raw_find,
    sequence_seen, shard_of,
)
from flashq._core.relations cimport job_relations, relations_free
from flashq._core.shardmap cimport SHARD_BITS, SHARDS, id_put, id_replace
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport COMPLETED, Core, Queue, Shard
from flashq._core.status cimport NO_MEMORY, OK


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
