"""Why a job does not run: what is in its way, as far as a look at a bounded part of the engine tells."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.buffer cimport copied
from flashq._core.engine cimport Engine
from flashq._core.groups cimport group_full, group_token_in, has_group
from flashq._core.job cimport (
    IN_FIFO, IN_LIFO, IN_LIMBO, STATE_DELAYED, STATE_WAITING, STATE_WAITING_CHILDREN, Edge, Job, Relations,
)
from flashq._core.jobs cimport job_find
from flashq._core.lanes cimport wanted_takes
from flashq._core.limits cimport queue_token_in
from flashq._core.ready cimport Level
from flashq._core.state cimport COMPLETED, NO_LIMIT, Core, Group, Lane, Queue, Standing

from flashq._core.engine import STATES

cdef enum:
    MOST_STEPS = 1000           # jobs and priorities looked at, and ids named; what is beyond is told as "at least"


cdef class Explainer:
    """Explains jobs of one engine; changes nothing."""
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    def explain(self, uint64_t id):
        """(state, [reason, ...]), each reason a dict with `reason` and what goes with it; None for an unknown id."""
        cdef Job* job = job_find(&self.engine.core, id)
        if job == NULL:
            return None
        if job == COMPLETED():
            return "completed", []
        reasons = []
        if job.state == STATE_WAITING_CHILDREN:
            reasons.append({"reason": "waiting_for", **_awaited(job)})
        if job.state == STATE_DELAYED:
            reasons.append({"reason": "delayed", "until": job.run_at})
        if job.where == IN_LIMBO:
            reasons.append({"reason": "no_memory"})
        if job.state <= STATE_DELAYED or job.state == STATE_WAITING_CHILDREN:
            _of_queue(&self.engine.core, <Queue*>job.queue, reasons)
        if job.state == STATE_WAITING and has_group(job):
            _of_group(&self.engine.core, <Group*>job.extra.relations.member, job, reasons)
        if job.state == STATE_WAITING:
            _of_line(<Queue*>job.queue, job, reasons)
        return STATES[job.state], reasons


cdef dict _awaited(const Job* job):
    """The ids it waits for, as long as the list is short."""
    cdef Edge* edge = job.extra.relations.edges
    ids = []
    while edge != NULL and len(ids) < MOST_STEPS:
        if edge.awaited != NULL:
            ids.append(edge.awaited.id)
        edge = edge.sibling
    return {"count": job.extra.relations.unmet, "ids": sorted(ids)}


cdef int _of_queue(Core* core, Queue* queue, list reasons) except -1:
    cdef uint64_t wait
    if queue.paused:
        reasons.append({"reason": "paused"})
    if queue.concurrency_limit != <uint64_t>NO_LIMIT and queue.active.count >= queue.concurrency_limit:
        reasons.append({"reason": "concurrency_limit", "limit": queue.concurrency_limit,
                        "active": queue.active.count})
    if queue.rate_limit != <uint64_t>NO_LIMIT:
        wait = queue_token_in(core, queue)
        if wait:
            reasons.append({"reason": "rate_limit", "limit": queue.rate_limit,
                            "free_in": None if queue.rate_limit == 0 else wait})
    return 0


cdef int _of_group(Core* core, Group* group, const Job* job, list reasons) except -1:
    """What holds its whole group back; a job in limbo is in none."""
    cdef uint64_t wait
    if group == NULL or group.shown == job:
        return 0
    name = copied(job.extra.relations.group, job.extra.relations.group_size).decode("utf-8", "replace")
    if group_full(group):
        reasons.append({"reason": "group_limit", "group_id": name, "limit": group.queue.group_concurrency,
                        "active": group.active})
    wait = group_token_in(core, group)
    if wait:
        reasons.append({"reason": "group_rate", "group_id": name, "limit": group.queue.group_rate, "free_in": wait})
    return 0


cdef inline const Level* _line_of(const Queue* queue, const Job* job) noexcept nogil:
    """Root of the line that it stands in."""
    cdef const Relations* relations = NULL if job.extra == NULL else job.extra.relations
    cdef Lane* lane = NULL if relations == NULL else <Lane*>relations.lane
    cdef Group* group = NULL if relations == NULL else <Group*>relations.member
    if group == NULL:
        return queue.ready.root if lane == NULL else lane.ready.root
    if group.shown != job:
        return group.ready.root
    return queue.turns.root if lane == NULL else lane.turns.root


cdef int _of_line(Queue* queue, const Job* job, list reasons) except -1:
    """Jobs ahead: of a queue with groups those in the line that it stands in, which other lines may overtake."""
    cdef uint32_t left = MOST_STEPS
    cdef uint64_t ahead = _above(_line_of(queue, job), job, &left) + _before(job, &left)
    cdef bint exact = left > 0 and (job.where == IN_FIFO or job.where == IN_LIFO) and queue.group_count == 0
    cdef uint32_t others = 0
    exact = exact and queue.first_lane == NULL
    if ahead:
        reasons.append({"reason": "jobs_ahead", "count": ahead, "at_least": not exact})
    if not _asked_for(queue, job, &others):
        reasons.append({"reason": "nobody_pulling", "count": others} if others else {"reason": "nobody_pulling"})
    return 0


cdef bint _asked_for(const Queue* queue, const Job* job, uint32_t* others) noexcept nogil:
    """Whether a parked pull would take it; of a very long line only the front is looked at. `others` counts those
    that would not."""
    cdef const Standing* standing = queue.first_waiter
    cdef const Relations* relations = NULL if job.extra == NULL else job.extra.relations
    while standing != NULL and others[0] < MOST_STEPS:
        if not standing.waiter.choosy or wanted_takes(&standing.waiter.wanted, relations):
            return True
        standing = standing.next
        others[0] += 1
    return standing != NULL


cdef uint64_t _above(const Level* level, const Job* job, uint32_t* left) noexcept nogil:
    """Ready jobs of higher priority in this part of the tree, whose higher priorities are on the left."""
    cdef uint64_t count = 0
    while level != NULL and left[0] > 0:
        left[0] -= 1
        if level.priority > job.priority:
            count += level.count + _above(level.left, job, left)
            level = level.right
        else:
            level = level.left
    return count


cdef uint64_t _before(const Job* job, uint32_t* left) noexcept nogil:
    """Jobs of its own priority before it in its list or stack."""
    cdef uint64_t count = 0
    if job.where != IN_FIFO and job.where != IN_LIFO:
        return 0
    job = job.place.links.prev
    while job != NULL and left[0] > 0:
        left[0] -= 1
        count += 1
        job = job.place.links.prev
    return count
