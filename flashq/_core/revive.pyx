"""Jobs back into lines, lists, maps and timers, once all records are read. Times on the clock become deadlines here.

Leases begin anew: for what was delivered over a named session its grace, else the lease of a lost connection.
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memset

from flashq._core.edges cimport edge_join, outcome_of, wait_over
from flashq._core.groups cimport group_restore, has_group, line_enter
from flashq._core.job cimport (
    IN_BLOCKED, IN_DEAD, IN_DELAYED, IN_KEPT, IN_OWNER, JOB_MSGPACK, OUTCOME_COMPLETED, OUTCOME_NONE, OUTCOME_REMOVED,
    STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, STATE_WAITING, STATE_WAITING_CHILDREN, Delivery, Extra,
    Job, Outcome, Relations, job_is,
)
from flashq._core.jobs cimport job_arm, job_free, job_gone, saturated
from flashq._core.namemap cimport NameNode, name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport active_append, list_append
from flashq._core.rawlist cimport number_list
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.recovery cimport DAMAGED, KEY_HELD, raw_find
from flashq._core.relations cimport MAX_DEPENDS_ON, unique_hold
from flashq._core.request cimport JSON, MSGPACK, PARENT_FAIL, PARENT_WAIT, OnParentFailure, Slice
from flashq._core.reservations cimport owner_await, owner_free
from flashq._core.retention cimport done_restore, kept_restore
from flashq._core.shardmap cimport NOTHING, SHARDS, IdTable, id_get, id_next, id_remove
from flashq._core.state cimport COMPLETED, Core, Owner, Queue
from flashq._core.status cimport NO_MEMORY, OK

cdef uint64_t[MAX_DEPENDS_ON] AWAITED       # room for one job's ids at a time

cdef struct Pile:               # of jobs that are to be put in order
    Job** jobs                  # owned
    uint64_t count
    uint64_t cap

cdef struct Piles:              # all zero is empty
    Pile dead
    Pile kept                   # completed, and not among the ids that a checkpoint told


cdef int revive(Recovery* r, dict gone) except? -1000:
    cdef Piles piles
    cdef int status = OK
    memset(&piles, 0, sizeof(Piles))
    generations_set(r)
    if r.tied:
        status = edges_back(r, gone)
    if status == OK:
        status = jobs_back(r, &piles)
    if status == OK:
        dead_back(&piles.dead)
        kept_back(r.core, &piles.kept)
        done_back(r)
        owners_back(r.core)
    raw_free(piles.dead.jobs)
    raw_free(piles.kept.jobs)
    return status


cdef void generations_set(Recovery* r) noexcept nogil:
    """Later bulk removals of any queue are past all that were met."""
    cdef Queue* queue = r.core.first_queue
    r.core.generation = max(r.core.generation, r.generation)
    while queue != NULL:
        queue.generation = r.core.generation
        queue.rate.tokens = 0               # what was delivered before is not known: never more than the rate
        queue = queue.next


cdef inline uint64_t following(IdTable* ids, uint64_t sequence) noexcept nogil:
    """The next sequence that is there, or NOTHING."""
    return sequence + 1 if id_get(ids, sequence + 1) != NULL else id_next(ids, sequence + 1)


# What waits for other jobs

cdef int edges_back(Recovery* r, dict gone) except? -1000:
    cdef IdTable* ids
    cdef Job* job
    cdef uint64_t sequence
    cdef uint32_t shard
    for shard in range(<uint32_t>SHARDS):
        ids = &r.core.shards[shard].ids
        sequence = id_next(ids, 1)
        while sequence != <uint64_t>NOTHING:
            job = <Job*>id_get(ids, sequence)
            if job != COMPLETED() and has_edges(job) and not job_gone(job):
                if job.extra == NULL or job.extra.relations == NULL:
                    r.reason = "a job waits for others, and nothing says for which"
                    return DAMAGED
                if not waits_again(r.core, job, gone):
                    return NO_MEMORY
            sequence = following(ids, sequence)
    return OK


cdef inline bint has_edges(const Job* job) noexcept nogil:
    """Whether it waits, or, as a flow's parent that waits no more, counts its children all the same."""
    if job.state == STATE_WAITING_CHILDREN:
        return True
    return (job.state != STATE_COMPLETED and job.extra != NULL and job.extra.relations != NULL
            and job.extra.relations.children_count != 0)


cdef bint waits_again(Core* core, Job* job, dict gone) except -1:
    cdef Relations* relations = job.extra.relations
    cdef Slice depends_on = Slice(relations.depends_on, relations.depends_on_size, 0)
    cdef OnParentFailure policy = <OnParentFailure>relations.on_parent_failure
    cdef uint32_t i, count = 0
    cdef bint waits = job.state == STATE_WAITING_CHILDREN
    cdef Outcome outcome
    if waits:
        relations.children_completed = 0    # counted anew as the edges are made
    if depends_on.size and waits:
        count = number_list(MSGPACK if job_is(job, JOB_MSGPACK) else JSON, &depends_on, AWAITED, MAX_DEPENDS_ON)
    for i in range(count):
        if is_met(relations, AWAITED[i]):
            continue
        if not edge_join(core, relations, AWAITED[i], False, policy, how_ended(core, AWAITED[i], gone)):
            return False
    policy = PARENT_FAIL if relations.fail_parent else PARENT_WAIT
    for i in range(relations.children_count):
        outcome = how_ended(core, relations.children[i], gone)
        # Who waits no more knows its count, and may have heard of ends that nothing tells of any longer.
        if not waits and (outcome == OUTCOME_COMPLETED or outcome == OUTCOME_REMOVED
                          or (outcome != OUTCOME_NONE and policy == PARENT_FAIL)):
            continue
        if not edge_join(core, relations, relations.children[i], True, policy, outcome):
            return False
    return True


cdef inline bint is_met(const Relations* relations, uint64_t id) noexcept nogil:
    cdef uint32_t i
    for i in range(relations.met_count):
        if relations.met[i] == id:
            return True
    return False


cdef Outcome how_ended(Core* core, uint64_t id, dict gone) except? OUTCOME_NONE:
    """Of an id that is absent, only a record tells that it did not end well."""
    cdef Job* job = raw_find(core, id)
    if job != NULL and job != COMPLETED() and job_gone(job):
        return OUTCOME_REMOVED
    if job == NULL and id in gone:
        return <Outcome><int>gone[id]
    return outcome_of(core, id)


# Jobs

cdef int jobs_back(Recovery* r, Piles* piles) noexcept nogil:
    cdef IdTable* ids
    cdef Job* job
    cdef uint64_t sequence
    cdef uint32_t shard
    cdef int status = OK
    for shard in range(<uint32_t>SHARDS):
        ids = &r.core.shards[shard].ids
        sequence = id_next(ids, 1)
        while sequence != <uint64_t>NOTHING and status == OK:
            job = <Job*>id_get(ids, sequence)
            if job == COMPLETED():
                pass
            elif job_gone(job):
                job_free(r.core, job)
                id_remove(ids, sequence)
                r.jobs -= 1
            else:
                status = job_back(r, job, piles)
            sequence = following(ids, sequence)
    return status


cdef int job_back(Recovery* r, Job* job, Piles* piles) noexcept nogil:
    cdef Core* core = r.core
    cdef Queue* queue = <Queue*>job.queue
    if job.extra != NULL and names_back(core, job) != OK:
        return NO_MEMORY
    if job.extra != NULL and job.extra.ttl:     # of those too that only a failure or a retry brings back into line
        job.extra.ttl_deadline = core.mono + left_of(core, job.created_at, job.extra.ttl) + 1
    if job.state == STATE_FAILED:
        return pile_note(&piles.dead, job)
    if job.state == STATE_ACTIVE:
        if job.delivery == NULL:
            r.reason = "a job is active, and nothing says with whom"
            return DAMAGED
        return active_back(core, job)
    if job.state == STATE_COMPLETED:
        return pile_note(&piles.kept, job) if job.where == IN_KEPT else OK
    if job.state == STATE_WAITING_CHILDREN:
        list_append(&queue.blocked, job, IN_BLOCKED)
        if job.extra.relations.unmet == 0:
            wait_over(core, job)            # it was not told yet that the last one had ended
        return OK
    return line_back(core, queue, job)


cdef inline uint64_t left_of(const Core* core, uint64_t start, uint64_t span) noexcept nogil:
    """ms until a time on the wall clock; 0 when it has passed."""
    cdef uint64_t end = saturated(start, span)
    return end - core.now if end > core.now else 0


cdef int line_back(Core* core, Queue* queue, Job* job) noexcept nogil:
    job.deadline = 0
    if job.state == STATE_DELAYED and job.run_at > core.now:
        job.deadline = core.mono + job.run_at - core.now
    else:
        job.state = STATE_WAITING
    if (job.extra != NULL or job.state == STATE_DELAYED) and job_arm(core, job) != OK:
        return NO_MEMORY
    if job.state == STATE_DELAYED:
        list_append(&queue.delayed, job, IN_DELAYED)
        return OK
    return line_enter(core, queue, job)


cdef int active_back(Core* core, Job* job) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    cdef Delivery* delivery = job.delivery
    cdef Extra* extra = job.extra
    cdef Owner* owner = <Owner*>delivery.owner
    delivery.started_mono = core.mono
    if extra != NULL and extra.timeout:
        delivery.deadline = core.mono + left_of(core, delivery.started_at, extra.timeout) + 1
    if extra != NULL and extra.stall_timeout:
        delivery.lease_until = saturated(core.mono, extra.stall_timeout)
    elif owner == &core.leased:
        delivery.lease_until = core.mono + core.limits.default_lease
    if job_arm(core, job) != OK or (has_group(job) and group_restore(core, queue, job) != OK):
        return NO_MEMORY
    active_append(&queue.active, job)
    list_append(&owner.jobs, job, IN_OWNER)
    return OK


cdef int names_back(Core* core, Job* job) noexcept nogil:
    """Its custom id and its unique key are found again."""
    cdef Extra* extra = job.extra
    cdef Relations* ties = extra.relations
    cdef NameNode* node
    cdef Extra* other
    cdef uint64_t hash
    if extra.custom_id_size:
        hash = name_hash(extra.custom_id, extra.custom_id_size)
        other = <Extra*>name_find(&core.shards[hash & (SHARDS - 1)].customs, hash, extra.custom_id,
                                  extra.custom_id_size)
        if other == NULL or other.job.state == STATE_COMPLETED:     # which a later job took it from
            if other != NULL:
                name_remove(&core.shards[hash & (SHARDS - 1)].customs, &other.custom)
                other.custom.name = NULL
            extra.custom.name, extra.custom.size, extra.custom.hash = extra.custom_id, extra.custom_id_size, hash
            if name_add(&core.shards[hash & (SHARDS - 1)].customs, &extra.custom) != OK:
                extra.custom.name = NULL
                return NO_MEMORY
    if ties == NULL or ties.unique_text == NULL or ties.unique.kind != KEY_HELD:
        return OK
    ties.unique.kind = 0
    hash = name_hash(ties.unique_text, ties.unique_size)
    node = name_find(&core.shards[hash & (SHARDS - 1)].uniques, hash, ties.unique_text, ties.unique_size)
    return OK if node != NULL or unique_hold(core, ties, hash) else NO_MEMORY


# What is over

cdef int pile_note(Pile* pile, Job* job) noexcept nogil:
    cdef void* room
    if pile.count == pile.cap:
        room = raw_realloc(pile.jobs, (2 * pile.cap + 64) * sizeof(Job*))
        if room == NULL:
            return NO_MEMORY
        pile.jobs, pile.cap = <Job**>room, 2 * pile.cap + 64
    pile.jobs[pile.count] = job
    pile.count += 1
    return OK


cdef int died_before(const void* one, const void* other) noexcept nogil:
    cdef const Job* a = (<const Job**>one)[0]
    cdef const Job* b = (<const Job**>other)[0]
    if a.deadline != b.deadline:
        return -1 if a.deadline < b.deadline else 1
    return -1 if a.id < b.id else 1


cdef inline uint64_t done_number(const Job* job) noexcept nogil:
    return 0 if job.extra == NULL or job.extra.relations == NULL else job.extra.relations.done_number


cdef int done_before(const void* one, const void* other) noexcept nogil:
    cdef const Job* a = (<const Job**>one)[0]
    cdef const Job* b = (<const Job**>other)[0]
    if done_number(a) != done_number(b):
        return -1 if done_number(a) < done_number(b) else 1
    return died_before(one, other)


cdef void kept_back(Core* core, Pile* kept) noexcept nogil:
    """Oldest first, as they were completed."""
    cdef uint64_t i
    if kept.count:
        qsort(kept.jobs, kept.count, sizeof(Job*), done_before)
    for i in range(kept.count):
        if not kept_restore(core, kept.jobs[i]):
            done_restore(core, kept.jobs[i].id, kept.jobs[i])


cdef void dead_back(Pile* dead) noexcept nogil:
    """Oldest first, as they died."""
    cdef uint64_t i
    if dead.count:
        qsort(dead.jobs, dead.count, sizeof(Job*), died_before)
    for i in range(dead.count):
        list_append(&(<Queue*>dead.jobs[i].queue).dead, dead.jobs[i], IN_DEAD)


cdef void done_back(Recovery* r) noexcept nogil:
    cdef Job* job
    cdef uint64_t id, i
    for i in range(r.done_count):
        id = r.done[i]
        job = raw_find(r.core, id)
        if job == NULL:
            continue
        if job == COMPLETED():
            done_restore(r.core, id, NULL)
        elif not kept_restore(r.core, job):
            done_restore(r.core, id, job)


cdef void owners_back(Core* core) noexcept nogil:
    cdef Owner* owner = core.first_owner
    cdef Owner* after
    while owner != NULL:
        after = owner.next
        if owner.jobs.count:
            owner_await(core, owner)
        else:
            owner_free(core, owner)
        owner = after
