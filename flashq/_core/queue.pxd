"""Queues: found by name, created on first use, given back when idle; and the intrusive job lists that all parts use."""
from flashq._core.job cimport IN_NONE, Job
from flashq._core.request cimport Slice
from flashq._core.state cimport NO_LIMIT, Core, JobList, Queue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    QUEUE_NAME_SIZE = 256       # bytes
    QUEUE_IDLE_MS = 60000       # an empty queue nobody named for so long is given back
    QUEUE_SWEEP = 64            # queues looked at in one slice

# Sets `out`: OK; a queue-name Status or QUEUE_LIMIT or NO_MEMORY when it has to be created and cannot.
cdef int queue_open(Core* core, const Slice* name, Queue** out) noexcept nogil
cdef Queue* queue_find(Core* core, const uint8_t* name, uint32_t size) noexcept nogil    # NULL when there is none
cdef int queue_name_check(const uint8_t* name, uint32_t size) noexcept nogil
cdef void queue_sweep(Core* core, uint32_t budget, uint64_t idle_ms) noexcept nogil
cdef void queue_free(Core* core, Queue* queue) noexcept nogil                            # must hold nothing

cdef enum:
    GROUP_CONCURRENCY = 1       # active jobs of a group, where no setting says otherwise

cdef inline bint queue_groups_set(const Queue* queue) noexcept nogil:
    """Whether a setting says something else of its groups than the wire does."""
    return queue.fair or queue.group_concurrency != <uint64_t>GROUP_CONCURRENCY or queue.group_rate != <uint64_t>NO_LIMIT

cdef inline void queue_ungroup(Queue* queue) noexcept nogil:
    """Without settings of its groups."""
    queue.fair = False
    queue.group_concurrency = <uint64_t>GROUP_CONCURRENCY
    queue.group_rate = <uint64_t>NO_LIMIT

cdef inline void list_append(JobList* jobs, Job* job, uint8_t where) noexcept nogil:
    job.where = where
    job.place.links.next = NULL
    job.place.links.prev = jobs.last
    if jobs.last != NULL:
        jobs.last.place.links.next = job
    else:
        jobs.first = job
    jobs.last = job
    jobs.count += 1

cdef inline void list_remove(JobList* jobs, Job* job) noexcept nogil:
    cdef Job* before = job.place.links.prev
    cdef Job* after = job.place.links.next
    if before != NULL:
        before.place.links.next = after
    else:
        jobs.first = after
    if after != NULL:
        after.place.links.prev = before
    else:
        jobs.last = before
    job.where = IN_NONE
    jobs.count -= 1

cdef inline void active_append(JobList* jobs, Job* job) noexcept nogil:
    job.delivery.next = NULL
    job.delivery.prev = jobs.last
    if jobs.last != NULL:
        jobs.last.delivery.next = job
    else:
        jobs.first = job
    jobs.last = job
    jobs.count += 1

cdef inline void active_remove(JobList* jobs, Job* job) noexcept nogil:
    cdef Job* before = job.delivery.prev
    cdef Job* after = job.delivery.next
    if before != NULL:
        before.delivery.next = after
    else:
        jobs.first = after
    if after != NULL:
        after.delivery.prev = before
    else:
        jobs.last = before
    jobs.count -= 1

cdef inline void deadline_lower(Core* core, uint64_t when) noexcept nogil:
    """The loop's timer must fire by `when` at the latest."""
    if when < core.next_deadline:
        core.next_deadline = when

cdef inline void queue_wants_service(Core* core, Queue* queue) noexcept nogil:
    """Its parked pulls are looked at before this command ends."""
    if not queue.serving:
        queue.serving = True
        queue.serve_next = core.serve
        core.serve = queue
