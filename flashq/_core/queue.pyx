"""Queues by name. A queue costs nothing once it is empty: a sweep gives idle ones back, so names cannot pile up."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from flashq._core.heap cimport heap_remove
from flashq._core.namemap cimport name_add, name_find, name_hash, name_remove
from flashq._core.ready cimport ready_close
from flashq._core.shardmap cimport SHARDS
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport NODE_QUEUE, NO_LIMIT
from flashq._core.status cimport (
    NO_MEMORY, OK, QUEUE_LIMIT, QUEUE_NAME_CHARS, QUEUE_NAME_EMPTY, QUEUE_NAME_LONG,
)


cdef bint _letters(const uint8_t* name, uint32_t size) noexcept with gil:
    """Whether a name with characters past ASCII has only letters and digits of any script, and _ - . besides."""
    try:
        text = name[:size].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(char.isalnum() or char in "_-." for char in text)


cdef int queue_name_check(const uint8_t* name, uint32_t size) noexcept nogil:
    cdef uint32_t i
    cdef uint8_t c
    cdef bint plain = True
    if size == 0:
        return QUEUE_NAME_EMPTY
    if size > QUEUE_NAME_SIZE:
        return QUEUE_NAME_LONG
    for i in range(size):
        c = name[i]
        if c >= 0x80:
            plain = False
        elif not (c'a' <= c <= c'z' or c'A' <= c <= c'Z' or c'0' <= c <= c'9' or c == c'_' or c == c'-' or c == c'.'):
            return QUEUE_NAME_CHARS
    if not plain and not _letters(name, size):
        return QUEUE_NAME_CHARS
    return OK


cdef Queue* queue_find(Core* core, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef Queue* queue = core.recent
    cdef uint64_t hash
    if queue == NULL or queue.name.size != size or memcmp(queue.text, name, size) != 0:
        hash = name_hash(name, size)
        # The node is the queue's first member, so that its address is the queue's.
        queue = <Queue*>name_find(&core.shards[hash % SHARDS].names, hash, name, size)
        if queue == NULL:
            return NULL
        core.recent = queue
    queue.touched = core.mono
    return queue


cdef int queue_open(Core* core, const Slice* name, Queue** out) noexcept nogil:
    cdef int status
    out[0] = queue_find(core, name.ptr, name.size)
    if out[0] != NULL:
        return OK
    status = queue_name_check(name.ptr, name.size)
    if status != OK:
        return status
    if core.queue_count >= core.limits.queue_names:
        queue_sweep(core, core.queue_count, 0)
        if core.queue_count >= core.limits.queue_names:
            return QUEUE_LIMIT
    return _create(core, name, out)


cdef int _create(Core* core, const Slice* name, Queue** out) noexcept nogil:
    cdef Queue* queue = <Queue*>slab_take(&core.queues)
    cdef uint8_t* text = blob_take(&core.blobs, name.size)
    if queue == NULL or text == NULL:
        if queue != NULL:
            slab_give(&core.queues, queue)
        if text != NULL:
            blob_give(&core.blobs, text, name.size)
        return NO_MEMORY
    memcpy(text, name.ptr, name.size)
    memset(queue, 0, sizeof(Queue))
    queue.text = text
    queue.name.name = text
    queue.name.size = name.size
    queue.name.hash = name_hash(text, name.size)
    queue.shard = <uint32_t>(queue.name.hash % SHARDS)
    if name_add(&core.shards[queue.shard].names, &queue.name) != OK:
        blob_give(&core.blobs, text, name.size)
        slab_give(&core.queues, queue)
        return NO_MEMORY
    queue.generation = core.generation      # not 0: records of an older queue of this name may end generations up to it
    queue.rate_limit = <uint64_t>NO_LIMIT
    queue.concurrency_limit = <uint64_t>NO_LIMIT
    queue_ungroup(queue)
    queue.timer.node.kind = NODE_QUEUE
    queue.timer.queue = queue
    queue.ready.levels = &core.levels
    queue.ready.seed = (queue.name.hash ^ core.seed) | 1
    queue.turns.levels, queue.turns.seed = queue.ready.levels, queue.ready.seed
    queue.prev = core.last_queue
    if core.last_queue != NULL:
        core.last_queue.next = queue
    else:
        core.first_queue = queue
    core.last_queue = queue
    core.queue_count += 1
    core.recent = queue
    queue.touched = core.mono
    deadline_lower(core, core.sweep_at)     # from now on there is something to sweep
    out[0] = queue
    return OK


cdef inline bint _idle(const Core* core, const Queue* queue) noexcept nogil:
    """Whether nothing points to the queue; a job in limbo might."""
    return (queue.ready.count == 0 and queue.delayed.count == 0 and queue.active.count == 0 and queue.dead.count == 0
            and queue.blocked.count == 0 and queue.graves == 0 and queue.push_keys == 0
            and queue.rate_limit == <uint64_t>NO_LIMIT
            and queue.concurrency_limit == <uint64_t>NO_LIMIT and not queue_groups_set(queue)
            and queue.group_count == 0 and not queue.passing and queue.first_lane == NULL
            and queue.held == 0 and queue.first_waiter == NULL and not queue.paused and not queue.serving
            and core.limbo.count == 0)


cdef void queue_sweep(Core* core, uint32_t budget, uint64_t idle_ms) noexcept nogil:
    """Look at the `budget` queues at the front, free the idle ones, and move the others to the back."""
    cdef Queue* queue
    while budget > 0 and core.first_queue != NULL:
        budget -= 1
        queue = core.first_queue
        if _idle(core, queue) and core.mono - queue.touched >= idle_ms:
            queue_free(core, queue)
        elif queue.next != NULL:
            core.first_queue = queue.next
            queue.next.prev = NULL
            queue.prev = core.last_queue
            core.last_queue.next = queue
            queue.next = NULL
            core.last_queue = queue


cdef void queue_free(Core* core, Queue* queue) noexcept nogil:
    name_remove(&core.shards[queue.shard].names, &queue.name)
    if queue.prev != NULL:
        queue.prev.next = queue.next
    else:
        core.first_queue = queue.next
    if queue.next != NULL:
        queue.next.prev = queue.prev
    else:
        core.last_queue = queue.prev
    if core.recent == queue:
        core.recent = NULL
    core.queue_count -= 1
    if queue.timer.node.pos:
        heap_remove(&core.timers, &queue.timer.node)
    ready_close(&queue.ready)
    ready_close(&queue.turns)
    blob_give(&core.blobs, queue.text, queue.name.size)
    slab_give(&core.queues, queue)
