"""Push keys: what a push was answered, so that the same push again is answered likewise and makes no job."""
from flashq._core.request cimport Request, Slice
from flashq._core.state cimport Core, PushKey, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    PUSH_KEY_MS = 300000        # for so long after a push took something

# The key of a PUSH, or of a PUSHB of `count` items: OK, PUSH_KEY_TAKEN, NO_MEMORY. Where its `ids` are 0 the push is
# still to be made. All memory that the key needs is taken here, and push_key_settle must follow.
cdef int push_key_open(Core* core, Queue* queue, const Slice* key, bint batch, uint32_t count,
                       PushKey** out) noexcept nogil
# After the push has written `taken` more ids: remembers and records them. A key without any is none: it is gone then.
cdef void push_key_settle(Core* core, PushKey* key, uint32_t taken) noexcept nogil
# As it was recorded, in place of what is known of it. `key` without the queue's name; OK or NO_MEMORY.
cdef int push_key_restore(Core* core, Queue* queue, const Slice* key, bint batch, const uint64_t* ids, uint32_t count,
                          uint64_t expires, uint32_t generation) noexcept nogil
cdef void push_key_end(Core* core, PushKey* key) noexcept nogil
# Whether the request repeats a push all of which was taken, so that its answer takes no memory.
cdef bint push_key_answers(Core* core, const Request* request) noexcept nogil
