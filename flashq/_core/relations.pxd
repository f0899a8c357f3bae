"""What ties jobs together: unique keys, debounce windows, dependencies, the children of a flow."""
from flashq._core.job cimport Job, Relations
from flashq._core.namemap cimport name_hash_on
from flashq._core.request cimport Format, PushItem, Slice
from flashq._core.state cimport Core, Debounce, Queue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    MAX_DEPENDS_ON = 1000
    DEBOUNCE_MS = 5000          # when debounce_ttl is left out

# A name within a queue, in Core.text until that is used again; False without memory.
cdef bint scoped(Core* core, const Queue* queue, const Slice* key, Slice* out) noexcept nogil
cdef inline uint64_t scoped_hash(const Queue* queue, const Slice* key) noexcept nogil:
    """name_hash of that name."""
    return name_hash_on(name_hash_on(queue.name.hash, <const uint8_t*>b"\0", 1), key.ptr, key.size)

cdef int debounce_check(Core* core, Queue* queue, const PushItem* item) noexcept nogil     # OK, DEBOUNCED, NO_MEMORY
# OK, or DUPLICATE_KEY and `holder` is the job that holds the key, or NO_MEMORY.
cdef int unique_check(Core* core, Queue* queue, const PushItem* item, uint64_t* holder) noexcept nogil
# After the push was taken: opens its window. Without memory there is none, and the push stands.
cdef void debounce_open(Core* core, Queue* queue, const PushItem* item) noexcept nogil
# As it was recorded; `name` is the queue's, a NUL and the id. OK or NO_MEMORY.
cdef int debounce_restore(Core* core, const Slice* name, uint64_t expires, uint32_t generation) noexcept nogil
cdef void debounce_end(Core* core, Debounce* debounce) noexcept nogil
# A new job's relations; OK or NO_MEMORY (what was taken is freed with the job). `unmet` says how many ids it waits for.
cdef int relations_make(Core* core, Queue* queue, Job* job, const PushItem* item, Format format) noexcept nogil
cdef Relations* job_relations(Core* core, Job* job) noexcept nogil     # made when missing; NULL: no memory
cdef bint unique_hold(Core* core, Relations* relations, uint64_t hash) noexcept nogil    # nobody does; False: no memory
cdef void unique_release(Core* core, Job* job) noexcept nogil          # the key is free again; the job still shows it
cdef void unique_regain(Core* core, Job* job) noexcept nogil           # if nobody took it meanwhile
cdef void relations_free(Core* core, Relations* relations) noexcept nogil
