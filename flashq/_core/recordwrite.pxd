"""Records written into any buffer: the log's or a checkpoint's. recordwrite.pyx says the format."""
from flashq._core.buffer cimport WriteBuffer, buffer_room
from flashq._core.job cimport Attempt, Job, LogEntry
from flashq._core.recordfields cimport put8
from flashq._core.records cimport RecordKind
from flashq._core.request cimport Slice
from flashq._core.state cimport Debounce, Owner, PushKey, Queue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    FIXED_ROOM = 96             # more than the numbers of any of these records take, with the sizes of its texts

# Without memory they set `failed` of the buffer. `counts` and `how` as in records.pxd.
cdef void write_job(WriteBuffer* out, const Job* job, bint counts) noexcept nogil
cdef void write_state(WriteBuffer* out, const Job* job, bint counts) noexcept nogil
cdef void write_attempt(WriteBuffer* out, uint64_t id, const Attempt* attempt) noexcept nogil
cdef void write_losses(WriteBuffer* out, const Job* job) noexcept nogil
cdef void write_ties(WriteBuffer* out, const Job* job) noexcept nogil
cdef void write_log(WriteBuffer* out, uint64_t id, const LogEntry* entry, uint32_t number) noexcept nogil
cdef void write_gone(WriteBuffer* out, uint64_t id, uint8_t how) noexcept nogil
cdef void write_queue(WriteBuffer* out, const Queue* queue) noexcept nogil
cdef void write_clear(WriteBuffer* out, const Queue* queue, bint obliterates) noexcept nogil
cdef void write_push_key(WriteBuffer* out, const PushKey* key) noexcept nogil
cdef void write_debounce(WriteBuffer* out, const Debounce* debounce, uint64_t expires) noexcept nogil
cdef void write_entry(WriteBuffer* out, uint8_t space, const Slice* key, const Slice* value) noexcept nogil

cdef inline uint8_t* room(WriteBuffer* out, RecordKind kind, size_t texts) noexcept nogil:
    """Where the record goes on after its kind, with room for it; NULL: no memory."""
    cdef uint8_t* at = buffer_room(out, FIXED_ROOM + texts)
    return NULL if at == NULL else put8(at, <uint8_t>kind)

cdef inline const Owner* session_of(const Job* job) noexcept nogil:
    """The worker that holds the job, if its connection named a session; else NULL."""
    cdef const Owner* owner = <const Owner*>job.delivery.owner if job.delivery != NULL else NULL
    return owner if owner != NULL and owner.session.node.name != NULL else NULL
