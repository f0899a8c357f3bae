"""A Core out of its records: those of a checkpoint, then those of the log from where the checkpoint began."""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.engine cimport Engine
from flashq._core.pushkeys cimport push_key_restore
from flashq._core.applyjob cimport apply_job, apply_ties
from flashq._core.applylife cimport (
    apply_attempt, apply_done, apply_forget, apply_gone, apply_ids, apply_log, apply_losses, apply_state, apply_taken,
)
from flashq._core.recovery cimport DAMAGED, UNKNOWN_ID, Recovery, queue_of, recovery_close
from flashq._core.recordfields cimport (
    FRAME_HEAD, Cursor, Frame, Text, frame_fits, frame_head, get8, get32, get64, get_text,
)
from flashq._core.records cimport (
    GONE_AWAITED, GONE_OUTCOME, RECORD_ATTEMPT, RECORD_CLEAR, RECORD_COUNTS, RECORD_DEBOUNCE, RECORD_DONE,
    RECORD_ENTRY, RECORD_FORGET, RECORD_GONE, RECORD_IDS, RECORD_JOB, RECORD_LOG, RECORD_LOSSES, RECORD_PUSH_KEY,
    RECORD_QUEUE, RECORD_STATE, RECORD_TAKEN, RECORD_TIES, RECORD_TOTALS,
)
from flashq._core.limits cimport rate_set
from flashq._core.queue cimport queue_ungroup
from flashq._core.relations cimport debounce_restore
from flashq._core.request cimport Slice
from flashq._core.revive cimport revive
from flashq._core.shardmap cimport SHARDS
from flashq._core.state cimport NO_LIMIT, Core, Queue
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    ANY_NUMBER = 0x7FFFFFFF     # of queue names, while recovering: what was there comes back


class DamagedRecord(ValueError):
    """Records that cannot have been written so: `offset` in the bytes that were given, and the reason."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (record at byte {offset})")
        self.offset = offset
        self.reason = reason


cdef int frame_open(const uint8_t* data, size_t size, size_t at, Frame* frame) except -1:
    if size - at < FRAME_HEAD:
        raise DamagedRecord(at, "a frame is cut off")
    frame[0] = frame_head(data + at)
    if not frame_fits(frame, size - at):
        raise DamagedRecord(at, f"a frame says {frame.size - 4} bytes, {size - at - 4} are there")
    return 0


cdef class Replay:
    """Fills an engine that has done nothing yet. Tick the engine before `finish`: leases count from then.

    A checkpoint is fuzzy: what changed while it was made may stand in it in either state. The log from its beginning on
    says all of that again, so that what it was in the end is what counts.
    """
    cdef Engine engine
    cdef Recovery r
    cdef uint64_t began         # the log is read from behind here
    cdef uint64_t ended         # position that the log must have reached
    cdef uint64_t last          # position of the last frame of the log
    cdef uint32_t queue_names   # the setting
    cdef dict unknown           # id that was changed and is not there -> position of that record
    cdef dict gone              # id that others wait for -> Outcome
    cdef readonly dict entries

    def __init__(self, Engine engine):
        self.engine = engine
        self.r.core = &engine.core
        self.unknown, self.gone, self.entries = {}, {}, {}
        self.queue_names = engine.core.limits.queue_names
        engine.core.limits.queue_names = ANY_NUMBER

    def __dealloc__(self):
        recovery_close(&self.r)

    @property
    def position(self):
        """Of the last change that is known."""
        return max(self.last, self.ended)

    @property
    def jobs(self):
        """Jobs in memory so far."""
        return self.r.jobs

    def checkpoint(self, frames):
        """Whole frames of a checkpoint, in order. Raises DamagedRecord, MemoryError."""
        self.read(frames, False)

    def log(self, frames):
        """Whole frames of the log, in order; what was seen is passed over. Raises DamagedRecord, MemoryError."""
        self.read(frames, True)

    cdef int read(self, frames, bint log) except -1:
        cdef Py_buffer view
        PyObject_GetBuffer(frames, &view, PyBUF_SIMPLE)
        try:
            self.frames(<const uint8_t*>view.buf, <size_t>view.len, log)
        finally:
            PyBuffer_Release(&view)
        return 0

    cdef int frames(self, const uint8_t* data, size_t size, bint log) except -1:
        cdef size_t at = 0
        cdef Frame frame
        while at < size:
            frame_open(data, size, at, &frame)
            if not log or frame.position > max(self.began, self.last):
                self.r.position, self.r.log = frame.position, log
                self.records(data, at + FRAME_HEAD, at + frame.size)
                if log:
                    self.last = frame.position
            at += frame.size
        return 0

    cdef int records(self, const uint8_t* data, size_t start, size_t end) except -1:
        cdef Cursor c = Cursor(data + start, data + end, False)
        cdef const uint8_t* record
        cdef int status
        while c.at < c.end:
            record = c.at
            status = self.record(&c)
            if status == OK and c.short:
                status, self.r.reason = DAMAGED, "the record is cut off"
            if status == NO_MEMORY:
                raise MemoryError("recovering jobs")
            if status != OK:
                raise DamagedRecord(<size_t>(record - data), (<bytes>self.r.reason).decode())
        return 0

    cdef int record(self, Cursor* c) except? -1000:
        """Apply the record at the cursor; OK, NO_MEMORY or DAMAGED."""
        cdef uint8_t kind = get8(c)
        cdef uint64_t id = 0
        cdef int how = 0
        cdef int status
        if kind == RECORD_JOB:
            return apply_job(&self.r, c)
        if kind == RECORD_TAKEN:
            status = apply_taken(&self.r, c, &id)
        elif kind == RECORD_DONE:
            status = apply_done(&self.r, c, &id)
        elif kind == RECORD_STATE:
            status = apply_state(&self.r, c, &id)
        elif kind == RECORD_GONE:
            status = apply_gone(&self.r, c, &id, &how)
            self.unknown.pop(id, None)
            if how & GONE_AWAITED:
                self.gone[id] = how & GONE_OUTCOME
        elif kind == RECORD_FORGET:
            status = apply_forget(&self.r, c, &id)
            self.unknown.pop(id, None)
        elif kind == RECORD_TIES:
            status = apply_ties(&self.r, c, &id)
        elif kind == RECORD_ATTEMPT:
            status = apply_attempt(&self.r, c, &id)
        elif kind == RECORD_LOSSES:
            status = apply_losses(&self.r, c, &id)
        elif kind == RECORD_LOG:
            status = apply_log(&self.r, c, &id)
        elif kind == RECORD_IDS:
            return apply_ids(&self.r, c)
        else:
            return self.beside(kind, c)
        if status == UNKNOWN_ID:
            self.unknown.setdefault(id, self.r.position)
            return OK
        return status

    cdef int beside(self, uint8_t kind, Cursor* c) except? -1000:
        """Records of queues, and of what stands beside jobs."""
        if kind == RECORD_QUEUE:
            return self.queue(c)
        if kind == RECORD_CLEAR:
            return self.clear(c)
        if kind == RECORD_PUSH_KEY:
            return self.push_key(c)
        if kind == RECORD_DEBOUNCE:
            return self.debounce(c)
        if kind == RECORD_ENTRY:
            return self.entry(c)
        if kind == RECORD_COUNTS:
            return self.counts(c)
        if kind == RECORD_TOTALS:
            return self.totals(c)
        self.r.reason = "the record is of no known kind"
        return DAMAGED

    cdef int queue(self, Cursor* c) noexcept:
        cdef bint paused = get8(c)
        cdef uint64_t rate = get64(c)
        cdef uint64_t concurrency = get64(c)
        cdef uint64_t group_concurrency = get64(c)
        cdef uint64_t group_rate = get64(c)
        cdef bint fair = get8(c)
        cdef Text name = get_text(c)
        cdef Queue* queue
        cdef int status = OK if c.short else queue_of(&self.r, &name, &queue)
        if c.short or status != OK:
            return status
        queue.paused, queue.concurrency_limit, queue.fair = paused, concurrency, fair
        queue.group_concurrency, queue.group_rate = group_concurrency, group_rate
        rate_set(self.r.core, queue, rate)
        return OK

    cdef int clear(self, Cursor* c):
        cdef uint32_t drained = get32(c)
        cdef uint32_t obliterated = get32(c)
        cdef bint obliterates = get8(c)
        cdef Text name = get_text(c)
        cdef Queue* queue
        cdef int status = OK if c.short else queue_of(&self.r, &name, &queue)
        if c.short or status != OK:
            return status
        self.unknown.clear()                # what it took leaves no record of its own
        queue.drained, queue.obliterated = max(queue.drained, drained), max(queue.obliterated, obliterated)
        self.r.generation = max(self.r.generation, drained, obliterated)
        if obliterates:
            queue.paused = False
            queue.rate_limit = queue.concurrency_limit = <uint64_t>NO_LIMIT
            queue_ungroup(queue)
        return OK

    cdef int push_key(self, Cursor* c) noexcept:
        cdef uint64_t expires = get64(c)
        cdef uint32_t generation = get32(c)
        cdef bint batch = get8(c)
        cdef Text name = get_text(c)
        cdef Text text = get_text(c)
        cdef Text ids = get_text(c)
        cdef Slice key = Slice(text.ptr, text.size, 0)
        cdef Queue* queue
        cdef int status = OK if c.short else queue_of(&self.r, &name, &queue)
        if c.short or status != OK:
            return status
        return push_key_restore(self.r.core, queue, &key, batch, <const uint64_t*>ids.ptr,
                                ids.size // <uint32_t>sizeof(uint64_t), expires, generation)

    cdef int debounce(self, Cursor* c) noexcept:
        cdef uint64_t expires = get64(c)
        cdef uint32_t generation = get32(c)
        cdef Text text = get_text(c)
        cdef Slice name = Slice(text.ptr, text.size, 0)
        return OK if c.short else debounce_restore(self.r.core, &name, expires, generation)

    cdef int entry(self, Cursor* c) except? -1000:
        cdef uint8_t space = get8(c)
        cdef bint present = get8(c)
        cdef Text key = get_text(c)
        cdef Text value = get_text(c)
        if c.short:
            return OK
        if present:
            self.entries[space, key.ptr[:key.size]] = value.ptr[:value.size]
        else:
            self.entries.pop((space, key.ptr[:key.size]), None)
        return OK

    cdef int counts(self, Cursor* c) noexcept:
        cdef uint64_t position = get64(c)
        cdef uint64_t pushed = get64(c)
        cdef uint64_t completed = get64(c)
        cdef uint64_t failed = get64(c)
        cdef Text name = get_text(c)
        cdef Queue* queue
        cdef int status = OK if c.short else queue_of(&self.r, &name, &queue)
        if not c.short and status == OK:
            queue.counted, queue.pushed, queue.completed, queue.failed = position, pushed, completed, failed
        return status

    cdef int totals(self, Cursor* c) noexcept:
        cdef Core* core = self.r.core
        cdef uint32_t i
        self.began, self.ended = get64(c), get64(c)
        self.last = max(self.last, self.began)
        core.pushed, core.completed, core.failed = get64(c), get64(c), get64(c)
        self.r.generation = max(self.r.generation, get32(c))
        for i in range(<uint32_t>SHARDS):
            core.shards[i].next_sequence = max(core.shards[i].next_sequence, get64(c))
        self.r.counted = self.ended
        return OK

    def finish(self, uint64_t ids_ahead=0):
        """Lines, maps and timers; the engine can serve, and records from here on. The number of jobs in each state.

        Ids go on behind the last that is known, `ids_ahead` sequences later in each shard that has had any.

        Raises DamagedRecord, MemoryError; the engine is of no use then.
        """
        cdef Core* core = self.r.core
        cdef int status
        cdef uint32_t i
        if self.last < self.ended:
            raise DamagedRecord(0, f"the log ends at {self.last}, before the checkpoint did, at {self.ended}")
        for id, position in self.unknown.items():
            raise DamagedRecord(0, f"job {id} was changed at position {position}, and nothing says what it was")
        for i in range(<uint32_t>SHARDS):
            if core.shards[i].next_sequence > 1:
                core.shards[i].next_sequence += ids_ahead
        core.position = core.committed = self.position
        core.recording = True
        status = revive(&self.r, self.gone)
        core.limits.queue_names = self.queue_names
        core.next_deadline = core.mono      # the timers look for themselves
        if status == NO_MEMORY:
            raise MemoryError("recovering jobs")
        if status != OK:
            raise DamagedRecord(0, (<bytes>self.r.reason).decode())
        return self.engine.stats()
