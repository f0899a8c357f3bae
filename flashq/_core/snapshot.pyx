"""What the engine holds, as records in slices beside its work: a checkpoint.

It is fuzzy: each slice tells the state of its own time, and the log from `began` on says the rest (see replay.pyx).
Slices go: ids known as completed; jobs, shard by shard; the ids that were completed meanwhile, for of some nothing else
may be known by the time their shard is told; push keys and windows; entries of the server; ids whose end
others have not been told, counts and settings of queues, totals. Counts come last, so that what the log counts past
them is known job by job.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.buffer cimport WriteBuffer, buffer_close, buffer_done, copied
from flashq._core.engine cimport Engine
from flashq._core.job cimport LOG_ENTRIES, STATE_ACTIVE, Attempt, Awaited, Job, Log
from flashq._core.jobs cimport job_gone
from flashq._core.namemap cimport NameNode, name_find, name_hash, name_visit
from flashq._core.queue cimport queue_groups_set
from flashq._core.recordfields cimport put32, put64, put_text
from flashq._core.records cimport (
    GONE_AWAITED, RECORD_COUNTS, RECORD_IDS, RECORD_TOTALS, frame_begin, frame_end,
)
from flashq._core.recordwrite cimport (
    room, write_attempt, write_clear, write_debounce, write_entry, write_gone, write_job, write_log, write_losses,
    write_push_key, write_queue, write_state, write_ties,
)
from flashq._core.recovery cimport raw_find
from flashq._core.request cimport Slice
from flashq._core.shardmap cimport NOTHING, SHARDS, IdTable, id_get, id_next
from flashq._core.state cimport COMPLETED, NO_LIMIT, Core, DebounceName, Queue, PushKeyName

cdef enum:
    IDS_AT_ONCE = 4096
    JOBS_AT_ONCE = 256          # between two looks at how much the slice holds
    QUEUES_AT_ONCE = 64

cdef struct Visit:              # of the names of a map
    WriteBuffer* out
    Core* core


cdef void push_key_visit(NameNode* node, void* context) noexcept nogil:
    cdef Visit* visit = <Visit*>context
    cdef PushKeyName* name = <PushKeyName*>node
    if name.key.position and name.key.generation >= name.key.queue.obliterated:
        write_push_key(visit.out, name.key)


cdef void debounce_visit(NameNode* node, void* context) noexcept nogil:
    cdef Visit* visit = <Visit*>context
    cdef DebounceName* name = <DebounceName*>node
    cdef uint64_t when = visit.core.timers.items[name.debounce.timer.pos].key
    write_debounce(visit.out, name.debounce, visit.core.now + when - visit.core.mono)


cdef void job_write(WriteBuffer* out, const Job* job) noexcept nogil:
    """All records that tell the job."""
    cdef const Attempt* attempt = NULL
    cdef const Log* log
    cdef uint32_t i
    write_job(out, job, False)
    if job.extra == NULL:
        if job.state >= STATE_ACTIVE:
            write_state(out, job, False)
        return
    if job.extra.relations != NULL:
        write_ties(out, job)
    write_state(out, job, False)
    if job.extra.failing != NULL:
        attempt = job.extra.failing.first
    while attempt != NULL:
        write_attempt(out, job.id, attempt)
        attempt = attempt.next
    if job.extra.losses:
        write_losses(out, job)
    log = job.extra.log
    if log != NULL:
        for i in range(log.count):
            write_log(out, job.id, &log.entries[(log.first + i) % LOG_ENTRIES], log.made - log.count + i + 1)


cdef class Snapshot:
    """One checkpoint of an engine. `entries` gives (space, keys, read) for each kind of value that the server keeps
    beside the jobs; read(key) -> bytes, or None when it is gone by now. Create it between two commands.
    """
    cdef Engine engine
    cdef WriteBuffer out
    cdef uint32_t step          # which part is being told
    cdef uint32_t shard
    cdef uint64_t sequence      # the next job of it to look at
    cdef uint64_t id_at         # how many ids were forgotten before the next one to tell
    cdef list entries
    cdef list queues            # names left
    cdef size_t bound           # bytes of the slice at hand
    cdef bint over
    cdef readonly uint64_t began    # position
    cdef readonly uint64_t ended    # position when the last slice was made
    cdef readonly uint64_t done     # jobs told

    def __init__(self, Engine engine, entries=()):
        self.engine = engine
        self.began = engine.core.position
        self.id_at = engine.core.done_forgotten
        self.entries = [(space, key, read) for space, keys, read in entries for key in keys]
        self.entries.reverse()
        self.sequence = 1

    def __dealloc__(self):
        buffer_close(&self.out)

    @property
    def total(self):
        """Jobs in memory, about; `done` may come to be more."""
        cdef uint64_t total = 0
        cdef uint32_t shard
        for shard in range(<uint32_t>SHARDS):
            total += self.engine.core.shards[shard].ids.count
        return total

    def slice(self, size_t max_bytes):
        """Whole frames, about `max_bytes`; b"" when all is told. Raises MemoryError."""
        if self.over:
            return b""
        self.out.size, self.bound = 0, max_bytes
        if not frame_begin(&self.out):
            raise MemoryError("checkpoint")
        while not self.over and self.out.size < max_bytes and not self.out.failed:
            self.go_on()
        if self.out.failed:
            raise MemoryError("checkpoint")
        self.ended = self.engine.core.position
        frame_end(&self.out, 0, self.ended)
        return copied(self.out.data, self.out.size)

    cdef int go_on(self) except -1:
        """A few more records."""
        if self.step == 0 or self.step == 2:
            self.ids()
        elif self.step == 1:
            self.jobs()
        elif self.step == 3:
            self.names()
        elif self.step == 4:
            self.beside()
        elif self.step == 5:
            self.settings()
        else:
            self.totals()
        return 0

    cdef int ids(self) except -1:
        cdef Core* core = &self.engine.core
        cdef uint64_t end = core.done_forgotten + core.done_count
        cdef uint64_t count, i, at
        cdef uint32_t told = 0
        cdef uint8_t* to
        cdef uint8_t* size
        self.id_at = max(self.id_at, core.done_forgotten)
        count = min(end - self.id_at, <uint64_t>IDS_AT_ONCE)
        if count:
            to = room(&self.out, RECORD_IDS, count * sizeof(uint64_t))
            if to == NULL:
                return 0
            size, to = to, to + 4
            for i in range(count):
                at = core.done_first + self.id_at - core.done_forgotten + i
                if at >= core.limits.completed + 2:
                    at -= core.limits.completed + 2
                if is_known(core, core.done_ids[at]):
                    to = put64(to, core.done_ids[at])
                    told += 1
            put32(size, told * <uint32_t>sizeof(uint64_t))
            buffer_done(&self.out, to)
        self.id_at += count
        if self.id_at == end:
            self.step += 1
        return 0

    cdef int jobs(self) except -1:
        cdef Core* core = &self.engine.core
        cdef IdTable* ids = &core.shards[self.shard].ids
        cdef Job* job
        cdef int left = JOBS_AT_ONCE
        while left > 0 and self.out.size < self.bound:
            left -= 1
            job = <Job*>id_get(ids, self.sequence)
            if job == NULL:
                self.sequence = id_next(ids, self.sequence)
                if self.sequence == <uint64_t>NOTHING:
                    break
                continue
            if job != COMPLETED() and (core.awaited_count or not job_gone(job)):
                # Of one that is gone others may still have to hear; the bounds of its queue tell that it is.
                job_write(&self.out, job)
                self.done += 1
            self.sequence += 1
        if self.sequence == <uint64_t>NOTHING:
            self.sequence = 1
            self.shard += 1
            if self.shard == SHARDS:
                self.shard = 0
                self.step += 1
        return 0

    cdef int names(self) except -1:
        """Push keys and windows of a shard in one piece: their maps change between slices."""
        cdef Visit visit = Visit(&self.out, &self.engine.core)
        name_visit(&self.engine.core.shards[self.shard].push_keys, push_key_visit, &visit)
        name_visit(&self.engine.core.shards[self.shard].debounces, debounce_visit, &visit)
        self.shard += 1
        if self.shard == SHARDS:
            self.step += 1
        return 0

    cdef int beside(self) except -1:
        cdef Queue* queue = self.engine.core.first_queue
        cdef Slice name, content
        cdef int left = QUEUES_AT_ONCE
        while self.entries and left > 0 and self.out.size < self.bound:
            left -= 1
            space, key, read = self.entries.pop()
            value = read(key)
            if value is not None:
                name = Slice(<const uint8_t*><char*>key, <uint32_t>len(key), 0)
                content = Slice(<const uint8_t*><char*>value, <uint32_t>len(value), 0)
                write_entry(&self.out, space, &name, &content)
        if not self.entries:
            self.step += 1
            self.queues = []
            while queue != NULL:
                self.queues.append(copied(queue.text, queue.name.size))
                queue = queue.next
        return 0

    cdef int settings(self) except -1:
        """Of queues: what bounds their jobs, how many there were, what is set."""
        cdef Core* core = &self.engine.core
        cdef Queue* queue
        cdef bytes name
        cdef uint8_t* at
        cdef int left = QUEUES_AT_ONCE
        while self.queues and left > 0:
            left -= 1
            name = self.queues.pop()
            queue = named(core, <const uint8_t*><char*>name, <uint32_t>len(name))
            if queue == NULL:
                continue
            if queue.drained or queue.obliterated:
                write_clear(&self.out, queue, False)
            if (queue.paused or queue.rate_limit != <uint64_t>NO_LIMIT or queue_groups_set(queue)
                    or queue.concurrency_limit != <uint64_t>NO_LIMIT):
                write_queue(&self.out, queue)
            at = room(&self.out, RECORD_COUNTS, queue.name.size)
            if at != NULL:
                at = put64(put64(put64(put64(at, core.position), queue.pushed), queue.completed), queue.failed)
                buffer_done(&self.out, put_text(at, queue.text, queue.name.size))
        if not self.queues:
            self.step += 1
        return 0

    cdef int totals(self) except -1:
        """What others wait for and is no more, then the totals: the end."""
        cdef Core* core = &self.engine.core
        cdef const Awaited* awaited = core.first_vain
        cdef uint8_t* at
        cdef uint32_t i
        while awaited != NULL:
            write_gone(&self.out, awaited.id, awaited.gone | <uint8_t>GONE_AWAITED)
            awaited = awaited.next
        awaited = core.first_told
        while awaited != NULL:
            if absent(core, awaited.id):
                write_gone(&self.out, awaited.id, awaited.outcome | <uint8_t>GONE_AWAITED)
            awaited = awaited.next
        at = room(&self.out, RECORD_TOTALS, SHARDS * sizeof(uint64_t))
        if at != NULL:
            at = put64(put64(put64(put64(put64(at, self.began), core.position), core.pushed), core.completed),
                       core.failed)
            at = put32(at, core.generation)
            for i in range(<uint32_t>SHARDS):
                at = put64(at, core.shards[i].next_sequence)
            buffer_done(&self.out, at)
        self.over = True
        return 0


cdef inline Queue* named(Core* core, const uint8_t* name, uint32_t size) noexcept nogil:
    """The queue, whose being looked at is no use of it; NULL when there is none."""
    cdef uint64_t hash = name_hash(name, size)
    return <Queue*>name_find(&core.shards[hash % SHARDS].names, hash, name, size)


cdef inline bint is_known(Core* core, uint64_t id) noexcept nogil:
    """Ids of completed jobs that were cleaned away stay in the ring."""
    return raw_find(core, id) != NULL


cdef inline bint absent(Core* core, uint64_t id) noexcept nogil:
    """Whether a checkpoint says nothing of it: a job that is gone."""
    cdef Job* job = raw_find(core, id)
    return job == NULL or (job != COMPLETED() and job_gone(job))
