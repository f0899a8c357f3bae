"""A recovery on its way: what was read so far, and what all records need. Owner of a Recovery: the Replay."""
from flashq._core.job cimport Job
from flashq._core.recordfields cimport Cursor, Text
from flashq._core.shardmap cimport SHARD_BITS, SHARDS, id_get
from flashq._core.state cimport COMPLETED, Core, Queue, Shard
from flashq._core.status cimport OK
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum Applied:              # what came of a record, beside OK and NO_MEMORY
    UNKNOWN_ID = 1              # it speaks of a job that is not there
    DAMAGED = 2                 # it cannot have been written so; `reason` says why

cdef enum:
    KEY_HELD = 1                # Relations.unique.kind, while it recovers: the key is to be the job's
    STORED_FLAGS = 0x1F         # of JobFlags: those that are recorded

# Until `revive` has run, jobs stand in no line and no map but the id table. `where` of a completed one is IN_DONE when
# its id stands in Recovery.done, and IN_KEPT when a checkpoint told it and did not name its id among the completed.
cdef struct Recovery:           # all zero is one that has seen nothing
    Core* core                  # borrowed
    const char* reason          # static
    uint64_t position           # of the frame at hand
    uint64_t counted            # of TOTALS: counts of records up to there are in it
    uint64_t* done              # owned: completed ids in the order in which they were, some of them gone since
    uint64_t done_count
    uint64_t done_cap
    uint64_t jobs               # in memory
    uint32_t generation         # the highest that was met
    bint log                    # the frame at hand is of the log, not of a checkpoint
    bint tied                   # jobs may wait for others

cdef int queue_of(Recovery* r, const Text* name, Queue** out) noexcept nogil       # made when it is not there
cdef int done_note(Recovery* r, uint64_t id) noexcept nogil        # OK or NO_MEMORY
cdef void sequence_seen(Core* core, uint64_t id) noexcept nogil    # ids go on behind it
cdef void recovery_close(Recovery* r) noexcept nogil
cdef uint8_t* kept(Core* core, const Text* text) noexcept nogil    # an owned blob of a text not empty; NULL: no memory
# Put the text in place of what is there; False without memory.
cdef bint blob_set(Core* core, uint8_t** blob, uint32_t* size, const Text* text) noexcept nogil

cdef inline int damaged(Recovery* r, const char* reason) noexcept nogil:
    r.reason = reason
    return DAMAGED

cdef inline Shard* shard_of(Core* core, uint64_t id) noexcept nogil:
    return &core.shards[id & (SHARDS - 1)]

cdef inline Job* raw_find(Core* core, uint64_t id) noexcept nogil:
    """What the id table has, a job that a bulk removal took included."""
    return <Job*>id_get(&shard_of(core, id).ids, id >> SHARD_BITS)

cdef inline uint64_t counts(const Recovery* r, const Queue* queue) noexcept nogil:
    return 1 if r.position > (queue.counted if queue.counted else r.counted) else 0

cdef inline int found(Recovery* r, Cursor* c, uint64_t id, Job** out) noexcept nogil:
    """The job of a record that was read: OK, UNKNOWN_ID or DAMAGED; NULL when only `completed` is known of it."""
    out[0] = NULL
    if c.short:
        return damaged(r, "the record is cut off")
    out[0] = raw_find(r.core, id)
    if out[0] == NULL:
        return UNKNOWN_ID
    if out[0] == COMPLETED():
        out[0] = NULL
    return OK
