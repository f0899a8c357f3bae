"""Jobs of a group: so many active at a time, so many a second, in turn with other groups; the others stand aside."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from flashq._core.bulk cimport grave_add, grave_free
from flashq._core.heap cimport heap_move, heap_push, heap_remove
from flashq._core.job cimport IN_RETURNED, JOB_LIFO, Relations, job_is
from flashq._core.jobs cimport keep
from flashq._core.lifecycle cimport LIMBO_RETRY_MS
from flashq._core.lanes cimport lane_enter, lane_leave, lane_open, lane_settle, turns_at
from flashq._core.limits cimport TOKEN, bucket_refill, bucket_wait
from flashq._core.namemap cimport name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport deadline_lower, queue_wants_service
from flashq._core.ready cimport (
    Ready, job_before, ready_append, ready_close, ready_replace, ready_spare, ready_takes,
)
from flashq._core.relations cimport scoped
from flashq._core.request cimport Slice
from flashq._core.shardmap cimport SHARDS
from flashq._core.slab cimport blob_give, slab_give, slab_take
from flashq._core.state cimport NODE_GROUP, NO_LIMIT, GroupName, Lane
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    HIDDEN_AT_ONCE = 1000       # jobs that one look for the next hides; groups_pass sees to the rest


# A group comes and goes

cdef Group* group_open(Core* core, Queue* queue, const Relations* relations) noexcept nogil:
    """The job's group, made when there is none; NULL: no memory."""
    cdef Slice key
    cdef Slice name
    cdef GroupName* found
    cdef Group* group
    cdef uint64_t hash
    key.ptr, key.size, key.flags = relations.group, relations.group_size, 0
    if not scoped(core, queue, &key, &name):
        return NULL
    hash = name_hash(name.ptr, name.size)
    found = <GroupName*>name_find(&core.shards[hash & (SHARDS - 1)].groups, hash, name.ptr, name.size)
    if found != NULL:
        return found.group
    group = <Group*>slab_take(&core.groups_slab)
    if group == NULL:
        return NULL
    memset(group, 0, sizeof(Group))
    group.text = keep(core, &name, &group.size)
    if group.text == NULL:
        slab_give(&core.groups_slab, group)
        return NULL
    group.shard = <uint32_t>(hash & (SHARDS - 1))
    group.name.group = group
    group.name.node.name, group.name.node.size, group.name.node.hash = group.text, group.size, hash
    if name_add(&core.shards[group.shard].groups, &group.name.node) != OK:
        blob_give(&core.blobs, group.text, group.size)
        slab_give(&core.groups_slab, group)
        return NULL
    group.queue = queue
    group.timer.kind = NODE_GROUP
    group.generation = queue.generation
    group.rate.filled = core.mono
    if queue.group_rate != <uint64_t>NO_LIMIT:
        group.rate.tokens = queue.group_rate * TOKEN
    line_open(queue, &group.ready)
    list_last(queue, group)
    queue.group_count += 1
    return group


cdef inline void line_open(Queue* queue, Ready* ready) noexcept nogil:
    memset(ready, 0, sizeof(Ready))
    ready.levels, ready.seed = queue.ready.levels, queue.ready.seed


cdef inline void list_last(Queue* queue, Group* group) noexcept nogil:
    group.prev, group.next = queue.last_group, NULL
    if queue.last_group != NULL:
        queue.last_group.next = group
    else:
        queue.first_group = group
    queue.last_group = group


cdef inline void list_out(Queue* queue, Group* group) noexcept nogil:
    if group.prev != NULL:
        group.prev.next = group.next
    else:
        queue.first_group = group.next
    if group.next != NULL:
        group.next.prev = group.prev
    else:
        queue.last_group = group.prev


cdef void group_settle(Core* core, Group* group) noexcept nogil:
    """Give it back if it holds nothing; one with a rate limit stays until its bucket is full again."""
    cdef Queue* queue = group.queue
    cdef uint64_t wait
    if group.active or group.shown != NULL or group.ready.count:
        return
    if queue.group_rate != <uint64_t>NO_LIMIT:
        bucket_refill(core, &group.rate, queue.group_rate)
        wait = bucket_wait(&group.rate, queue.group_rate, queue.group_rate * TOKEN)
        if wait and arm(core, group, core.mono + wait) == OK:
            return
    if group.timer.pos:
        heap_remove(&core.timers, &group.timer)
    list_out(queue, group)
    queue.group_count -= 1
    if queue.group_pass > queue.group_count:
        queue.group_pass = queue.group_count
    name_remove(&core.shards[group.shard].groups, &group.name.node)
    ready_close(&group.ready)
    blob_give(&core.blobs, group.text, group.size)
    slab_give(&core.groups_slab, group)
    queue.touched = core.mono


cdef int arm(Core* core, Group* group, uint64_t when) noexcept nogil:
    deadline_lower(core, when)
    if group.timer.pos:
        heap_move(&core.timers, &group.timer, when, 0)
        return OK
    return heap_push(&core.timers, when, 0, &group.timer)


cdef bint refresh(Core* core, Group* group) noexcept nogil:
    """Forget what a drain or an obliterate of its queue took; False when there is no memory to put it aside."""
    cdef Queue* queue = group.queue
    if group.generation >= queue.drained:
        return True
    if group.ready.count:
        if not grave_add(core, queue, &group.ready):
            return False
        line_open(queue, &group.ready)
    group.shown = NULL                      # it went with Queue.turns
    if group.generation < queue.obliterated:
        group.active = 0
    group.generation = queue.generation
    return True


# Whether it may run one more

cdef bint group_full(const Group* group) noexcept nogil:
    return group.active >= group.queue.group_concurrency


cdef uint64_t group_token_in(Core* core, Group* group) noexcept nogil:
    if group.queue.group_rate == <uint64_t>NO_LIMIT:
        return 0
    bucket_refill(core, &group.rate, group.queue.group_rate)
    return bucket_wait(&group.rate, group.queue.group_rate, TOKEN)


cdef bint admitted(Core* core, Group* group) noexcept nogil:
    """Whether its next job may be shown; without a token its timer is set."""
    cdef uint64_t wait
    if group_full(group):
        return False
    wait = group_token_in(core, group)
    if wait and arm(core, group, core.mono + wait) != OK:
        look_again(core, group.queue)
    return wait == 0


cdef void show(Core* core, Group* group) noexcept nogil:
    cdef Queue* queue = group.queue
    cdef Ready* turns
    cdef Job* job
    if not refresh(core, group) or group.shown != NULL or group.ready.count == 0 or not admitted(core, group):
        return
    job = ready_first(&group.ready)
    turns = turns_open(core, queue, job)
    if turns == NULL:
        look_again(core, queue)
        return
    ready_remove(&group.ready, job)
    queue.turn += 1
    group.turn = queue.turn
    group.fair = queue.fair
    group.shown = job
    put_in_turns(queue, turns, job)
    if queue.first_waiter != NULL:
        queue_wants_service(core, queue)


cdef Ready* turns_open(Core* core, Queue* queue, Job* job) noexcept nogil:
    """Where the job is to be shown, with room for it; NULL: no memory."""
    cdef Relations* relations = job.extra.relations
    cdef Lane* lane
    if relations.name == NULL:
        return &queue.turns if ready_takes(&queue.turns, job) == OK else NULL
    lane = lane_open(core, queue, relations)
    if lane == NULL:
        return NULL
    if ready_takes(&lane.turns, job) != OK:
        lane_settle(core, queue, lane)
        return NULL
    relations.lane = lane
    return &lane.turns


cdef inline void put_in_turns(Queue* queue, Ready* turns, Job* job) noexcept nogil:
    """Where turns_open made room: by its own order or, where groups take turns, behind all who wait for theirs."""
    if queue.fair:
        ready_append(turns, job)
    else:
        ready_push(turns, job)


cdef inline void unshow(Core* core, Queue* queue, Job* job) noexcept nogil:
    """Out of where it was shown."""
    cdef Lane* lane = <Lane*>job.extra.relations.lane
    ready_remove(turns_at(queue, job), job)
    if lane != NULL:
        job.extra.relations.lane = NULL
        lane_settle(core, queue, lane)


cdef bint hide(Core* core, Group* group) noexcept nogil:
    """Its shown job goes back into its own line, and leaves the lane, which may be empty; False: no memory."""
    cdef Job* job = group.shown
    if ready_takes(&group.ready, job) != OK:
        return False
    ready_remove(turns_at(group.queue, job), job)
    job.extra.relations.lane = NULL
    ready_push(&group.ready, job)
    group.shown = NULL
    return True


cdef bint hide_away(Core* core, Group* group) noexcept nogil:
    """The same, and the lane goes when it is empty."""
    cdef Lane* lane = <Lane*>group.shown.extra.relations.lane
    if not hide(core, group):
        return False
    if lane != NULL:
        lane_settle(core, group.queue, lane)
    return True


cdef inline bint goes_first(const Job* job, const Job* other) noexcept nogil:
    """Whether a job that got in line after the other comes before it."""
    if job.priority != other.priority:
        return job.priority > other.priority
    if job_is(job, JOB_LIFO) or job_is(other, JOB_LIFO):
        return job_is(job, JOB_LIFO)
    return job_before(job, other)


cdef void overtake(Core* core, Group* group, Job* job) noexcept nogil:
    """The job, which stands in the group's line, is shown in place of the one that is; not without memory."""
    cdef Queue* queue = group.queue
    cdef Job* other = group.shown
    cdef Ready* turns
    if ready_takes(&group.ready, other) != OK:
        return
    turns = turns_open(core, queue, job)
    if turns == NULL:
        ready_spare(&group.ready, other)
        return
    ready_remove(&group.ready, job)
    # One that came before the groups took turns may stand in its level's heap, where nobody takes a place over.
    if (queue.fair and job.priority == other.priority and turns == turns_at(queue, other)
            and other.where != IN_RETURNED):
        ready_replace(turns, other, job)    # it keeps the turn
        other.extra.relations.lane = NULL
    else:
        put_in_turns(queue, turns, job)
        unshow(core, queue, other)
    ready_push(&group.ready, other)
    group.shown = job


# Its jobs come and go

cdef int group_enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    cdef Relations* relations = job.extra.relations
    cdef Group* group = group_open(core, queue, relations)
    if group == NULL:
        return NO_MEMORY
    if not refresh(core, group) or ready_push(&group.ready, job) != OK:
        group_settle(core, group)
        return NO_MEMORY
    relations.member = group
    queue.grouped += 1
    if group.shown == NULL:
        show(core, group)
    elif goes_first(job, group.shown):
        overtake(core, group, job)
    return OK


cdef void group_leave(Core* core, Job* job) noexcept nogil:
    cdef Group* group = <Group*>job.extra.relations.member
    cdef Queue* queue = group.queue
    job.extra.relations.member = NULL
    queue.grouped -= 1
    if group.shown == job:
        group.shown = NULL
        unshow(core, queue, job)
        show(core, group)
    else:
        ready_remove(&group.ready, job)
    group_settle(core, group)


cdef void group_take(Core* core, Job* job) noexcept nogil:
    cdef Group* group = <Group*>job.extra.relations.member
    cdef Queue* queue = group.queue
    group.shown = NULL
    unshow(core, queue, job)
    queue.grouped -= 1
    group.active += 1
    if queue.group_rate != <uint64_t>NO_LIMIT:
        group.rate.tokens -= TOKEN
    show(core, group)


cdef int group_restore(Core* core, Queue* queue, Job* job) noexcept nogil:
    cdef Group* group = group_open(core, queue, job.extra.relations)
    if group == NULL:
        return NO_MEMORY
    group.active += 1
    job.extra.relations.member = group
    return OK


cdef void group_release(Core* core, Job* job) noexcept nogil:
    cdef Group* group = <Group*>job.extra.relations.member
    job.extra.relations.member = NULL
    group.active -= 1
    show(core, group)
    group_settle(core, group)


cdef int apart_enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    return group_enter(core, queue, job) if has_group(job) else lane_enter(core, queue, job)


cdef void apart_leave(Core* core, Queue* queue, Job* job) noexcept nogil:
    if has_group(job):
        group_leave(core, job)
    else:
        lane_leave(core, queue, job)


cdef void apart_take(Core* core, Queue* queue, Job* job) noexcept nogil:
    if has_group(job):
        group_take(core, job)
        return
    lane_leave(core, queue, job)
    if queue.fair:
        own_turn(queue)


# Whose turn it is

cdef Job* pair_first(Core* core, Queue* queue, Ready* ready, Ready* turns) noexcept nogil:
    """Limits may have become lower since a job was shown: it is hidden again when its turn comes."""
    cdef Job* own = ready_first(ready)
    cdef Job* shown
    cdef Group* group
    cdef uint32_t left = HIDDEN_AT_ONCE
    while True:
        shown = ready_first(turns)
        if shown == NULL:
            return own
        group = <Group*>shown.extra.relations.member
        if admitted(core, group):
            break
        if left == 0:
            return own                      # the pass that goes with new limits hides it, and wakes who waits
        left -= 1
        if not hide(core, group):
            look_again(core, queue)
            return own
    return own if own != NULL and not comes_before(queue, shown, own) else shown


cdef inline uint64_t turn_of(const Queue* queue, const Job* job) noexcept nogil:
    return (<Group*>job.extra.relations.member).turn if has_group(job) else queue.own_turn


cdef bint comes_before(const Queue* queue, const Job* job, const Job* other) noexcept nogil:
    """By priority; then, where groups take turns, by these; then as in one line, of LIFO jobs as their ids tell."""
    if job.priority != other.priority:
        return job.priority > other.priority
    if queue.fair and turn_of(queue, job) != turn_of(queue, other):
        return turn_of(queue, job) < turn_of(queue, other)
    if job_is(job, JOB_LIFO) and job_is(other, JOB_LIFO):
        return job.id > other.id
    return goes_first(job, other)


# All groups of a queue

cdef void pass_plan(Core* core, Queue* queue, uint64_t when) noexcept nogil:
    queue.group_pass = queue.group_count
    if queue.group_count and not queue.passing:
        queue.passing = True
        queue.pass_next = core.passing
        core.passing = queue
    core.pass_at = when
    deadline_lower(core, when)


cdef void groups_look(Core* core, Queue* queue) noexcept nogil:
    pass_plan(core, queue, core.mono)


cdef void look_again(Core* core, Queue* queue) noexcept nogil:
    """There was no memory: later there may be."""
    pass_plan(core, queue, core.mono + LIMBO_RETRY_MS)


cdef uint32_t look(Core* core, Group* group, uint32_t budget) noexcept nogil:
    """Jobs of its line that are gone are freed here, to spare a grave; the budget left, 0 while there are more."""
    cdef Job* job
    if group.generation < group.queue.drained:
        while budget > 0 and group.ready.count:
            budget -= 1
            job = ready_first(&group.ready)
            ready_remove(&group.ready, job)
            grave_free(core, job)
        if group.ready.count:
            return 0
    list_out(group.queue, group)
    list_last(group.queue, group)
    group.queue.group_pass -= 1
    if refresh(core, group) and group.shown != NULL and (group.fair != group.queue.fair or not admitted(core, group)):
        if hide_away(core, group):          # to be shown again by what is set now
            queue_wants_service(core, group.queue)
        else:
            look_again(core, group.queue)
    show(core, group)
    group_settle(core, group)
    return budget


cdef void groups_pass(Core* core, uint32_t budget) noexcept nogil:
    cdef Queue* queue
    while budget > 0 and core.passing != NULL and core.mono >= core.pass_at:
        queue = core.passing
        if queue.group_pass == 0:
            core.passing = queue.pass_next
            queue.passing = False
            continue
        budget = look(core, queue.first_group, budget - 1)


cdef void group_due(Core* core, Group* group) noexcept nogil:
    heap_remove(&core.timers, &group.timer)
    show(core, group)
    group_settle(core, group)


cdef void groups_close(Queue* queue) noexcept nogil:
    cdef Group* group = queue.first_group
    while group != NULL:
        ready_close(&group.ready)
        group = group.next
    ready_close(&queue.turns)
