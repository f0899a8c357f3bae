"""Reading jobs: by custom id, in batches, by queue and state in pages, their logs, dead letters and counts."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.buffer cimport copied
from flashq._core.engine cimport Engine, job_bytes
from flashq._core.groups cimport queue_waiting
from flashq._core.job cimport LOG_ENTRIES, Extra, Job, Log, LogEntry
from flashq._core.jobs cimport job_find, job_gone
from flashq._core.listing cimport listing_page, listing_total
from flashq._core.namemap cimport name_find, name_hash
from flashq._core.request cimport MAX_BATCH
from flashq._core.shardmap cimport NOTHING, SHARD_BITS, SHARDS, IdTable, id_next
from flashq._core.state cimport COMPLETED, Core, Queue

from flashq._core.engine import STATES


cdef class Browser:
    """Reads the jobs of one engine."""
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    def by_custom_id(self, str name, bint msgpack):
        """(Job, state) of the job that holds the custom id; (None, "unknown") when there is none."""
        cdef bytes text = name.encode("utf-8", "surrogatepass")
        cdef uint64_t hash = name_hash(<const unsigned char*><char*>text, <size_t>len(text))
        cdef Core* core = &self.engine.core
        cdef Extra* extra = <Extra*>name_find(&core.shards[hash & (SHARDS - 1)].customs, hash,
                                              <const unsigned char*><char*>text, <uint32_t>len(text))
        if extra == NULL or job_gone(extra.job):
            return None, "unknown"
        return job_bytes(core, extra.job, msgpack, True), STATES[extra.job.state]

    def batch(self, ids, bint msgpack):
        """[Job] of those of the ids whose data is kept, in the order given; fewer when they grow large."""
        page = _Page(self.engine.core.limits.reply_size // 2)
        for id in ids:
            job, _ = self.engine.get_job(id, msgpack, False)
            if job is not None and not page.add(job):
                break
        return page.jobs

    def logs(self, uint64_t id):
        """[{timestamp, message, level}] of the job, oldest first; empty for an unknown one."""
        cdef Job* job = job_find(&self.engine.core, id)
        cdef Log* log
        cdef LogEntry* entry
        cdef uint32_t i
        if job == NULL or job == COMPLETED() or job.extra == NULL or job.extra.log == NULL:
            return []
        log = job.extra.log
        found = []
        for i in range(log.count):
            entry = &log.entries[(log.first + i) % LOG_ENTRIES]
            found.append({"timestamp": entry.at,
                          "message": copied(entry.text, entry.size).decode("utf-8", "replace"),
                          "level": copied(entry.level, entry.level_size).decode("utf-8", "ignore")})    # may be cut
        return found

    def counts(self, str queue):
        """Jobs of the queue by state: waiting, active, delayed, completed, failed, blocked."""
        cdef Queue* found = self.engine.find_queue(queue)
        if found == NULL:
            return {"waiting": 0, "active": 0, "delayed": 0, "completed": 0, "failed": 0, "blocked": 0}
        return {"waiting": queue_waiting(found), "active": found.active.count, "delayed": found.delayed.count,
                "completed": found.completed, "failed": found.dead.count, "blocked": found.blocked.count}

    def dead(self, str queue, uint64_t count, bint msgpack):
        """The queue's dead letters, oldest first, at most `count`; fewer when they grow large."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef Job* job = NULL if found == NULL else found.dead.first
        page = _Page(self.engine.core.limits.reply_size)
        while job != NULL and <uint64_t>len(page.jobs) < count:
            if not page.add(job_bytes(&self.engine.core, job, msgpack, True)):
                break
            job = job.place.links.next
        return page.jobs

    def page(self, queue, state, uint64_t limit, uint64_t offset, bint msgpack):
        """([Job], total) of a queue or all (None), in a state or all (None), newest first; at most 1000.

        Fewer than asked for when they grow large: each may be shown twice.
        """
        cdef Core* core = &self.engine.core
        cdef Queue* only = NULL
        cdef int wanted = -1 if state is None else STATES.index(state)
        cdef Job* found[MAX_BATCH]
        cdef uint64_t count, i
        if queue is not None:
            only = self.engine.find_queue(queue)
            if only == NULL:
                return [], 0
        count = listing_page(core, only, wanted, offset, min(limit, <uint64_t>MAX_BATCH), found)
        page = _Page(core.limits.reply_size // 2)
        for i in range(count):
            if not page.add(job_bytes(core, found[i], msgpack)):
                break
        return page.jobs, listing_total(core, only, wanted)

    def job_ids(self, uint64_t after, uint64_t limit):
        """Ids of jobs that are kept whole, at most `limit`, in an order of their own: those behind the id `after` (0:
        the first ones). Empty at the end. Cost: what is passed, not all there is."""
        cdef Core* core = &self.engine.core
        cdef uint64_t sequence = after >> SHARD_BITS
        cdef uint32_t shard
        cdef IdTable* ids
        cdef Job* job
        found = []
        for shard in range(<uint32_t>(after & (SHARDS - 1)), <uint32_t>SHARDS):
            ids = &core.shards[shard].ids
            while <uint64_t>len(found) < limit:
                sequence = id_next(ids, sequence + 1)
                if sequence == <uint64_t>NOTHING:
                    break
                job = job_find(core, sequence << SHARD_BITS | shard)
                if job != NULL and job != COMPLETED():
                    found.append(sequence << SHARD_BITS | shard)
            sequence = 0
        return found


cdef class _Page:
    """Jobs for one reply, as many as it has room for; the first always has."""
    cdef readonly list jobs
    cdef uint64_t left

    def __init__(self, uint64_t size):
        self.jobs = []
        self.left = size

    cpdef bint add(self, bytes job):
        """Whether there was room."""
        cdef uint64_t size = <uint64_t>len(job)
        if size > self.left and self.jobs:
            return False
        self.jobs.append(job)
        self.left -= min(size, self.left)
        return True
