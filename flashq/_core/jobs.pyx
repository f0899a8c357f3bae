"""Making, finding and freeing jobs."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.defaults cimport with_defaults
from flashq._core.events cimport event_pushed
from flashq._core.failing cimport failing_free, failing_set
from flashq._core.groups cimport line_enter
from flashq._core.heap cimport heap_move, heap_push, heap_remove
from flashq._core.job cimport (
    IN_BLOCKED, IN_DELAYED, JOB_LIFO, JOB_MSGPACK, JOB_REMOVE_ON_COMPLETE, JOB_REMOVE_ON_FAIL, LOG_ENTRIES,
    LOG_LEVEL, STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_WAITING,
    STATE_WAITING_CHILDREN, Delivery, Log,
)
from flashq._core.namemap cimport NameNode, name_add, name_find, name_hash, name_remove
from flashq._core.payload cimport payload_of_duplicate
from flashq._core.queue cimport deadline_lower, list_append, queue_wants_service
from flashq._core.ready cimport ready_push
from flashq._core.records cimport record_job, record_log, record_ties
from flashq._core.relations cimport debounce_check, debounce_open, relations_free, relations_make, unique_check
from flashq._core.request cimport (
    BIT_BACKOFF, BIT_CMD, BIT_DATA, BIT_DELAY, BIT_JOB_ID, BIT_LIFO, BIT_MAX_ATTEMPTS, BIT_NAME, BIT_PRIORITY,
    BIT_QUEUE, BIT_RECEIPT, BIT_REQ_ID, BIT_REMOVE_ON_COMPLETE, BIT_DEBOUNCE_ID, BIT_DEPENDS_ON, BIT_DURABILITY,
    BIT_FLOW, BIT_GROUP_ID, BIT_HASHED, BIT_KEEP_COMPLETED_AGE, BIT_KEEP_COMPLETED_COUNT, BIT_REMOVE_ON_FAIL,
    BIT_RETRY, BIT_STALL_TIMEOUT, BIT_TAGS, BIT_TIMEOUT, BIT_TTL, BIT_UNIQUE_KEY, BIT_VERSION, MSGPACK,
    SLICE_HAS_NEWLINES, Slice, has,
)
from flashq._core.shardmap cimport SHARD_BITS, id_get, id_put, id_remove
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport COMPLETED, NODE_JOB, NEVER
from flashq._core.status cimport DUPLICATE_KEY, NO_MEMORY, OK

cdef enum:
    MAX_MESSAGE = 64 * 1024     # bytes kept of a progress message or an error: a long traceback is cut, not refused
    RARE = (1 << BIT_TTL) | (1 << BIT_TIMEOUT) | (1 << BIT_STALL_TIMEOUT) | (1 << BIT_TAGS) | (1 << BIT_JOB_ID)


cdef inline uint64_t tied_bits() noexcept nogil:
    """Options that `relations` sees to. No enum: that ends at 31 bits."""
    return (<uint64_t>1 << BIT_UNIQUE_KEY | <uint64_t>1 << BIT_DEBOUNCE_ID | <uint64_t>1 << BIT_DEPENDS_ON
            | <uint64_t>1 << BIT_GROUP_ID
            | <uint64_t>1 << BIT_KEEP_COMPLETED_AGE | <uint64_t>1 << BIT_KEEP_COMPLETED_COUNT
            | <uint64_t>1 << BIT_NAME | <uint64_t>1 << BIT_VERSION | <uint64_t>1 << BIT_FLOW)


cdef Job* job_find(Core* core, uint64_t id) noexcept nogil:
    cdef Job* job = <Job*>id_get(&core.shards[id & (SHARDS - 1)].ids, id >> SHARD_BITS)
    return NULL if job != NULL and job != COMPLETED() and job_gone(job) else job


cdef Job* job_active(Core* core, uint64_t id) noexcept nogil:
    cdef Job* job = job_find(core, id)
    if job == NULL or job == COMPLETED() or job.state != STATE_ACTIVE:
        return NULL
    return job


cdef uint32_t copy_value(uint8_t* out, const Slice* value) noexcept nogil:
    """Copy a raw value, without CR and LF between its tokens; the bytes written."""
    cdef uint32_t i
    cdef uint32_t size = 0
    cdef uint8_t c
    if not value.flags & SLICE_HAS_NEWLINES:
        memcpy(out, value.ptr, value.size)
        return value.size
    for i in range(value.size):             # a validated JSON string has no raw CR or LF inside
        c = value.ptr[i]
        if c != c'\r' and c != c'\n':
            out[size] = c
            size += 1
    return size


cdef uint8_t* keep(Core* core, const Slice* value, uint32_t* size) noexcept nogil:
    """An owned blob with the value's bytes, its size in `size`; NULL when there is no memory."""
    cdef uint8_t* blob
    cdef uint32_t stored = value.size
    cdef uint32_t i
    if not value.flags & SLICE_HAS_NEWLINES:
        blob = blob_take(&core.blobs, stored)
        if blob != NULL:
            memcpy(blob, value.ptr, stored)
            size[0] = stored
        return blob
    for i in range(value.size):
        if value.ptr[i] == c'\r' or value.ptr[i] == c'\n':
            stored -= 1
    blob = blob_take(&core.blobs, stored)
    if blob != NULL:
        size[0] = copy_value(blob, value)
    return blob


cdef Extra* job_extra(Core* core, Job* job) noexcept nogil:
    if job.extra == NULL:
        job.extra = <Extra*>slab_take(&core.extras)
        if job.extra != NULL:
            memset(job.extra, 0, sizeof(Extra))
            job.extra.job = job
    return job.extra


cdef void job_set_message(Core* core, Job* job, const uint8_t* text, uint32_t size) noexcept nogil:
    """Replace the message. Without memory for the new one the old is gone all the same: it would mislead."""
    cdef Extra* extra = job.extra
    if extra != NULL and extra.message != NULL:
        blob_give(&core.blobs, extra.message, extra.message_size)
        extra.message = NULL
        extra.message_size = 0
    if size == 0:
        return
    if size > MAX_MESSAGE:
        size = MAX_MESSAGE
        while text[size] & 0xC0 == 0x80:    # not in the middle of a character
            size -= 1
    extra = job_extra(core, job)
    if extra == NULL:
        return
    extra.message = blob_take(&core.blobs, size)
    if extra.message != NULL:
        memcpy(extra.message, text, size)
        extra.message_size = size


cdef int job_arm(Core* core, Job* job) noexcept nogil:
    cdef uint64_t when = <uint64_t>NEVER
    cdef Delivery* delivery = job.delivery
    cdef Extra* extra
    if job.state == STATE_ACTIVE:
        if delivery.lease_until:
            when = delivery.lease_until
        if delivery.deadline and delivery.deadline < when:
            when = delivery.deadline
    else:
        if job.state == STATE_DELAYED:
            when = job.deadline
        extra = job.extra
        if extra != NULL and extra.ttl_deadline and extra.ttl_deadline < when and job.state <= STATE_DELAYED:
            when = extra.ttl_deadline
    if when == <uint64_t>NEVER:
        if job.timer.pos:
            heap_remove(&job_shard(core, job).timers, &job.timer)
        return OK
    deadline_lower(core, when)
    if job.timer.pos:
        heap_move(&job_shard(core, job).timers, &job.timer, when, job.id)
        return OK
    job.timer.kind = NODE_JOB
    return heap_push(&job_shard(core, job).timers, when, job.id, &job.timer)


cdef int fill_rare(Core* core, Job* job, const PushItem* item) noexcept nogil:
    """The side struct of a new job; OK or NO_MEMORY. What was taken is freed with the job."""
    cdef Extra* extra = job_extra(core, job)
    if extra == NULL:
        return NO_MEMORY
    if has(item, BIT_TTL) and item.ttl:
        extra.ttl = item.ttl
        extra.ttl_deadline = saturated(core.mono, item.ttl) + 1
    if has(item, BIT_TIMEOUT):
        extra.timeout = item.timeout
    if has(item, BIT_STALL_TIMEOUT):
        extra.stall_timeout = item.stall_timeout
    if has(item, BIT_TAGS) and item.tags.size:
        extra.tags = keep(core, &item.tags, &extra.tags_size)
        if extra.tags == NULL:
            return NO_MEMORY
    if has(item, BIT_JOB_ID) and item.job_id.size:
        extra.custom_id = keep(core, &item.job_id, &extra.custom_id_size)
        if extra.custom_id == NULL:
            return NO_MEMORY
        extra.custom.name = extra.custom_id
        extra.custom.size = extra.custom_id_size
        extra.custom.hash = custom_hash(item)
        if name_add(&core.shards[extra.custom.hash & (SHARDS - 1)].customs, &extra.custom) != OK:
            extra.custom.name = NULL        # not mapped: nothing to take out
            return NO_MEMORY
    if has(item, BIT_RETRY):
        return failing_set(core, job, &item.retry.policy)
    return OK


cdef inline void fill_plain(Core* core, Queue* queue, Job* job, Format format) noexcept nogil:
    memset(job, 0, sizeof(Job))
    job.queue = queue
    job.generation = queue.generation
    job.created_at = core.now
    job.run_at = core.now
    if format == MSGPACK:
        job.flags = JOB_MSGPACK


cdef void fill(Core* core, Queue* queue, Job* job, const PushItem* item, Format format) noexcept nogil:
    fill_plain(core, queue, job, format)
    if has(item, BIT_PRIORITY):
        job.priority = <int>item.priority
    if has(item, BIT_DELAY) and item.delay:
        job.state = STATE_DELAYED
        job.run_at = saturated(core.now, item.delay)
        job.deadline = saturated(core.mono, item.delay)
    if has(item, BIT_MAX_ATTEMPTS):
        job.max_attempts = <uint32_t>item.max_attempts
    if has(item, BIT_BACKOFF):
        job.backoff = <uint32_t>(item.backoff if item.backoff < 0xFFFFFFFFULL else 0xFFFFFFFFULL)
    if has(item, BIT_LIFO) and item.lifo:
        job.flags |= JOB_LIFO
    if has(item, BIT_REMOVE_ON_COMPLETE) and item.remove_on_complete:
        job.flags |= JOB_REMOVE_ON_COMPLETE
    if has(item, BIT_REMOVE_ON_FAIL) and item.remove_on_fail:
        job.flags |= JOB_REMOVE_ON_FAIL


cdef inline uint64_t custom_hash(const PushItem* item) noexcept nogil:
    """Of its custom id."""
    return item.job_id_hash if has(item, BIT_HASHED) else name_hash(item.job_id.ptr, item.job_id.size)


cdef Job* job_of_custom_id(Core* core, const Slice* name, uint64_t hash) noexcept nogil:
    """The living job that holds this custom id, or NULL. A completed one lets go of it here."""
    cdef NameNode* node = name_find(&core.shards[hash & (SHARDS - 1)].customs, hash, name.ptr, name.size)
    cdef Extra* extra = <Extra*>node        # the node is its first member
    if node == NULL:
        return NULL
    if extra.job.state == STATE_COMPLETED or job_gone(extra.job):
        name_remove(&core.shards[hash & (SHARDS - 1)].customs, node)
        node.name = NULL
        return NULL
    return extra.job


cdef inline bint is_plain(const Core* core, const PushItem* item) noexcept nogil:
    """Whether it says nothing but data, and no default says more."""
    cdef uint64_t others = (<uint64_t>1 << BIT_CMD | <uint64_t>1 << BIT_REQ_ID | <uint64_t>1 << BIT_QUEUE
                            | <uint64_t>1 << BIT_RECEIPT | <uint64_t>1 << BIT_DURABILITY)
    return item.seen & ~others == core.plain_push


cdef inline void pushed(Core* core, Queue* queue, Job* job, uint64_t* id, uint64_t* shown) noexcept nogil:
    queue.pushed += 1
    core.pushed += 1
    if core.listening:
        event_pushed(core, job)
    id[0] = job.id
    shown[0] = job.position


cdef inline int create_plain(Core* core, Queue* queue, const PushItem* item, Format format, uint64_t* id,
                             uint64_t* shown) noexcept nogil:
    """As job_create, of a job with data alone: most of them."""
    cdef Shard* shard = &core.shards[queue.shard]
    cdef Job* job = <Job*>slab_take(&core.jobs)
    if job == NULL:
        return NO_MEMORY
    fill_plain(core, queue, job, format)
    job.id = shard.next_sequence << SHARD_BITS | queue.shard
    job.data = keep(core, &item.data, &job.data_size)
    if job.data == NULL:
        slab_give(&core.jobs, job)
        return NO_MEMORY
    if id_put(&shard.ids, shard.next_sequence, job) != OK:
        job_free(core, job)
        return NO_MEMORY
    if ready_push(&queue.ready, job) != OK:
        id_remove(&shard.ids, shard.next_sequence)
        job_free(core, job)
        return NO_MEMORY
    if queue.first_waiter != NULL:
        queue_wants_service(core, queue)
    shard.next_sequence += 1
    record_job(core, job, True)
    pushed(core, queue, job, id, shown)
    return OK


cdef int job_create(Core* core, Queue* queue, const PushItem* item, Format format, uint64_t* id,
                    uint64_t* shown) noexcept nogil:
    cdef Job* job
    cdef Shard* shard = &core.shards[queue.shard]
    cdef uint64_t sequence = shard.next_sequence
    cdef bint tied = item.seen & tied_bits() != 0
    cdef int status = OK
    cdef PushItem room
    if is_plain(core, item):
        return create_plain(core, queue, item, format, id, shown)
    if core.defaults.given:
        item = with_defaults(&core.defaults, item, &room)
    if tied:
        status = debounce_check(core, queue, item)
        if status != OK:
            return status
    if has(item, BIT_JOB_ID) and item.job_id.size:
        job = job_of_custom_id(core, &item.job_id, custom_hash(item))
        if job != NULL:
            id[0] = job.id
            shown[0] = job.position
            return OK
    if tied:
        status = unique_check(core, queue, item, id)
        if status == DUPLICATE_KEY:
            return payload_of_duplicate(core, id[0], item, format, shown)
        if status != OK:
            return status
    job = <Job*>slab_take(&core.jobs)
    if job == NULL:
        return NO_MEMORY
    fill(core, queue, job, item, format)
    if tied and has(item, BIT_FLOW) and item.flow_id:
        sequence = item.flow_id >> SHARD_BITS
    job.id = sequence << SHARD_BITS | queue.shard
    if has(item, BIT_DATA):
        job.data = keep(core, &item.data, &job.data_size)
        if job.data == NULL:
            slab_give(&core.jobs, job)
            return NO_MEMORY
    if item.seen & (<uint64_t>RARE | <uint64_t>1 << BIT_RETRY):
        status = fill_rare(core, job, item)
    if tied and status == OK:
        status = relations_make(core, queue, job, item, format)
    if status == OK:
        status = id_put(&shard.ids, sequence, job)
    if status == OK:
        status = enter(core, queue, job)
        if status != OK:
            id_remove(&shard.ids, sequence)
    if status != OK:
        job_free(core, job)
        return status
    if sequence == shard.next_sequence:
        shard.next_sequence += 1
    record_job(core, job, True)
    if tied:
        record_ties(core, job)
        debounce_open(core, queue, item)
    pushed(core, queue, job, id, shown)
    return OK


cdef inline int enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    """Put a new job into its line or its wait; the last step that can fail."""
    if job.state != STATE_WAITING or job.extra != NULL:
        if job.state == STATE_WAITING_CHILDREN:
            list_append(&queue.blocked, job, IN_BLOCKED)
            return OK
        if job_arm(core, job) != OK:
            return NO_MEMORY
    if job.state == STATE_DELAYED:
        list_append(&queue.delayed, job, IN_DELAYED)
        return OK
    if line_enter(core, queue, job) == OK:
        if queue.first_waiter != NULL:
            queue_wants_service(core, queue)
        return OK
    return NO_MEMORY                        # job_free takes it out of the timers


cdef int job_log(Core* core, Job* job, const Slice* message, const Slice* level) noexcept nogil:
    cdef LogEntry* entry = log_append(core, job, message, level, core.now)
    if entry == NULL:
        return NO_MEMORY
    record_log(core, job, entry, job.extra.log.made)
    return OK


cdef LogEntry* log_append(Core* core, Job* job, const Slice* message, const Slice* level, uint64_t at) noexcept nogil:
    cdef Extra* extra = job_extra(core, job)
    cdef LogEntry* entry
    cdef uint8_t* text = NULL
    cdef uint32_t size = min(message.size, <uint32_t>MAX_MESSAGE)
    if extra != NULL and extra.log == NULL:
        extra.log = <Log*>blob_take(&core.blobs, sizeof(Log))
        if extra.log != NULL:
            memset(extra.log, 0, sizeof(Log))
    if extra == NULL or extra.log == NULL:
        return NULL
    if size:
        text = blob_take(&core.blobs, size)
        if text == NULL:
            return NULL
        memcpy(text, message.ptr, size)
    entry = &extra.log.entries[(extra.log.first + extra.log.count) % LOG_ENTRIES]
    if extra.log.count == LOG_ENTRIES:
        extra.log.first = (extra.log.first + 1) % LOG_ENTRIES
        if entry.text != NULL:
            blob_give(&core.blobs, entry.text, entry.size)
    else:
        extra.log.count += 1
    entry.at = at
    entry.text, entry.size = text, size
    entry.level_size = 4
    memcpy(entry.level, b"info", 4)
    if level != NULL:
        entry.level_size = <uint8_t>min(level.size, <uint32_t>LOG_LEVEL)
        memcpy(entry.level, level.ptr, entry.level_size)
    extra.log.made += 1
    return entry


cdef void log_free(Core* core, Log* log) noexcept nogil:
    cdef uint32_t i
    for i in range(log.count):
        if log.entries[(log.first + i) % LOG_ENTRIES].text != NULL:
            blob_give(&core.blobs, log.entries[(log.first + i) % LOG_ENTRIES].text,
                      log.entries[(log.first + i) % LOG_ENTRIES].size)
    blob_give(&core.blobs, <uint8_t*>log, sizeof(Log))


cdef void job_free(Core* core, Job* job) noexcept nogil:
    cdef Extra* extra = job.extra
    if job.timer.pos:
        heap_remove(&job_shard(core, job).timers, &job.timer)
    if job.data != NULL:
        blob_give(&core.blobs, job.data, job.data_size)
    if job.delivery != NULL:
        slab_give(&core.deliveries, job.delivery)
    if extra != NULL:
        extra_free(core, extra)
    slab_give(&core.jobs, job)


cdef void extra_free(Core* core, Extra* extra) noexcept nogil:
    if extra.relations != NULL:
        relations_free(core, extra.relations)
    if extra.failing != NULL:
        failing_free(core, extra.failing)
    if extra.custom.name != NULL:
        name_remove(&core.shards[extra.custom.hash & (SHARDS - 1)].customs, &extra.custom)
    if extra.custom_id != NULL:
        blob_give(&core.blobs, extra.custom_id, extra.custom_id_size)
    if extra.tags != NULL:
        blob_give(&core.blobs, extra.tags, extra.tags_size)
    if extra.message != NULL:
        blob_give(&core.blobs, extra.message, extra.message_size)
    if extra.result != NULL:
        blob_give(&core.blobs, extra.result, extra.result_size)
    if extra.log != NULL:
        log_free(core, extra.log)
    slab_give(&core.extras, extra)
