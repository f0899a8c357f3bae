"""Jobs in memory: created whole or not at all, found by id or custom id, freed with everything they own."""
from flashq._core.job cimport STATE_COMPLETED, STATE_DELAYED, Extra, Job, LogEntry
from flashq._core.request cimport Format, PushItem, Slice
from flashq._core.shardmap cimport SHARDS
from flashq._core.state cimport Core, Owner, Queue, Shard
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef Job* job_find(Core* core, uint64_t id) noexcept nogil         # NULL: unknown; COMPLETED(): only that is known
cdef Job* job_active(Core* core, uint64_t id) noexcept nogil       # NULL unless active
# OK or NO_MEMORY, and then nothing was changed. When item's custom id names a living job, `id` is that job's and
# `shown` its position, and nothing was changed either; likewise when item's `on_duplicate` wants the job that holds its
# unique key, but that `replace` gives that job the payload.
cdef int job_create(Core* core, Queue* queue, const PushItem* item, Format format, uint64_t* id,
                    uint64_t* shown) noexcept nogil
cdef Extra* job_extra(Core* core, Job* job) noexcept nogil         # its side struct, made when missing; NULL: no memory
cdef void job_set_message(Core* core, Job* job, const uint8_t* text, uint32_t size) noexcept nogil   # 0 clears
cdef int job_arm(Core* core, Job* job) noexcept nogil              # its timer to its earliest deadline; OK or NO_MEMORY
# An entry of its log, dated now; level NULL is `info`. The oldest of LOG_ENTRIES makes room. OK or NO_MEMORY
cdef int job_log(Core* core, Job* job, const Slice* message, const Slice* level) noexcept nogil
# The same with a date of its own, and no record; NULL: no memory.
cdef LogEntry* log_append(Core* core, Job* job, const Slice* message, const Slice* level, uint64_t at) noexcept nogil
cdef void extra_free(Core* core, Extra* extra) noexcept nogil      # with all that hangs on it
cdef void job_free(Core* core, Job* job) noexcept nogil            # when it stands nowhere; its id entry stays

cdef inline bint job_gone(const Job* job) noexcept nogil:
    """Whether a drain or an obliterate took it: unknown to all from then on, its memory follows in slices."""
    cdef const Queue* queue = <const Queue*>job.queue
    if job.state <= STATE_DELAYED:
        return job.generation < queue.drained
    return job.state != STATE_COMPLETED and job.generation < queue.obliterated

cdef inline Shard* job_shard(Core* core, const Job* job) noexcept nogil:
    return &core.shards[job.id & (SHARDS - 1)]

cdef inline uint64_t saturated(uint64_t now, uint64_t more) noexcept nogil:
    """Their sum; times end where JavaScript's integers do, at 2^53 - 1."""
    cdef uint64_t last = 0x1FFFFFFFFFFFFFULL
    return last if now > last or more > last - now else now + more

cdef uint32_t copy_value(uint8_t* out, const Slice* value) noexcept nogil    # without CR, LF; the bytes written
cdef uint8_t* keep(Core* core, const Slice* value, uint32_t* size) noexcept nogil   # an owned blob; NULL: no memory
