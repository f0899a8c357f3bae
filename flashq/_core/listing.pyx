"""Pages of jobs, newest first.

Up to some hundred thousand jobs are gathered from the lists that they stand in, and those of the page are picked out.
More are found by walking the id tables, from the newest or from the oldest, whichever the page is nearer to.
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
from flashq._core.shardmap cimport LEAF_SLOTS, NOTHING, SHARDS, IdTable, id_get, id_next, id_previous
from flashq._core.state cimport COMPLETED, Group, JobList, Lane

cdef extern from * nogil:
    void prefetch "__builtin_prefetch"(const void* address)

cdef enum:
    GATHERED = 200000           # jobs gathered for one page at most: some milliseconds
    FEW = 64                    # entries that are sorted rather than parted again
    MOST_PARTINGS = 64          # of one selection; then the rest is sorted
    AHEAD = 8                   # jobs that a walk fetches before it looks at them

cdef struct Entry:              # a gathered job; the newer one has the greater (major, minor)
    uint64_t major
    uint64_t minor
    Job* job                    # borrowed

cdef struct Bag:                # jobs gathered for one page
    Job** jobs                  # owned
    uint64_t count
    uint64_t room

cdef struct Cursor:             # a walk along the ids of one shard
    IdTable* ids                # borrowed
    uint64_t following          # where it goes on; NOTHING at the end
    Job* job                    # what it found; NULL at the end
    bint up                     # from the oldest, else from the newest


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


cdef inline bint is_newer(const Entry* one, const Entry* other) noexcept nogil:
    return one.minor > other.minor if one.major == other.major else one.major > other.major


cdef int newest_first(const void* a, const void* b) noexcept nogil:
    return is_newer(<const Entry*>b, <const Entry*>a) - is_newer(<const Entry*>a, <const Entry*>b)


cdef inline Entry middle_of(const Entry* a, const Entry* b, const Entry* c) noexcept nogil:
    if is_newer(a, b):
        return b[0] if is_newer(b, c) else (c[0] if is_newer(a, c) else a[0])
    return a[0] if is_newer(a, c) else (c[0] if is_newer(b, c) else b[0])


cdef uint64_t part(Entry* of, uint64_t low, uint64_t high) noexcept nogil:
    """Part [low, high) into newer and older ones (Hoare, 1961); where the older ones begin, neither part is empty."""
    cdef Entry pivot = middle_of(&of[low], &of[low + (high - low) // 2], &of[high - 1])
    cdef uint64_t i = low
    cdef uint64_t j = high - 1
    while True:
        while is_newer(&of[i], &pivot):
            i += 1
        while is_newer(&pivot, &of[j]):
            j -= 1
        if i >= j:
            return j + 1
        of[i], of[j] = of[j], of[i]
        i += 1
        j -= 1


cdef void select_newest(Entry* of, uint64_t count, uint64_t wanted) noexcept nogil:
    """The `wanted` newest come to stand first, in any order (quickselect: Hoare, 1961)."""
    cdef uint64_t low = 0
    cdef uint64_t high = count
    cdef uint64_t border
    cdef int partings = 0
    if wanted == 0 or wanted >= count:
        return
    while high - low > FEW and partings < MOST_PARTINGS:
        partings += 1
        border = part(of, low, high)
        if wanted == border:
            return
        if wanted < border:
            high = border
        else:
            low = border
    qsort(&of[low], high - low, sizeof(Entry), newest_first)


cdef uint64_t picked(const Bag* bag, bint by_time, uint64_t skip, uint64_t most, Job** out) noexcept nogil:
    """The page out of what was gathered; 0 without memory."""
    cdef Entry* entries = <Entry*>raw_realloc(NULL, bag.count * sizeof(Entry))
    cdef uint64_t i
    if entries == NULL:
        return 0
    for i in range(bag.count):
        entries[i].major = bag.jobs[i].created_at if by_time else bag.jobs[i].id
        entries[i].minor = bag.jobs[i].id if by_time else 0
        entries[i].job = bag.jobs[i]
    select_newest(entries, bag.count, skip + most)
    select_newest(entries, skip + most, skip)
    qsort(&entries[skip], most, sizeof(Entry), newest_first)
    for i in range(most):
        out[i] = entries[skip + i].job
    raw_free(entries)
    return most


cdef uint64_t gather(Core* core, const Queue* only, int wanted, uint64_t total, uint64_t skip, uint64_t most,
                     Job** out) noexcept nogil:
    """The page; 0 when there is no memory or some stand in no list: they must be walked for."""
    cdef Bag bag
    cdef uint64_t count = 0
    bag.count, bag.room = 0, total
    bag.jobs = <Job**>raw_realloc(NULL, total * sizeof(Job*))
    if bag.jobs == NULL:
        return 0
    bag_fill(&bag, core, only, wanted)
    if bag.count == total:
        count = picked(&bag, only == NULL, skip, most, out)
    raw_free(bag.jobs)
    return count


# --- walking

cdef inline void fetch_ahead(const IdTable* ids, uint64_t at, bint up) noexcept nogil:
    cdef uint32_t slot = <uint32_t>at & (LEAF_SLOTS - 1)
    if up and slot + AHEAD < LEAF_SLOTS:
        slot += AHEAD
    elif not up and slot >= AHEAD:
        slot -= AHEAD
    prefetch(<const char*>ids.leaf.slots[slot])
    prefetch(<const char*>ids.leaf.slots[slot] + 64)


cdef inline void cursor_next(Cursor* cursor, const Queue* only, int wanted) noexcept nogil:
    cdef IdTable* ids = cursor.ids
    cdef uint64_t at = cursor.following
    cdef Job* job
    while at != <uint64_t>NOTHING:
        job = <Job*>id_get(ids, at)
        if job == NULL:
            at = id_next(ids, at) if cursor.up else id_previous(ids, at)
            continue
        fetch_ahead(ids, at, cursor.up)
        at = at + 1 if cursor.up else at - 1            # below 0 stands NOTHING
        if matches(job, only, wanted):
            cursor.job, cursor.following = job, at
            return
    cursor.job, cursor.following = NULL, <uint64_t>NOTHING


cdef inline bint newer(const Job* job, const Job* other) noexcept nogil:
    return job.id > other.id if job.created_at == other.created_at else job.created_at > other.created_at


cdef inline uint32_t nearest(const Cursor* cursors, uint32_t count) noexcept nogil:
    """Whose job comes next in the direction of the walk."""
    cdef uint32_t best = 0
    cdef uint32_t i
    for i in range(1, count):
        if newer(cursors[i].job, cursors[best].job) != cursors[0].up:
            best = i
    return best


cdef uint64_t walk(Core* core, Queue* only, int wanted, uint64_t skip, uint64_t most, bint up,
                   Job** out) noexcept nogil:
    """Up to `most` jobs behind the first `skip`, in the order of the walk; how many."""
    cdef Cursor[SHARDS] cursors             # those that have a job, at the front
    cdef uint32_t count = 0
    cdef uint32_t first = 0 if only == NULL else only.shard
    cdef uint32_t i
    cdef uint64_t passed = 0
    for i in range(<uint32_t>SHARDS if only == NULL else 1):
        cursors[count].ids = &core.shards[first + i].ids
        cursors[count].following = 1 if up else core.shards[first + i].next_sequence
        cursors[count].up = up
        cursor_next(&cursors[count], only, wanted)
        count += cursors[count].job != NULL
    while count and passed < skip + most:
        i = nearest(cursors, count) if count > 1 else 0
        if passed >= skip:
            out[passed - skip] = cursors[i].job
        passed += 1
        if passed < skip + most:
            cursor_next(&cursors[i], only, wanted)
        if cursors[i].job == NULL:
            count -= 1
            cursors[i] = cursors[count]
    return passed - skip if passed > skip else 0


cdef void reverse(Job** jobs, uint64_t count) noexcept nogil:
    cdef uint64_t i
    for i in range(count // 2):
        jobs[i], jobs[count - 1 - i] = jobs[count - 1 - i], jobs[i]


cdef uint64_t listing_page(Core* core, Queue* only, int wanted, uint64_t skip, uint64_t most, Job** out) noexcept nogil:
    cdef uint64_t total = listing_total(core, only, wanted)
    cdef uint64_t count
    if skip >= total or most == 0:
        return 0
    most = min(most, total - skip)          # no walk for what is not there
    if total <= GATHERED:
        count = gather(core, only, wanted, total, skip, most, out)
        if count:
            return count
    if skip <= total // 2:
        return walk(core, only, wanted, skip, most, False, out)
    count = walk(core, only, wanted, total - skip - most, most, True, out)
    reverse(out, count)
    return count
