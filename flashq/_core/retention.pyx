"""Completed jobs: a list of those kept whole and a ring of all known ids, oldest first, trimmed step by step."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.heap cimport heap_push, heap_remove
from flashq._core.job cimport IN_DONE, IN_KEPT, OUTCOME_COMPLETED, Relations
from flashq._core.jobs cimport job_free, job_shard, saturated
from flashq._core.lifecycle cimport job_erase
from flashq._core.queue cimport deadline_lower, list_append, list_remove
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.records cimport record_forget
from flashq._core.shardmap cimport SHARD_BITS, SHARDS, id_remove, id_replace
from flashq._core.state cimport COMPLETED, NODE_JOB, JobList
from flashq._core.status cimport NO_MEMORY, OK


cdef int retention_open(Core* core) noexcept nogil:
    core.done_ids = <uint64_t*>raw_realloc(NULL, (core.limits.completed + 2) * sizeof(uint64_t))
    return OK if core.done_ids != NULL else NO_MEMORY


cdef void retention_close(Core* core) noexcept nogil:
    raw_free(core.done_ids)
    core.done_ids = NULL


cdef inline uint64_t weight(const Job* job) noexcept nogil:
    cdef uint64_t bytes_kept = job.data_size
    if job.extra != NULL:
        bytes_kept += job.extra.result_size
    return bytes_kept


cdef inline void ring_append(Core* core, uint64_t id) noexcept nogil:
    cdef uint32_t at
    if core.done_count == core.limits.completed + 2:
        forget_oldest(core)
    at = core.done_first + core.done_count
    if at >= core.limits.completed + 2:
        at -= core.limits.completed + 2
    core.done_ids[at] = id
    core.done_count += 1


cdef inline void done_append(Core* core, Job* job) noexcept nogil:
    ring_append(core, job.id)
    whole_append(core, job)
    done_limit(core)


cdef inline void whole_append(Core* core, Job* job) noexcept nogil:
    (<Queue*>job.queue).held += 1
    core.done_bytes += weight(job)
    list_append(&core.done, job, IN_DONE)


cdef void done_restore(Core* core, uint64_t id, Job* job) noexcept nogil:
    ring_append(core, id)
    if job != NULL:
        whole_append(core, job)
    done_limit(core)


cdef inline void done_limit(Core* core) noexcept nogil:
    if core.done_count > core.limits.completed and core.done_excess == 0:
        core.done_excess = (core.limits.completed >> 1) + 1
    if core.done.count > core.limits.results and core.results_excess == 0:
        core.results_excess = (core.limits.results >> 1) + 1
    done_trim(core, TRIM_STEP)


cdef void done_add(Core* core, Job* job) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    if queue.kept.count:
        kept_trim(core, queue)
    if job.extra == NULL or job.extra.relations == NULL or not keep_longer(core, job):
        done_append(core, job)


cdef bint keep_longer(Core* core, Job* job) noexcept nogil:
    """Whether its push asked for more than the limits of the server, and there is room for it."""
    cdef Relations* relations = job.extra.relations
    if not keep_until(core, job, saturated(core.mono, relations.keep_age)):
        return False
    relations.done_number = (<Queue*>job.queue).completed
    return True


cdef bint kept_restore(Core* core, Job* job) noexcept nogil:
    cdef const Relations* relations = NULL if job.extra == NULL else job.extra.relations
    cdef const Queue* queue = <const Queue*>job.queue
    cdef uint64_t end
    if relations == NULL:
        return False
    end = saturated(job.deadline, relations.keep_age)
    if relations.keep_age and end <= core.now:
        return False
    if relations.keep_count and queue.completed - relations.done_number >= relations.keep_count:
        return False
    return keep_until(core, job, core.mono + end - core.now)


cdef bint keep_until(Core* core, Job* job, uint64_t until) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    cdef const Relations* relations = job.extra.relations
    if relations.keep_age == 0 and relations.keep_count == 0 or core.kept_count >= core.limits.completed:
        return False
    if relations.keep_age:
        job.timer.kind = NODE_JOB
        if heap_push(&job_shard(core, job).timers, until, job.id, &job.timer) != OK:
            return False
        deadline_lower(core, until)
    queue.held += 1
    core.kept_count += 1
    list_append(&queue.kept, job, IN_KEPT)
    return True


cdef void kept_trim(Core* core, Queue* queue) noexcept nogil:
    """Another job of the queue was completed: the oldest may no longer be among the newest that it asked for."""
    cdef Relations* relations
    cdef int budget = TRIM_STEP
    while queue.kept.first != NULL and budget > 0:
        relations = queue.kept.first.extra.relations
        if relations.keep_count == 0 or queue.completed - relations.done_number < relations.keep_count:
            return
        kept_end(core, queue.kept.first)
        budget -= 1


cdef void kept_remove(Core* core, Job* job) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    if job.timer.pos:
        heap_remove(&job_shard(core, job).timers, &job.timer)
    list_remove(&queue.kept, job)
    queue.held -= 1
    core.kept_count -= 1


cdef void kept_end(Core* core, Job* job) noexcept nogil:
    kept_remove(core, job)
    done_append(core, job)


cdef void done_trim(Core* core, uint32_t budget) noexcept nogil:
    """Both kinds get the whole budget: the ring has no room for ids that wait for the other kind."""
    cdef uint32_t left = budget
    while left > 0 and core.done.count > 0 and (core.results_excess > 0 or core.done_bytes > core.limits.result_bytes):
        left -= 1
        strip_oldest(core)
        if core.results_excess > 0:
            core.results_excess -= 1
    left = budget
    while left > 0 and core.done_excess > 0:
        left -= 1
        forget_oldest(core)
        core.done_excess -= 1


cdef void done_remove(Core* core, Job* job) noexcept nogil:
    list_remove(&core.done, job)
    (<Queue*>job.queue).held -= 1
    core.done_bytes -= weight(job)


cdef void strip_oldest(Core* core) noexcept nogil:
    """Of the oldest job kept whole only the id stays."""
    cdef Job* job = core.done.first
    done_remove(core, job)
    id_replace(&job_shard(core, job).ids, job.id >> SHARD_BITS, COMPLETED())
    job_free(core, job)


cdef void forget_oldest(Core* core) noexcept nogil:
    cdef uint64_t id = core.done_ids[core.done_first]
    if core.done.first != NULL and core.done.first.id == id:
        strip_oldest(core)
    core.done_first += 1
    if core.done_first == core.limits.completed + 2:
        core.done_first = 0
    core.done_count -= 1
    core.done_forgotten += 1
    id_remove(&core.shards[id & (SHARDS - 1)].ids, id >> SHARD_BITS)
    record_forget(core, id)


cdef uint64_t list_clean(Core* core, JobList* jobs, Queue* queue, uint64_t before, uint64_t most) noexcept nogil:
    cdef Job* job = jobs.first
    cdef Job* following
    cdef uint64_t count = 0
    while job != NULL and count < most:
        following = job.place.links.next
        if <Queue*>job.queue == queue and job.deadline <= before:
            if job.where == IN_KEPT:
                kept_remove(core, job)
            else:
                done_remove(core, job)
            job_erase(core, job, OUTCOME_COMPLETED)     # its place in the ring stays: what is absent is passed over
            count += 1
        job = following
    return count


cdef uint64_t done_clean(Core* core, Queue* queue, uint64_t before, uint64_t most) noexcept nogil:
    cdef uint64_t count = list_clean(core, &core.done, queue, before, most)
    return count + list_clean(core, &queue.kept, queue, before, most - count)
