"""Pages of jobs, newest first.

A few jobs are gathered from the lists that they stand in, and sorted. Many are found by walking the id tables
downwards from the newest: then what is asked for is never far away, and a page costs what stands before it.
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport qsort

from flashq._core.groups cimport queue_waiting
from flashq._core.job cimport (
    STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, STATE_WAITING, STATE_WAITING_CHILDREN,
)
from flashq._core.jobs cimport job_gone
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.ready cimport ready_gather
from flashq._core.shardmap cimport LEAF_SLOTS, NOTHING, SHARDS, IdTable, id_get, id_previous
from flashq._core.state cimport COMPLETED, Group, JobList, Lane

cdef extern from * nogil:
    void prefetch "__builtin_prefetch"(const void* address)

cdef enum:
    GATHERED = 30000            # jobs sorted for one page at most: 3 ms
    AHEAD = 8                   # jobs that a walk fetches before it looks at them

cdef struct Bag:                # jobs gathered for one page
    Job** jobs
    uint64_t count
    uint64_t room

cdef struct Cursor:             # a walk down the ids of one shard
    IdTable* ids
    uint64_t following          # where it goes on; NOTHING at the end
    Job* job                    # what it found; NULL at the end


cdef uint64_t queue_total(const Queue* queue, int wanted) noexcept nogil:
    if wanted == STATE_WAITING:
        return queue_waiting(queue)
    if wanted == STATE_DELAYED:
        return queue.delayed.count
    if wanted == STATE_ACTIVE:
        return queue.active.count
    if wanted == STATE_COMPLETED:
        return queue.held
    if wanted == STATE_FAILED:
        return queue.dead.count
    if wanted == STATE_WAITING_CHILDREN:
        return queue.blocked.count
    return (queue_waiting(queue) + queue.delayed.count + queue.active.count + queue.held + queue.dead.count
            + queue.blocked.count)


cdef uint64_t listing_total(Core* core, const Queue* only, int wanted) noexcept nogil:
    cdef const Queue* queue = core.first_queue
    cdef uint64_t total = 0
    if only != NULL:
        return queue_total(only, wanted)
    while queue != NULL:
        total += queue_total(queue, wanted)
        queue = queue.next
    return total


cdef inline bint matches(const Job* job, const Queue* only, int wanted) noexcept nogil:
    if job == <const Job*>COMPLETED() or (wanted >= 0 and job.state != wanted):
        return False
    return (only == NULL or <const Queue*>job.queue == only) and not job_gone(job)


# --- gathering

cdef inline void bag_add(Bag* bag, Job* job) noexcept nogil:
    if bag.count < bag.room:
        bag.jobs[bag.count] = job
        bag.count += 1


cdef void bag_list(Bag* bag, const JobList* jobs, const Queue* only, int wanted) noexcept nogil:
    cdef Job* job = jobs.first
    while job != NULL:
        if matches(job, only, wanted):
            bag_add(bag, job)
        job = job.place.links.next


cdef void bag_apart(Bag* bag, const Queue* queue) noexcept nogil:
    """The waiting jobs with a group or a name."""
    cdef const Group* group = queue.first_group
    cdef const Lane* lane = queue.first_lane
    bag.count += ready_gather(&queue.turns, bag.jobs + bag.count, bag.room - bag.count)
    while group != NULL and queue.grouped:
        if group.generation >= queue.drained:
            bag.count += ready_gather(&group.ready, bag.jobs + bag.count, bag.room - bag.count)
        group = group.next
    while lane != NULL:
        bag.count += ready_gather(&lane.ready, bag.jobs + bag.count, bag.room - bag.count)
        bag.count += ready_gather(&lane.turns, bag.jobs + bag.count, bag.room - bag.count)
        lane = lane.next


cdef void bag_queue(Bag* bag, const Queue* queue, int wanted) noexcept nogil:
    cdef Job* job
    if wanted < 0 or wanted == STATE_WAITING:
        bag.count += ready_gather(&queue.ready, bag.jobs + bag.count, bag.room - bag.count)
        bag_apart(bag, queue)
    if wanted < 0 or wanted == STATE_DELAYED:
        bag_list(bag, &queue.delayed, NULL, -1)
    if wanted < 0 or wanted == STATE_FAILED:
        bag_list(bag, &queue.dead, NULL, -1)
    if wanted < 0 or wanted == STATE_WAITING_CHILDREN:
        bag_list(bag, &queue.blocked, NULL, -1)
    if wanted < 0 or wanted == STATE_ACTIVE:
        job = queue.active.first
        while job != NULL:
            bag_add(bag, job)
            job = job.delivery.next


cdef void bag_fill(Bag* bag, Core* core, const Queue* only, int wanted) noexcept nogil:
    cdef const Queue* queue = core.first_queue
    if only != NULL:
        bag_queue(bag, only, wanted)
    else:
        while queue != NULL:
            bag_queue(bag, queue, wanted)
            queue = queue.next
    if wanted < 0 or wanted == STATE_COMPLETED:
        bag_list(bag, &core.done, only, STATE_COMPLETED)


cdef int newest_by_id(const void* a, const void* b) noexcept nogil:
    cdef const Job* one = (<const Job**>a)[0]
    cdef const Job* other = (<const Job**>b)[0]
    return (one.id < other.id) - (one.id > other.id)


cdef int newest_by_time(const void* a, const void* b) noexcept nogil:
    cdef const Job* one = (<const Job**>a)[0]
    cdef const Job* other = (<const Job**>b)[0]
    if one.created_at == other.created_at:
        return newest_by_id(a, b)
    return -1 if one.created_at > other.created_at else 1


cdef bint gather(Core* core, const Queue* only, int wanted, uint64_t total, Bag* bag) noexcept nogil:
    """All jobs asked for, sorted; False when there is no memory or some stand in no list: they must be walked for."""
    bag.count, bag.room = 0, total
    bag.jobs = <Job**>raw_realloc(NULL, total * sizeof(Job*))
    if bag.jobs == NULL:
        return False
    bag_fill(bag, core, only, wanted)
    if bag.count < total:
        raw_free(bag.jobs)
        return False
    qsort(bag.jobs, bag.count, sizeof(Job*), newest_by_time if only == NULL else newest_by_id)
    return True


# --- walking

cdef void cursor_next(Cursor* cursor, const Queue* only, int wanted) noexcept nogil:
    cdef IdTable* ids = cursor.ids
    cdef uint64_t at = cursor.following
    cdef uint32_t slot
    cdef Job* job
    while at != <uint64_t>NOTHING:
        job = <Job*>id_get(ids, at)
        if job == NULL:
            at = id_previous(ids, at)
            continue
        slot = <uint32_t>at & (LEAF_SLOTS - 1)
        if slot >= AHEAD:
            prefetch(<const char*>ids.leaf.slots[slot - AHEAD])
            prefetch(<const char*>ids.leaf.slots[slot - AHEAD] + 64)
        at -= 1                             # below 0 stands NOTHING
        if matches(job, only, wanted):
            cursor.job, cursor.following = job, at
            return
    cursor.job, cursor.following = NULL, <uint64_t>NOTHING


cdef inline bint newer(const Job* job, const Job* other) noexcept nogil:
    if other == NULL or job.created_at == other.created_at:
        return other == NULL or job.id > other.id
    return job.created_at > other.created_at


cdef Cursor* newest(Cursor* cursors, uint32_t count) noexcept nogil:
    """Whose job comes next; NULL when all are at their end."""
    cdef Cursor* best = NULL
    cdef uint32_t i
    for i in range(count):
        if cursors[i].job != NULL and (best == NULL or newer(cursors[i].job, best.job)):
            best = &cursors[i]
    return best


cdef uint64_t walk(Core* core, Queue* only, int wanted, uint64_t skip, uint64_t most, Job** out) noexcept nogil:
    cdef Cursor[SHARDS] cursors
    cdef Cursor* best
    cdef uint32_t first = 0 if only == NULL else only.shard
    cdef uint32_t count = SHARDS if only == NULL else 1
    cdef uint32_t i
    cdef uint64_t passed = 0
    for i in range(count):
        cursors[i].ids = &core.shards[first + i].ids
        cursors[i].following = core.shards[first + i].next_sequence
        cursor_next(&cursors[i], only, wanted)
    while passed < skip + most:
        best = newest(cursors, count)
        if best == NULL:
            break
        if passed >= skip:
            out[passed - skip] = best.job
        passed += 1
        if passed < skip + most:
            cursor_next(best, only, wanted)
    return passed - skip if passed > skip else 0


cdef uint64_t listing_page(Core* core, Queue* only, int wanted, uint64_t skip, uint64_t most, Job** out) noexcept nogil:
    cdef uint64_t total = listing_total(core, only, wanted)
    cdef uint64_t count, i
    cdef Bag bag
    if skip >= total or most == 0:
        return 0
    count = min(most, total - skip)         # no walk for what is not there
    if total > GATHERED or not gather(core, only, wanted, total, &bag):
        return walk(core, only, wanted, skip, count, out)
    for i in range(count):
        out[i] = bag.jobs[skip + i]
    raw_free(bag.jobs)
    return count
