"""The ready jobs of one queue: lists per priority level, an ordered index of the levels, a heap for latecomers.

The index is a treap (Seidel and Aragon, 1996): a search tree by priority whose shape depends on the weights alone,
so that no order of priorities given by a client can make it deep.
"""
from flashq._core.heap cimport HeapNode, heap_close, heap_first, heap_push, heap_remove, heap_reserve
from flashq._core.job cimport IN_FIFO, IN_LIFO, IN_NONE, IN_RETURNED, JOB_LIFO, Job, job_is
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memset

cdef Job LAYOUT                 # only its addresses are used: where `place` stands in a job


cdef inline Job* job_of(HeapNode* node) noexcept nogil:
    """The job whose `place.node` this is."""
    return <Job*>(<char*>node - (<char*>&LAYOUT.place - <char*>&LAYOUT))


# Levels

cdef uint32_t weight_next(Ready* ready) noexcept nogil:
    """Xorshift, 64 bits (Marsaglia, 2003); its upper half."""
    ready.seed ^= ready.seed << 13
    ready.seed ^= ready.seed >> 7
    ready.seed ^= ready.seed << 17
    return <uint32_t>(ready.seed >> 32)


cdef Level* level_find(Ready* ready, int32_t priority) noexcept nogil:
    cdef Level* level = ready.recent
    if level != NULL and level.priority == priority:
        return level
    level = ready.root
    while level != NULL and level.priority != priority:
        level = level.left if priority > level.priority else level.right
    if level != NULL:
        ready.recent = level
    return level


cdef void tree_insert(Ready* ready, Level* level) noexcept nogil:
    """Hang `level` above all lighter levels on its way down, and split what was below there."""
    cdef Level** link = &ready.root
    cdef Level** higher = &level.left
    cdef Level** lower = &level.right
    cdef Level* below
    while link[0] != NULL and link[0].weight >= level.weight:
        link = &link[0].left if level.priority > link[0].priority else &link[0].right
    below, link[0] = link[0], level
    while below != NULL:
        if below.priority > level.priority:
            higher[0] = below
            higher = &below.right
            below = below.right
        else:
            lower[0] = below
            lower = &below.left
            below = below.left
    higher[0] = lower[0] = NULL


cdef void tree_remove(Ready* ready, Level* level) noexcept nogil:
    """Put the merge of its two subtrees in its place."""
    cdef Level** link = &ready.root
    cdef Level* higher = level.left
    cdef Level* lower = level.right
    while link[0] != level:
        link = &link[0].left if level.priority > link[0].priority else &link[0].right
    while higher != NULL and lower != NULL:
        if higher.weight > lower.weight:
            link[0] = higher
            link = &higher.right
            higher = higher.right
        else:
            link[0] = lower
            link = &lower.left
            lower = lower.left
    link[0] = higher if higher != NULL else lower


cdef Level* level_open(Ready* ready, int32_t priority) noexcept nogil:
    """Add an empty level; NULL when there is no memory."""
    cdef Level* level = ready.spare
    if level != NULL:
        ready.spare = NULL
    else:
        level = <Level*>slab_take(ready.levels)
        if level == NULL:
            return NULL
    memset(level, 0, sizeof(Level))
    level.priority = priority
    level.weight = weight_next(ready)
    tree_insert(ready, level)
    if ready.first == NULL or priority > ready.first.priority:
        ready.first = level
    ready.recent = level
    return level


cdef void level_drop(Ready* ready, Level* level) noexcept nogil:
    """Take an empty level out of the index; one is kept for the next push."""
    cdef Level* first
    tree_remove(ready, level)
    if ready.recent == level:
        ready.recent = NULL
    if ready.first == level:
        first = ready.root
        while first != NULL and first.left != NULL:
            first = first.left
        ready.first = first
    heap_close(&level.returned)
    if ready.spare == NULL:
        ready.spare = level
    else:
        slab_give(ready.levels, level)


# Jobs of a level

cdef void fifo_append(Level* level, Job* job) noexcept nogil:
    job.place.links.prev, job.place.links.next = level.fifo_tail, NULL
    if level.fifo_tail != NULL:
        level.fifo_tail.place.links.next = job
    else:
        level.fifo_head = job
    level.fifo_tail = job
    job.where = IN_FIFO


cdef void lifo_push(Level* level, Job* job) noexcept nogil:
    job.place.links.prev, job.place.links.next = NULL, level.lifo_top
    if level.lifo_top != NULL:
        level.lifo_top.place.links.prev = job
    level.lifo_top = job
    job.where = IN_LIFO


cdef int returned_push(Level* level, Job* job) noexcept nogil:
    memset(&job.place, 0, sizeof(job.place))
    if heap_push(&level.returned, job.run_at, job.id, &job.place.node) != OK:
        return NO_MEMORY
    job.where = IN_RETURNED
    return OK


cdef void job_unlink(Level* level, Job* job) noexcept nogil:
    """Take a job out of its list or stack."""
    cdef Job* before = job.place.links.prev
    cdef Job* after = job.place.links.next
    if before != NULL:
        before.place.links.next = after
    elif job.where == IN_FIFO:
        level.fifo_head = after
    else:
        level.lifo_top = after
    if after != NULL:
        after.place.links.prev = before
    elif job.where == IN_FIFO:
        level.fifo_tail = before


cdef Job* level_first(Level* level) noexcept nogil:
    cdef Job* returned
    if level.lifo_top != NULL:
        return level.lifo_top
    if level.returned.size == 0:
        return level.fifo_head
    returned = job_of(heap_first(&level.returned).node)
    if level.fifo_head != NULL and job_before(level.fifo_head, returned):
        return level.fifo_head
    return returned


# All levels

cdef int ready_push(Ready* ready, Job* job) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    if level == NULL:
        level = level_open(ready, job.priority)
        if level == NULL:
            return NO_MEMORY
    if job_is(job, JOB_LIFO):
        lifo_push(level, job)
    elif level.fifo_tail == NULL or job_before(level.fifo_tail, job):
        fifo_append(level, job)
    elif returned_push(level, job) != OK:      # the level has a FIFO job, so no empty one was opened for this push
        return NO_MEMORY
    level.count += 1
    ready.count += 1
    return OK


cdef int ready_takes(Ready* ready, const Job* job) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    if level == NULL:
        level = level_open(ready, job.priority)
    if level == NULL:
        return NO_MEMORY
    if job_is(job, JOB_LIFO) or level.fifo_tail == NULL or job_before(level.fifo_tail, job):
        return OK
    return heap_reserve(&level.returned, 1)


cdef void ready_spare(Ready* ready, const Job* job) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    if level != NULL and level.count == 0:
        level_drop(ready, level)


cdef void ready_append(Ready* ready, Job* job) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    fifo_append(level, job)
    level.count += 1
    ready.count += 1


cdef void ready_replace(Ready* ready, Job* job, Job* other) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    cdef Job* before = job.place.links.prev
    cdef Job* after = job.place.links.next
    other.place.links = job.place.links
    other.where = job.where
    if before != NULL:
        before.place.links.next = other
    elif job.where == IN_FIFO:
        level.fifo_head = other
    else:
        level.lifo_top = other
    if after != NULL:
        after.place.links.prev = other
    elif job.where == IN_FIFO:
        level.fifo_tail = other
    job.where = IN_NONE


cdef Job* ready_first(Ready* ready) noexcept nogil:
    return level_first(ready.first) if ready.first != NULL else NULL


cdef void ready_remove(Ready* ready, Job* job) noexcept nogil:
    cdef Level* level = level_find(ready, job.priority)
    if job.where == IN_RETURNED:
        heap_remove(&level.returned, &job.place.node)
    else:
        job_unlink(level, job)
    job.where = IN_NONE
    ready.count -= 1
    level.count -= 1
    if level.count == 0:
        level_drop(ready, level)


cdef uint64_t line_gather(Job* job, Job** out, uint64_t room) noexcept nogil:
    """The jobs of a list or a stack."""
    cdef uint64_t count = 0
    while job != NULL and count < room:
        out[count] = job
        count += 1
        job = job.place.links.next
    return count


cdef uint64_t level_gather(const Level* level, Job** out, uint64_t room) noexcept nogil:
    """The jobs of this level and of all below it in the tree."""
    cdef uint64_t count = 0
    cdef uint32_t i
    if level == NULL:
        return 0
    count = line_gather(level.lifo_top, out, room)
    count += line_gather(level.fifo_head, out + count, room - count)
    for i in range(1, level.returned.size + 1):
        if count < room:
            out[count] = job_of(level.returned.items[i].node)
            count += 1
    count += level_gather(level.left, out + count, room - count)
    return count + level_gather(level.right, out + count, room - count)


cdef uint64_t ready_gather(const Ready* ready, Job** out, uint64_t room) noexcept nogil:
    return level_gather(ready.root, out, room)


cdef void ready_trim(Ready* ready) noexcept nogil:
    if ready.spare != NULL:
        slab_give(ready.levels, ready.spare)
        ready.spare = NULL


cdef void ready_close(Ready* ready) noexcept nogil:
    """Free levels and heaps; the jobs keep stale places."""
    cdef Level* level
    while ready.root != NULL:
        level = ready.root
        tree_remove(ready, level)
        heap_close(&level.returned)
        slab_give(ready.levels, level)
    ready_trim(ready)
    ready.first, ready.recent, ready.count = NULL, NULL, 0
