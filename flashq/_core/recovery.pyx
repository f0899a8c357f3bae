"""What all records of a recovery need: queues, blobs, the order in which jobs were completed."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from flashq._core.queue cimport queue_open
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.request cimport Slice
from flashq._core.slab cimport blob_give, blob_take
from flashq._core.status cimport NO_MEMORY

cdef enum:
    FIRST_DONE = 1024


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
