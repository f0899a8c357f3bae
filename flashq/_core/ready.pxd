"""The ready jobs of one queue: lists per priority level, an ordered index of the levels, a heap for latecomers.

Next comes: the highest priority; within it LIFO jobs, the most recently pushed first; then by (run_at, id).
A job whose (run_at, id) is past the FIFO list's tail is appended in O(1); one that returns out of order goes to
the level's heap, and the better of the two heads is next.
"""
from flashq._core.heap cimport Heap
from flashq._core.job cimport Job
from flashq._core.slab cimport Slab
from libc.stdint cimport int32_t, uint32_t, uint64_t

cdef struct Level:              # one priority in use; owner: its Ready, from the engine's level slab
    Level* left                 # borrowed: treap, the higher priorities
    Level* right                # borrowed: the lower ones
    uint32_t weight             # treap heap order, from Ready.seed
    int32_t priority
    uint64_t count              # jobs of this level; the level goes when it is 0
    Job* fifo_head              # borrowed
    Job* fifo_tail              # borrowed
    Job* lifo_top               # borrowed
    Heap returned               # by (run_at, id)

cdef struct Ready:              # set slab and seed, the rest all zero
    Slab* levels                # borrowed: where Level structs come from
    Level* root                 # owned tree
    Level* first                # borrowed: the highest priority, NULL when empty
    Level* recent               # borrowed: the level used last, a shortcut past the tree; may be NULL
    Level* spare                # owned: an empty level out of the tree, so that a queue of one job allocates nothing
    uint64_t seed               # never 0; makes the weights (xorshift)
    uint64_t count

cdef inline bint job_before(const Job* a, const Job* b) noexcept nogil:
    """Order within a level, LIFO jobs aside."""
    return a.id < b.id if a.run_at == b.run_at else a.run_at < b.run_at

cdef int ready_push(Ready* ready, Job* job) noexcept nogil     # OK or NO_MEMORY; sets job.where
cdef int ready_takes(Ready* ready, const Job* job) noexcept nogil
# ^ OK: the next ready_push or ready_append, of this job, cannot fail; or NO_MEMORY. Without one, call ready_spare.
cdef void ready_spare(Ready* ready, const Job* job) noexcept nogil
# As the last of its level, whatever its time; after ready_takes.
cdef void ready_append(Ready* ready, Job* job) noexcept nogil
cdef void ready_replace(Ready* ready, Job* job, Job* other) noexcept nogil  # `other`, of its level, in its place
cdef Job* ready_first(Ready* ready) noexcept nogil             # the next job, or NULL; stays in
cdef void ready_remove(Ready* ready, Job* job) noexcept nogil  # sets job.where to IN_NONE
cdef uint64_t ready_gather(const Ready* ready, Job** out, uint64_t room) noexcept nogil   # all, in no order; how many
cdef void ready_trim(Ready* ready) noexcept nogil              # frees the spare level
cdef void ready_close(Ready* ready) noexcept nogil             # frees levels and heaps, not the jobs
