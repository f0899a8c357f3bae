"""Bulk removal in constant time.

A drain moves the queue's structures into a grave and raises the queue's generation; whoever meets a job of an older one
treats it as unknown (jobs.job_gone). The timers empty the graves, some hundred jobs at a time.
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from flashq._core.edges cimport awaited_ended
from flashq._core.events cimport EVENT_REMOVED, event_told
from flashq._core.groups cimport groups_look, queue_waiting
from flashq._core.job cimport IN_OWNER, OUTCOME_REMOVED
from flashq._core.jobs cimport job_free, job_shard
from flashq._core.lanes cimport lane_bury
from flashq._core.queue cimport active_remove, deadline_lower, list_remove, queue_ungroup, queue_wants_service
from flashq._core.ready cimport ready_close, ready_first, ready_remove
from flashq._core.records cimport record_clear
from flashq._core.shardmap cimport SHARD_BITS, id_remove
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.state cimport NO_LIMIT, Grave, JobList, Owner
from flashq._core.status cimport NO_MEMORY, OK


cdef Grave* grave_open(Core* core, Queue* queue, const Ready* ready) noexcept nogil:
    cdef Grave* grave = <Grave*>slab_take(&core.graves_slab)
    if grave == NULL:
        return NULL
    memset(grave, 0, sizeof(Grave))
    grave.queue = queue
    grave.ready = ready[0]
    grave.next = core.graves
    core.graves = grave
    queue.graves += 1
    deadline_lower(core, core.mono)
    return grave


cdef bint grave_add(Core* core, Queue* queue, const Ready* ready) noexcept nogil:
    return grave_open(core, queue, ready) != NULL


cdef inline void line_leave_empty(Ready* ready) noexcept nogil:
    """What stood there stands elsewhere now."""
    cdef Ready empty
    memset(&empty, 0, sizeof(Ready))
    empty.levels, empty.seed = ready.levels, ready.seed
    ready[0] = empty


cdef Grave* dig(Core* core, Queue* queue) noexcept nogil:
    """A grave with the queue's waiting and delayed jobs, which the queue no longer has; NULL without memory.

    Those that stand aside in their groups' lines stay there: the groups put them away when they are looked at.
    """
    cdef Grave* grave = grave_open(core, queue, &queue.ready)
    if grave == NULL:
        return NULL
    grave.turns = queue.turns
    grave.first_lane = queue.first_lane
    grave.delayed = queue.delayed
    line_leave_empty(&queue.ready)
    line_leave_empty(&queue.turns)
    memset(&queue.delayed, 0, sizeof(JobList))
    queue.first_lane = NULL
    queue.lane_count = 0
    queue.grouped = queue.named = 0
    core.generation += 1
    queue.generation = core.generation
    queue.drained = queue.generation
    groups_look(core, queue)
    return grave


cdef int queue_drain(Core* core, Queue* queue, uint64_t* count) noexcept nogil:
    count[0] = queue_waiting(queue) + queue.delayed.count
    if count[0] and dig(core, queue) == NULL:
        return NO_MEMORY
    record_clear(core, queue, False)
    return OK


cdef int queue_obliterate(Core* core, Queue* queue, uint64_t* count) noexcept nogil:
    cdef uint64_t waiting = queue_waiting(queue)
    cdef Grave* grave = dig(core, queue)
    if grave == NULL:
        return NO_MEMORY
    grave.dead = queue.dead
    grave.blocked = queue.blocked
    grave.active = queue.active
    memset(&queue.dead, 0, sizeof(JobList))
    memset(&queue.blocked, 0, sizeof(JobList))
    memset(&queue.active, 0, sizeof(JobList))
    queue.obliterated = queue.generation
    count[0] = waiting + grave.delayed.count + grave.dead.count + grave.blocked.count + grave.active.count
    queue.paused = False
    queue.rate_limit = <uint64_t>NO_LIMIT
    queue.concurrency_limit = <uint64_t>NO_LIMIT
    queue_ungroup(queue)
    queue_wants_service(core, queue)
    record_clear(core, queue, True)
    return OK


cdef Job* list_pop(JobList* jobs) noexcept nogil:
    cdef Job* job = jobs.first
    if job != NULL:
        list_remove(jobs, job)
    return job


cdef Job* grave_next(Core* core, Grave* grave) noexcept nogil:
    """One job, out of whatever it stood in; NULL when the grave is empty."""
    cdef Ready* ready = &grave.ready if grave.ready.count else &grave.turns
    cdef Job* job = ready_first(ready)
    if job != NULL:
        ready_remove(ready, job)
        return job
    job = lane_bury(core, &grave.first_lane)
    if job != NULL:
        return job
    if grave.active.first != NULL:
        job = grave.active.first
        active_remove(&grave.active, job)
        if job.where == IN_OWNER:
            list_remove(&(<Owner*>job.delivery.owner).jobs, job)
        return job
    if grave.delayed.first != NULL:
        return list_pop(&grave.delayed)
    if grave.dead.first != NULL:
        return list_pop(&grave.dead)
    return list_pop(&grave.blocked)


cdef void grave_free(Core* core, Job* job) noexcept nogil:
    if core.listening:
        event_told(core, job, EVENT_REMOVED, core.position)
    id_remove(&job_shard(core, job).ids, job.id >> SHARD_BITS)
    if core.awaited_count:
        awaited_ended(core, job.id, OUTCOME_REMOVED, True)
    job_free(core, job)


cdef uint32_t graves_empty(Core* core, uint32_t budget) noexcept nogil:
    cdef Grave* grave
    cdef Job* job
    while budget > 0 and core.graves != NULL:
        budget -= 1
        grave = core.graves
        job = grave_next(core, grave)
        if job != NULL:
            grave_free(core, job)
            continue
        core.graves = grave.next
        grave.queue.graves -= 1
        ready_close(&grave.ready)
        ready_close(&grave.turns)
        slab_give(&core.graves_slab, grave)
    return budget
