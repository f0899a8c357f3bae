"""Answers of pushes by their keys, each for five minutes. A push without a key pays for none of it.

A queue stays while keys of it are remembered: its generations tell which of them an obliteration ended.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.heap cimport heap_move, heap_push, heap_remove
from flashq._core.jobs cimport keep, saturated
from flashq._core.namemap cimport NameNode, name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport deadline_lower, queue_find
from flashq._core.records cimport record_push_key
from flashq._core.relations cimport scoped
from flashq._core.request cimport BIT_PUSH_KEY, has
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport NODE_PUSH_KEY, PushKeyName
from flashq._core.status cimport NO_MEMORY, OK, PUSH_KEY_TAKEN


cdef int push_key_open(Core* core, Queue* queue, const Slice* key, bint batch, uint32_t count,
                       PushKey** out) noexcept nogil:
    cdef Slice name
    cdef uint64_t hash
    if not scoped(core, queue, key, &name):
        return NO_MEMORY
    hash = name_hash(name.ptr, name.size)
    out[0] = find(core, queue, &name, hash)
    if out[0] == NULL:
        out[0] = make(core, queue, &name, hash, batch, count)
        return NO_MEMORY if out[0] == NULL else OK
    return OK if out[0].batch == batch and out[0].count == count else PUSH_KEY_TAKEN


cdef void push_key_settle(Core* core, PushKey* key, uint32_t taken) noexcept nogil:
    cdef uint64_t when = core.mono + PUSH_KEY_MS
    if taken:
        key.expires = saturated(core.now, PUSH_KEY_MS)
        heap_move(&core.timers, &key.timer, when, 0)
        deadline_lower(core, when)
        record_push_key(core, key)
    elif key.position == 0:
        push_key_end(core, key)


cdef int push_key_restore(Core* core, Queue* queue, const Slice* text, bint batch, const uint64_t* ids, uint32_t count,
                          uint64_t expires, uint32_t generation) noexcept nogil:
    cdef uint64_t when = core.mono + (expires - core.now if expires > core.now else 0)
    cdef Slice name
    cdef uint64_t hash
    cdef NameNode* node
    cdef PushKey* key
    if not scoped(core, queue, text, &name):
        return NO_MEMORY
    hash = name_hash(name.ptr, name.size)
    node = name_find(&core.shards[queue.shard].push_keys, hash, name.ptr, name.size)
    if node != NULL:
        push_key_end(core, (<PushKeyName*>node).key)
    key = make(core, queue, &name, hash, batch, count)
    if key == NULL:
        return NO_MEMORY
    memcpy(key.ids, ids, count * sizeof(uint64_t))
    # While records are read the core counts none; 0 would mean that no push was answered by the key yet.
    key.expires, key.generation, key.position = expires, generation, max(core.position, <uint64_t>1)
    heap_move(&core.timers, &key.timer, when, 0)
    deadline_lower(core, when)
    return OK


cdef void push_key_end(Core* core, PushKey* key) noexcept nogil:
    name_remove(&core.shards[key.queue.shard].push_keys, &key.name.node)
    key.queue.push_keys -= 1
    give(core, key)


cdef bint push_key_answers(Core* core, const Request* request) noexcept nogil:
    cdef Queue* queue
    cdef PushKey* key
    cdef Slice name
    cdef uint32_t i
    if not has(&request.item, BIT_PUSH_KEY) or request.push_key.size == 0:
        return False
    queue = queue_find(core, request.queue.ptr, request.queue.size)
    if queue == NULL or not scoped(core, queue, &request.push_key, &name):
        return False
    key = find(core, queue, &name, name_hash(name.ptr, name.size))
    if key == NULL:
        return False
    for i in range(key.count):
        if key.ids[i] == 0:
            return False
    return True


cdef PushKey* find(Core* core, Queue* queue, const Slice* name, uint64_t hash) noexcept nogil:
    """The key of this scoped name, or NULL. One that an obliteration of the queue ended goes here."""
    cdef NameNode* node = name_find(&core.shards[queue.shard].push_keys, hash, name.ptr, name.size)
    cdef PushKey* key
    if node == NULL:
        return NULL
    key = (<PushKeyName*>node).key          # the node is its first member
    if key.generation >= queue.obliterated:
        return key
    push_key_end(core, key)
    return NULL


cdef PushKey* make(Core* core, Queue* queue, const Slice* name, uint64_t hash, bint batch,
                   uint32_t count) noexcept nogil:
    """A key that holds no id yet, with all the memory and the place in the timers that it will need; or NULL."""
    cdef PushKey* key = <PushKey*>slab_take(&core.push_keys)
    if key == NULL:
        return NULL
    memset(key, 0, sizeof(PushKey))
    key.timer.kind = NODE_PUSH_KEY
    key.queue = queue
    key.generation = queue.generation
    key.batch, key.count = batch, count
    key.text = keep(core, name, &key.name.node.size)
    key.ids = <uint64_t*>blob_take(&core.blobs, ids_bytes(key))
    key.name.key = key
    key.name.node.name, key.name.node.hash = key.text, hash
    if (key.text == NULL or key.ids == NULL
            or heap_push(&core.timers, core.mono + PUSH_KEY_MS, 0, &key.timer) != OK
            or name_add(&core.shards[queue.shard].push_keys, &key.name.node) != OK):
        give(core, key)
        return NULL
    memset(key.ids, 0, ids_bytes(key))
    queue.push_keys += 1
    return key


cdef inline uint32_t ids_bytes(const PushKey* key) noexcept nogil:
    """Of its blob, which an empty batch has too."""
    return max(key.count, <uint32_t>1) * <uint32_t>sizeof(uint64_t)


cdef void give(Core* core, PushKey* key) noexcept nogil:
    """What the key has of its memory; it is found by nobody."""
    if key.timer.pos:
        heap_remove(&core.timers, &key.timer)
    if key.ids != NULL:
        blob_give(&core.blobs, <uint8_t*>key.ids, ids_bytes(key))
    if key.text != NULL:
        blob_give(&core.blobs, key.text, key.name.node.size)
    slab_give(&core.push_keys, key)
