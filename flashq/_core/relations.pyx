"""Keys, windows, and what a job is tied to. Whoever waits for nothing and is unique in nothing pays for none of it."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.buffer cimport WriteBuffer, buffer_put
from flashq._core.edges cimport edge_make, edges_free
from flashq._core.heap cimport heap_push, heap_remove
from flashq._core.job cimport STATE_WAITING_CHILDREN, Extra
from flashq._core.jobs cimport job_extra, job_gone, keep, saturated
from flashq._core.json_codec cimport json_id_list
from flashq._core.lanes cimport lanes_full
from flashq._core.msgpack_codec cimport msgpack_id_list
from flashq._core.namemap cimport NameNode, name_absent, name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport deadline_lower
from flashq._core.records cimport record_debounce
from flashq._core.request cimport (
    BIT_DEBOUNCE_ID, BIT_DEBOUNCE_TTL, BIT_DEPENDS_ON, BIT_FLOW, BIT_GROUP_ID, BIT_HASHED, BIT_KEEP_COMPLETED_AGE,
    BIT_KEEP_COMPLETED_COUNT, BIT_NAME, BIT_ON_PARENT_FAILURE, BIT_UNIQUE_KEY, BIT_VERSION, JSON, PARENT_FAIL,
    PARENT_WAIT, OnParentFailure, has,
)
from flashq._core.shardmap cimport SHARDS
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport NODE_DEBOUNCE, DebounceName
from flashq._core.status cimport DEBOUNCED, DUPLICATE_KEY, NO_MEMORY, OK, TOO_MANY_NAMES

cdef enum:
    ID_BYTES = 8

cdef uint64_t[MAX_DEPENDS_ON] AWAITED       # room for one job's ids at a time


# Names within a queue: its name, a NUL (which no queue name has), the key

cdef bint scoped(Core* core, const Queue* queue, const Slice* key, Slice* out) noexcept nogil:
    cdef WriteBuffer* text = &core.text
    text.size = 0
    text.failed = False
    buffer_put(text, queue.text, queue.name.size)
    buffer_put(text, b"\0", 1)
    buffer_put(text, key.ptr, key.size)
    out.ptr, out.size, out.flags = text.data, <uint32_t>text.size, 0
    return not text.failed


cdef inline NameNode* find_in(Core* core, bint debounce, const Slice* name, uint64_t hash) noexcept nogil:
    cdef uint32_t shard = <uint32_t>(hash & (SHARDS - 1))
    if debounce:
        return name_find(&core.shards[shard].debounces, hash, name.ptr, name.size)
    return name_find(&core.shards[shard].uniques, hash, name.ptr, name.size)


cdef int debounce_check(Core* core, Queue* queue, const PushItem* item) noexcept nogil:
    cdef Slice name
    cdef NameNode* node
    cdef Debounce* debounce
    if not has(item, BIT_DEBOUNCE_ID) or item.debounce_id.size == 0:
        return OK
    if not scoped(core, queue, &item.debounce_id, &name):
        return NO_MEMORY
    node = find_in(core, True, &name, name_hash(name.ptr, name.size))
    if node == NULL:
        return OK
    debounce = (<DebounceName*>node).debounce
    if debounce.generation >= queue.obliterated:
        return DEBOUNCED
    debounce_end(core, debounce)            # it was opened before the queue was obliterated
    return OK


cdef inline uint64_t unique_hash(const Queue* queue, const PushItem* item) noexcept nogil:
    return item.unique_hash if has(item, BIT_HASHED) else scoped_hash(queue, &item.unique_key)


cdef int unique_check(Core* core, Queue* queue, const PushItem* item, uint64_t* holder) noexcept nogil:
    cdef Slice name
    cdef Relations* relations
    cdef uint64_t hash
    if not has(item, BIT_UNIQUE_KEY) or item.unique_key.size == 0:
        return OK
    hash = unique_hash(queue, item)
    if name_absent(&core.shards[hash & (SHARDS - 1)].uniques, hash):
        return OK                           # mostly: without the text of the name
    if not scoped(core, queue, &item.unique_key, &name):
        return NO_MEMORY
    relations = <Relations*>find_in(core, False, &name, hash)
    if relations == NULL:
        return OK
    if not job_gone(relations.job):
        holder[0] = relations.job.id
        return DUPLICATE_KEY
    unique_release(core, relations.job)
    return OK


cdef void debounce_open(Core* core, Queue* queue, const PushItem* item) noexcept nogil:
    cdef Slice name
    cdef Debounce* debounce
    cdef uint64_t window = item.debounce_ttl if has(item, BIT_DEBOUNCE_TTL) else DEBOUNCE_MS
    if not has(item, BIT_DEBOUNCE_ID) or item.debounce_id.size == 0 or window == 0:
        return
    if not scoped(core, queue, &item.debounce_id, &name):
        return
    debounce = debounce_make(core, &name, window, queue.generation)
    if debounce != NULL:
        record_debounce(core, debounce, saturated(core.now, window))


cdef int debounce_restore(Core* core, const Slice* name, uint64_t expires, uint32_t generation) noexcept nogil:
    cdef NameNode* node = find_in(core, True, name, name_hash(name.ptr, name.size))
    if node != NULL:
        debounce_end(core, (<DebounceName*>node).debounce)
    if expires <= core.now:
        return OK
    return OK if debounce_make(core, name, expires - core.now, generation) != NULL else NO_MEMORY


cdef Debounce* debounce_make(Core* core, const Slice* name, uint64_t window, uint32_t generation) noexcept nogil:
    """A window of this scoped name that is open from now on; NULL: no memory."""
    cdef Debounce* debounce = <Debounce*>slab_take(&core.debounces_slab)
    cdef uint64_t hash = name_hash(name.ptr, name.size)
    if debounce == NULL:
        return NULL
    memset(debounce, 0, sizeof(Debounce))
    debounce.shard = <uint32_t>(hash & (SHARDS - 1))
    debounce.timer.kind = NODE_DEBOUNCE
    debounce.generation = generation
    debounce.text = keep(core, name, &debounce.size)
    debounce.name.debounce = debounce
    debounce.name.node.name, debounce.name.node.size = debounce.text, debounce.size
    debounce.name.node.hash = hash
    if debounce.text != NULL and heap_push(&core.timers, core.mono + window, 0, &debounce.timer) == OK:
        if name_add(&core.shards[debounce.shard].debounces, &debounce.name.node) == OK:
            deadline_lower(core, core.mono + window)
            return debounce
        heap_remove(&core.timers, &debounce.timer)
    if debounce.text != NULL:
        blob_give(&core.blobs, debounce.text, debounce.size)
    slab_give(&core.debounces_slab, debounce)
    return NULL


cdef void debounce_end(Core* core, Debounce* debounce) noexcept nogil:
    if debounce.timer.pos:
        heap_remove(&core.timers, &debounce.timer)
    name_remove(&core.shards[debounce.shard].debounces, &debounce.name.node)
    blob_give(&core.blobs, debounce.text, debounce.size)
    slab_give(&core.debounces_slab, debounce)


# A job's relations

cdef Relations* job_relations(Core* core, Job* job) noexcept nogil:
    cdef Extra* extra = job_extra(core, job)
    if extra != NULL and extra.relations == NULL:
        extra.relations = <Relations*>slab_take(&core.relations)
        if extra.relations != NULL:
            memset(extra.relations, 0, sizeof(Relations))
            extra.relations.job = job
    return NULL if extra == NULL else extra.relations


cdef int relations_make(Core* core, Queue* queue, Job* job, const PushItem* item, Format format) noexcept nogil:
    cdef Relations* relations
    cdef int awaited = awaited_of(item, format)
    cdef bint unique = has(item, BIT_UNIQUE_KEY) and item.unique_key.size != 0
    cdef bint grouped = has(item, BIT_GROUP_ID) and item.group_id.size != 0
    cdef uint64_t keep_age = item.keep_completed_age if has(item, BIT_KEEP_COMPLETED_AGE) else 0
    cdef uint64_t keep_count = item.keep_completed_count if has(item, BIT_KEEP_COMPLETED_COUNT) else 0
    cdef bint named = has(item, BIT_NAME) and item.name.size != 0
    cdef uint32_t version = <uint32_t>item.version if has(item, BIT_VERSION) else 0
    cdef int i
    if (not unique and not grouped and not named and version == 0 and awaited == 0 and keep_age == 0
            and keep_count == 0 and not has(item, BIT_FLOW)):
        return OK                           # options that say nothing cost nothing
    relations = job_relations(core, job)
    if relations == NULL:
        return NO_MEMORY
    relations.keep_age = keep_age
    relations.keep_count = keep_count
    if grouped:
        relations.group = keep(core, &item.group_id, &relations.group_size)
        if relations.group == NULL:
            return NO_MEMORY
    relations.version = version
    if named:
        relations.name = keep(core, &item.name, &relations.name_size)
        if relations.name == NULL:
            return NO_MEMORY
        if lanes_full(queue, relations):
            return TOO_MANY_NAMES
    relations.on_parent_failure = <uint8_t>(item.on_parent_failure if has(item, BIT_ON_PARENT_FAILURE) else 0)
    if unique and not unique_make(core, queue, relations, item):
        return NO_MEMORY
    if awaited:
        relations.depends_on = keep(core, &item.depends_on, &relations.depends_on_size)
        if relations.depends_on == NULL:
            return NO_MEMORY
    for i in range(awaited):
        if not edge_make(core, relations, AWAITED[i], False, <OnParentFailure>relations.on_parent_failure):
            return NO_MEMORY
    if has(item, BIT_FLOW) and not flow_make(core, relations, item):
        return NO_MEMORY
    if relations.unmet:
        job.state = STATE_WAITING_CHILDREN
    return OK


cdef int awaited_of(const PushItem* item, Format format) noexcept nogil:
    """The ids of `depends_on` into AWAITED; how many."""
    if not has(item, BIT_DEPENDS_ON):
        return 0
    if format == JSON:
        return json_id_list(&item.depends_on, AWAITED, MAX_DEPENDS_ON)
    return msgpack_id_list(&item.depends_on, AWAITED, MAX_DEPENDS_ON)


cdef bint flow_make(Core* core, Relations* relations, const PushItem* item) noexcept nogil:
    cdef uint32_t i
    relations.parent_id = item.flow_parent
    if item.flow_count == 0:
        return True
    relations.children = <uint64_t*>blob_take(&core.blobs, item.flow_count * <uint32_t>ID_BYTES)
    if relations.children == NULL:
        return False
    relations.children_count = item.flow_count
    relations.fail_parent = <uint8_t>item.flow_fails
    memcpy(relations.children, item.flow_children, item.flow_count * <uint32_t>ID_BYTES)
    for i in range(item.flow_count):
        if not edge_make(core, relations, relations.children[i], True, PARENT_FAIL if item.flow_fails else PARENT_WAIT):
            return False
    return True


cdef bint unique_make(Core* core, Queue* queue, Relations* relations, const PushItem* item) noexcept nogil:
    cdef uint32_t at = queue.name.size + 1
    cdef uint32_t size = at + item.unique_key.size
    cdef uint8_t* text = blob_take(&core.blobs, size)
    if text == NULL:
        return False
    memcpy(text, queue.text, queue.name.size)       # as `scoped`, straight to its place
    text[at - 1] = 0
    memcpy(text + at, item.unique_key.ptr, item.unique_key.size)
    relations.unique_text, relations.unique_size, relations.key_at = text, size, at
    return unique_hold(core, relations, unique_hash(queue, item))


cdef bint unique_hold(Core* core, Relations* relations, uint64_t hash) noexcept nogil:
    relations.unique.name, relations.unique.size = relations.unique_text, relations.unique_size
    relations.unique.hash = hash
    if name_add(&core.shards[relations.unique.hash & (SHARDS - 1)].uniques, &relations.unique) == OK:
        return True
    relations.unique.name = NULL
    return False


cdef void unique_release(Core* core, Job* job) noexcept nogil:
    cdef Relations* relations = NULL if job.extra == NULL else job.extra.relations
    if relations != NULL and relations.unique.name != NULL:
        name_remove(&core.shards[relations.unique.hash & (SHARDS - 1)].uniques, &relations.unique)
        relations.unique.name = NULL


cdef void unique_regain(Core* core, Job* job) noexcept nogil:
    cdef Relations* relations = NULL if job.extra == NULL else job.extra.relations
    cdef Relations* holder
    cdef Slice name
    cdef uint64_t hash
    if relations == NULL or relations.unique_text == NULL or relations.unique.name != NULL:
        return
    name.ptr, name.size, name.flags = relations.unique_text, relations.unique_size, 0
    hash = name_hash(name.ptr, name.size)
    holder = <Relations*>find_in(core, False, &name, hash)
    if holder != NULL and job_gone(holder.job):
        unique_release(core, holder.job)
        holder = NULL
    if holder == NULL:
        unique_hold(core, relations, hash)


cdef void relations_free(Core* core, Relations* relations) noexcept nogil:
    if relations.unique.name != NULL:
        unique_release(core, relations.job)
    if relations.unique_text != NULL:
        blob_give(&core.blobs, relations.unique_text, relations.unique_size)
    if relations.depends_on != NULL:
        blob_give(&core.blobs, relations.depends_on, relations.depends_on_size)
    if relations.children != NULL:
        blob_give(&core.blobs, <uint8_t*>relations.children, relations.children_count * <uint32_t>ID_BYTES)
    if relations.met != NULL:
        blob_give(&core.blobs, <uint8_t*>relations.met, relations.met_count * <uint32_t>ID_BYTES)
    if relations.group != NULL:
        blob_give(&core.blobs, relations.group, relations.group_size)
    if relations.name != NULL:
        blob_give(&core.blobs, relations.name, relations.name_size)
    edges_free(core, relations)
    slab_give(&core.relations, relations)
