"""Reading jobs: by custom id, in batches, by queue and state in pages, their logs, dead letters and counts.

Lists are newest first, by id within a queue and by creation over several. A page costs what stands before it: it walks
the lists of the states that are asked for when these are short, else the id table downwards from the newest.
"""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.engine cimport Engine, copied, job_bytes
from flashq._core.job cimport LOG_ENTRIES, Extra, Job, Log, LogEntry
from flashq._core.jobs cimport job_find, job_gone
from flashq._core.shardmap cimport NOTHING, SHARDS, id_get, id_previous, name_find, name_hash
from flashq._core.state cimport COMPLETED, Core, Queue

import heapq

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
        return job_bytes(core, extra.job, msgpack), STATES[extra.job.state]

    def batch(self, ids, bint msgpack):
        """[(Job, state)] of those of the ids whose data is kept, in the order given."""
        found = []
        for id in ids:
            data, state = self.engine.get_job(id, msgpack)
            if data is not None:
                found.append((data, state))
        return found

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
                          "level": copied(entry.level, entry.level_size).decode("utf-8", "replace")})
        return found

    def counts(self, str queue):
        """Jobs of the queue by state: waiting, active, delayed, completed, failed, blocked."""
        cdef Queue* found = self.engine.find_queue(queue)
        if found == NULL:
            return {"waiting": 0, "active": 0, "delayed": 0, "completed": 0, "failed": 0, "blocked": 0}
        return {"waiting": found.ready.count, "active": found.active.count, "delayed": found.delayed.count,
                "completed": found.completed, "failed": found.dead.count, "blocked": found.blocked.count}

    def dead(self, str queue, uint64_t count, bint msgpack):
        """The queue's dead letters, oldest first, at most `count`."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef Job* job = NULL if found == NULL else found.dead.first
        jobs = []
        while job != NULL and <uint64_t>len(jobs) < count:
            jobs.append(job_bytes(&self.engine.core, job, msgpack))
            job = job.place.links.next
        return jobs

    def page(self, queue, state, uint64_t limit, uint64_t offset, bint msgpack):
        """([(Job, state)], total) of a queue or all (None), in a state or all (None), newest first."""
        cdef Queue* only = NULL
        cdef int wanted = -1 if state is None else STATES.index(state)
        if queue is not None:
            only = self.engine.find_queue(queue)
            if only == NULL:
                return [], 0
        total = self._total(only, wanted)
        if offset >= total:
            return [], total
        shards = [only.shard] if only != NULL else range(SHARDS)
        walks = [self._walk(shard, <size_t>only, wanted, total) for shard in shards]
        merged = walks[0] if only != NULL else heapq.merge(*walks, reverse=True)
        jobs = []
        for place, (_, id) in enumerate(merged):
            if place >= offset + limit:
                break
            if place >= offset:
                jobs.append(self.engine.get_job(id, msgpack))
        return jobs, total

    cdef uint64_t _total(self, Queue* only, int wanted):
        cdef Queue* queue = only if only != NULL else self.engine.core.first_queue
        cdef uint64_t total = 0
        while queue != NULL:
            for number, count in enumerate((queue.ready.count, queue.delayed.count, queue.active.count, queue.held,
                                            queue.dead.count, queue.blocked.count)):
                if wanted < 0 or wanted == number:
                    total += count
            if only != NULL:
                break
            queue = queue.next
        return total

    def _walk(self, uint32_t shard, size_t only, int wanted, uint64_t total):
        """(created_at, id) of the shard's jobs that match, newest first, until all `total` were seen."""
        cdef Core* core = &self.engine.core
        cdef uint64_t sequence = core.shards[shard].next_sequence
        cdef uint64_t seen = 0
        cdef Job* job
        while sequence and seen < total:
            sequence = id_previous(&core.shards[shard].ids, sequence - 1)
            if sequence == <uint64_t>NOTHING:
                return
            job = <Job*>id_get(&core.shards[shard].ids, sequence)
            if job == COMPLETED() or job_gone(job):
                continue
            if (only == 0 or <size_t>job.queue == only) and (wanted < 0 or job.state == wanted):
                seen += 1
                yield job.created_at, job.id
