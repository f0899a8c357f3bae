"""Controlling queues: limits, dead letters back or away, drain, clean, obliterate."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.bulk cimport queue_drain, queue_obliterate
from flashq._core.failing cimport losses_forgive
from flashq._core.engine cimport Engine, engine_done, limit_of
from flashq._core.events cimport EVENT_REMOVED
from flashq._core.groups cimport groups_look, groups_pass, queue_waiting
from flashq._core.job cimport ENDED_WELL, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, STATE_WAITING, Job
from flashq._core.jobs cimport job_find, job_gone
from flashq._core.lifecycle cimport job_detach, job_place, job_remove
from flashq._core.limits cimport rate_set
from flashq._core.queue cimport GROUP_CONCURRENCY, queue_name_check, queue_wants_service
from flashq._core.records cimport record_queue, record_state
from flashq._core.relations cimport unique_regain
from flashq._core.retention cimport done_clean
from flashq._core.shardmap cimport NOTHING, IdTable, id_get, id_next
from flashq._core.state cimport COMPLETED, NO_LIMIT, Core, JobList, Queue
from flashq._core.status cimport OK

from flashq._core.engine import STATES


cdef enum:
    PASS_AT_ONCE = 1000         # groups looked at by the command that changes their settings; the timers do the rest


cdef class Control:
    """Changes the queues of one engine. Methods that return an int return a count; names that no queue has count 0."""
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    def check_name(self, str queue):
        """OK, or what is wrong with this queue's name, as a Status."""
        cdef bytes name = queue.encode("utf-8", "surrogatepass")
        return queue_name_check(<const uint8_t*><char*>name, <uint32_t>len(name))

    cdef int _limited(self, str queue, limit, Queue** out) except? -1000:
        """The queue, made when it is to have a limit; NULL when there is none to take away. OK or a Status."""
        out[0] = self.engine.find_queue(queue)
        if out[0] != NULL:
            return OK
        return self.check_name(queue) if limit is None else self.engine.open_queue(queue, out)

    def set_rate(self, str queue, limit):
        """At most `limit` deliveries a second, None for no limit. OK or a queue-name Status."""
        cdef Queue* found
        cdef int status = self._limited(queue, limit, &found)
        if status == OK and found != NULL:
            rate_set(&self.engine.core, found, <uint64_t>NO_LIMIT if limit is None else limit)
            self._changed(found)
        return status

    def set_concurrency(self, str queue, limit):
        """At most `limit` active jobs, None for no limit; jobs active already count. OK or a queue-name Status."""
        cdef Queue* found
        cdef int status = self._limited(queue, limit, &found)
        if status == OK and found != NULL:
            found.concurrency_limit = <uint64_t>NO_LIMIT if limit is None else limit
            self._changed(found)
        return status

    def set_groups(self, str queue, uint64_t concurrency, rate, bint fair):
        """At most so many active jobs of each group (1 without a setting), `rate` a second (None: any), in turn.

        OK or a queue-name Status.
        """
        cdef Queue* found
        cdef bint plain = concurrency == <uint64_t>GROUP_CONCURRENCY and rate is None and not fair
        cdef int status = self._limited(queue, None if plain else concurrency, &found)
        if status == OK and found != NULL:
            found.group_concurrency = concurrency
            found.group_rate = <uint64_t>NO_LIMIT if rate is None else rate
            found.fair = fair
            groups_look(&self.engine.core, found)
            groups_pass(&self.engine.core, PASS_AT_ONCE)
            self._changed(found)
        return status

    cdef int _changed(self, Queue* queue) except -1:
        record_queue(&self.engine.core, queue)
        queue_wants_service(&self.engine.core, queue)
        engine_done(&self.engine.core)
        return 0

    def limits(self, str queue):
        """(rate, concurrency) limits, None for none."""
        cdef Queue* found = self.engine.find_queue(queue)
        if found == NULL:
            return None, None
        return limit_of(found.rate_limit), limit_of(found.concurrency_limit)

    def drain(self, str queue):
        """Remove all waiting and delayed jobs at once. Raises MemoryError."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef uint64_t count = 0
        if found != NULL and queue_drain(&self.engine.core, found, &count) != OK:
            raise MemoryError("drain")
        engine_done(&self.engine.core)
        return count

    def obliterate(self, str queue):
        """Remove everything of the queue but what completed, at once, and its settings. Raises MemoryError."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef uint64_t count = 0
        if found != NULL and queue_obliterate(&self.engine.core, found, &count) != OK:
            raise MemoryError("obliterate")
        engine_done(&self.engine.core)
        return count

    def retry_dead(self, str queue, id=None):
        """Dead letters (or the one with this id) wait again, with no attempt counted; how many."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef Core* core = &self.engine.core
        cdef Job* job
        cdef uint64_t left, count = 0
        if found == NULL:
            return 0
        left = found.dead.count if id is None else 1
        while count < left:
            job = found.dead.first if id is None else job_find(core, id)
            if job == NULL or job == COMPLETED() or job.state != STATE_FAILED or <Queue*>job.queue != found:
                break
            job_detach(core, job)
            job.state = STATE_WAITING
            job.attempts = 0
            job.reason, job.deadline = ENDED_WELL, 0
            losses_forgive(core, job, True)
            unique_regain(core, job)
            job.run_at = core.now
            record_state(core, job)
            job_place(core, job)
            count += 1
        engine_done(core)
        return count

    def purge_dead(self, str queue):
        """Remove all dead letters for good; how many."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef uint64_t count = 0
        while found != NULL and found.dead.first != NULL:
            job_remove(&self.engine.core, found.dead.first, EVENT_REMOVED)
            count += 1
        engine_done(&self.engine.core)
        return count

    def clean(self, str queue, uint64_t grace, str state, limit):
        """Remove jobs of a state, oldest first, that are `grace` ms old (completed ones: since then); how many."""
        cdef Queue* found = self.engine.find_queue(queue)
        cdef Core* core = &self.engine.core
        cdef uint64_t before = core.now - grace if grace < core.now else 0
        cdef uint64_t most = <uint64_t>NOTHING if limit is None else limit
        cdef int wanted = STATES.index(state)
        cdef uint64_t count = 0
        if found == NULL:
            return 0
        if wanted == STATE_COMPLETED:
            count = done_clean(core, found, before, most)
        elif wanted == STATE_FAILED:
            count = list_clean(core, &found.dead, before, most)
        elif wanted == STATE_DELAYED:
            count = list_clean(core, &found.delayed, before, most)
        elif wanted == STATE_WAITING:
            count = ready_clean(core, found, before, most)
        engine_done(core)
        return count


cdef uint64_t list_clean(Core* core, JobList* jobs, uint64_t before, uint64_t most) noexcept nogil:
    cdef Job* job = jobs.first
    cdef Job* following
    cdef uint64_t count = 0
    while job != NULL and count < most:
        following = job.place.links.next
        if job.created_at <= before:
            job_remove(core, job, EVENT_REMOVED)
            count += 1
        job = following
    return count


cdef uint64_t ready_clean(Core* core, Queue* queue, uint64_t before, uint64_t most) noexcept nogil:
    """Waiting jobs stand in the order of their delivery, so the ids are walked, until all were seen."""
    cdef IdTable* ids = &core.shards[queue.shard].ids
    cdef uint64_t left = queue_waiting(queue)
    cdef uint64_t count = 0
    cdef uint64_t sequence = id_next(ids, 1)
    cdef Job* job
    while left > 0 and count < most and sequence != <uint64_t>NOTHING:
        job = <Job*>id_get(ids, sequence)
        if (job != COMPLETED() and <Queue*>job.queue == queue and job.state == STATE_WAITING and not job_gone(job)):
            left -= 1
            if job.created_at <= before:
                job_remove(core, job, EVENT_REMOVED)
                count += 1
        sequence += 1
        if id_get(ids, sequence) == NULL:
            sequence = id_next(ids, sequence)
    return count
