"""Jobs of a group: so many active at a time, so many a second, in turn with other groups; the others stand aside.

A group's waiting jobs stand in a line of its own. While the group may run one more, its next job is shown: it stands in
Queue.turns, where the queue looks for its next job beside those without a group.
"""
from flashq._core.job cimport Job
from flashq._core.ready cimport ready_first, ready_push, ready_remove
from flashq._core.state cimport Core, Group, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef int group_enter(Core* core, Queue* queue, Job* job) noexcept nogil    # a waiting job; OK or NO_MEMORY
cdef void group_leave(Core* core, Job* job) noexcept nogil         # it waits no more, and does not run
cdef void group_take(Core* core, Job* job) noexcept nogil          # the shown job is active from now on
cdef void group_release(Core* core, Job* job) noexcept nogil       # it is active no more
cdef Job* group_turn(Core* core, Queue* queue) noexcept nogil      # the next job, of all groups and without one
cdef void groups_look(Core* core, Queue* queue) noexcept nogil     # what holds them changed: at all, in slices
cdef void groups_pass(Core* core, uint32_t budget) noexcept nogil  # one slice
cdef void group_due(Core* core, Group* group) noexcept nogil       # its timer fired
cdef void groups_close(Queue* queue) noexcept nogil                # their lines; the groups go with the engine's pages
# What keeps a group's next job from being shown: whether it is at its number of active jobs; ms until a token, 0 = none.
cdef bint group_full(const Group* group) noexcept nogil
cdef uint64_t group_token_in(Core* core, Group* group) noexcept nogil

cdef inline bint has_group(const Job* job) noexcept nogil:
    return job.extra != NULL and job.extra.relations != NULL and job.extra.relations.group != NULL

# The waiting jobs of a queue: those without a group in its own line, the others in their groups'

cdef inline uint64_t queue_waiting(const Queue* queue) noexcept nogil:
    return queue.ready.count + queue.grouped

cdef inline bint queue_offers(const Queue* queue) noexcept nogil:
    """Whether a job may be there for a pull, as far as groups go."""
    return queue.ready.count != 0 or queue.turns.count != 0

cdef inline int line_enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    """OK or NO_MEMORY."""
    return group_enter(core, queue, job) if has_group(job) else ready_push(&queue.ready, job)

cdef inline void line_leave(Core* core, Queue* queue, Job* job) noexcept nogil:
    if has_group(job):
        group_leave(core, job)
    else:
        ready_remove(&queue.ready, job)

cdef inline Job* line_first(Core* core, Queue* queue) noexcept nogil:
    """The job to deliver next; NULL without one. It stays in."""
    return ready_first(&queue.ready) if queue.turns.count == 0 else group_turn(core, queue)

cdef inline void line_take(Core* core, Queue* queue, Job* job) noexcept nogil:
    """That job is active from now on."""
    if has_group(job):
        group_take(core, job)
    else:
        ready_remove(&queue.ready, job)
