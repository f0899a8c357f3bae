"""Jobs of a group: so many active at a time, so many a second, in turn with other groups; the others stand aside.

A group's waiting jobs stand in a line of its own. While the group may run one more, its next job is shown: it stands in
Queue.turns, where the queue looks for its next job beside those without a group.
"""
from flashq._core.job cimport Job
from flashq._core.ready cimport Ready, ready_first, ready_push, ready_remove
from flashq._core.state cimport Core, Group, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef int group_restore(Core* core, Queue* queue, Job* job) noexcept nogil  # it is active already; OK or NO_MEMORY
cdef void group_release(Core* core, Job* job) noexcept nogil       # it is active no more
cdef void groups_look(Core* core, Queue* queue) noexcept nogil     # what holds them changed: at all, in slices
cdef void groups_pass(Core* core, uint32_t budget) noexcept nogil  # one slice
cdef void group_due(Core* core, Group* group) noexcept nogil       # its timer fired
cdef void groups_close(Queue* queue) noexcept nogil                # their lines; the groups go with the engine's pages
# What keeps a group's next job from being shown: it is at its number of active jobs; ms until a token, 0 = none.
cdef bint group_full(const Group* group) noexcept nogil
cdef uint64_t group_token_in(Core* core, Group* group) noexcept nogil

# The next job of a line and of the groups' jobs that are shown beside it; it stays in.
cdef Job* pair_first(Core* core, Queue* queue, Ready* ready, Ready* turns) noexcept nogil
cdef bint comes_before(const Queue* queue, const Job* job, const Job* other) noexcept nogil   # of heads of two lines

cdef inline bint has_group(const Job* job) noexcept nogil:
    return job.extra != NULL and job.extra.relations != NULL and job.extra.relations.group != NULL

cdef inline bint stands_apart(const Job* job) noexcept nogil:
    """Whether it has a group or a name, and so does not stand in Queue.ready."""
    return job.extra != NULL and job.extra.relations != NULL and (
        job.extra.relations.group != NULL or job.extra.relations.name != NULL)

# The waiting jobs of a queue: in its own line, in its lanes, in its groups' lines

cdef inline uint64_t queue_waiting(const Queue* queue) noexcept nogil:
    return queue.ready.count + queue.grouped + queue.named

cdef inline bint queue_offers(const Queue* queue) noexcept nogil:
    """Whether a job may be there for a pull, as far as groups and names go."""
    return queue.ready.count != 0 or queue.turns.count != 0 or queue.first_lane != NULL

cdef int apart_enter(Core* core, Queue* queue, Job* job) noexcept nogil
cdef void apart_leave(Core* core, Queue* queue, Job* job) noexcept nogil
cdef void apart_take(Core* core, Queue* queue, Job* job) noexcept nogil

cdef inline int line_enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    """OK or NO_MEMORY."""
    return apart_enter(core, queue, job) if stands_apart(job) else ready_push(&queue.ready, job)

cdef inline void line_leave(Core* core, Queue* queue, Job* job) noexcept nogil:
    if stands_apart(job):
        apart_leave(core, queue, job)
    else:
        ready_remove(&queue.ready, job)

cdef inline Job* line_first(Core* core, Queue* queue) noexcept nogil:
    """The next job without a name; NULL without one. It stays in."""
    if queue.turns.count == 0:
        return ready_first(&queue.ready)
    return pair_first(core, queue, &queue.ready, &queue.turns)

cdef inline void own_turn(Queue* queue) noexcept nogil:
    """The jobs without a group have had theirs."""
    queue.turn += 1
    queue.own_turn = queue.turn

cdef inline void line_take(Core* core, Queue* queue, Job* job) noexcept nogil:
    """That job is active from now on."""
    if stands_apart(job):
        apart_take(core, queue, job)
    else:
        ready_remove(&queue.ready, job)
        if queue.fair:
            own_turn(queue)
