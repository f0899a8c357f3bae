"""Edges: made with the job that waits, told once of the end of the id, cut."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.job cimport (
    ENDED_DEPENDENCY_FAILED, OUTCOME_COMPLETED, OUTCOME_FAILED, OUTCOME_NONE, STATE_COMPLETED,
    STATE_DELAYED, STATE_FAILED, STATE_WAITING_CHILDREN, Awaited, Edge, Job,
)
from flashq._core.jobs cimport job_find, job_gone, job_log
from flashq._core.json_write cimport literal_put, u64_put
from flashq._core.lifecycle cimport job_bury, job_detach, job_place, job_waits
from flashq._core.namemap cimport NameMap, name_add, name_find, name_hash, name_remove
from flashq._core.queue cimport deadline_lower
from flashq._core.records cimport record_state, record_ties
from flashq._core.request cimport PARENT_FAIL, PARENT_RUN, PARENT_WAIT, Slice
from flashq._core.shardmap cimport SHARD_BITS, SHARDS
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport COMPLETED
from flashq._core.status cimport OK

cdef enum:
    ID_BYTES = 8                # ids are names in Core.awaited and Core.minded
    CHILDREN_DONE_SIZE = 40     # bytes of the text below
    WHY_BYTES = 64              # "Dependency ", 20 digits and what is written past them, " was removed", a NUL

cdef const char* CHILDREN_DONE = "All children completed, parent job ready"


# Ids

cdef inline NameMap* map_of(Core* core, bint minded) noexcept nogil:
    return &core.minded if minded else &core.awaited


cdef Awaited* awaited_find(Core* core, bint minded, uint64_t id) noexcept nogil:
    return <Awaited*>name_find(map_of(core, minded), name_hash(<uint8_t*>&id, ID_BYTES), <uint8_t*>&id, ID_BYTES)


cdef Awaited* awaited_make(Core* core, bint minded, uint64_t id, Outcome outcome) noexcept nogil:
    """One that stands in its map, or among the told when its outcome is known; NULL without memory."""
    cdef Awaited* awaited = <Awaited*>slab_take(&core.awaited_slab)
    if awaited == NULL:
        return NULL
    memset(awaited, 0, sizeof(Awaited))
    awaited.id, awaited.minded = id, <uint8_t>minded
    if outcome != OUTCOME_NONE:
        told_append(core, awaited, outcome)
        return awaited
    awaited.node.name, awaited.node.size = <uint8_t*>&awaited.id, <uint32_t>ID_BYTES
    awaited.node.hash = name_hash(<uint8_t*>&id, ID_BYTES)
    if name_add(map_of(core, minded), &awaited.node) != OK:
        slab_give(&core.awaited_slab, awaited)
        return NULL
    core.awaited_count += 1
    return awaited


cdef void awaited_forget(Core* core, Awaited* awaited) noexcept nogil:
    """Nobody waits for it any more."""
    if awaited.outcome == OUTCOME_NONE:
        name_remove(map_of(core, awaited.minded), &awaited.node)
        core.awaited_count -= 1
        if awaited.gone:
            vain_leave(core, awaited)
    else:
        if awaited.prev != NULL:
            awaited.prev.next = awaited.next
        else:
            core.first_told = awaited.next
        if awaited.next != NULL:
            awaited.next.prev = awaited.prev
        else:
            core.last_told = awaited.prev
    slab_give(&core.awaited_slab, awaited)


cdef void vain_leave(Core* core, Awaited* awaited) noexcept nogil:
    if awaited.prev != NULL:
        awaited.prev.next = awaited.next
    else:
        core.first_vain = awaited.next
    if awaited.next != NULL:
        awaited.next.prev = awaited.prev


cdef void told_append(Core* core, Awaited* awaited, Outcome outcome) noexcept nogil:
    awaited.outcome = <uint8_t>outcome
    awaited.prev, awaited.next = core.last_told, NULL
    if core.last_told != NULL:
        core.last_told.next = awaited
    else:
        core.first_told = awaited
    core.last_told = awaited


cdef bint ended_in(Core* core, bint minded, uint64_t id, Outcome outcome) noexcept nogil:
    cdef Awaited* awaited = awaited_find(core, minded, id)
    if awaited == NULL:
        return False
    name_remove(map_of(core, minded), &awaited.node)
    core.awaited_count -= 1
    told_append(core, awaited, outcome)
    return True


cdef void vain_append(Core* core, Awaited* awaited, Outcome outcome) noexcept nogil:
    """Its job is no more, and yet it may not be told: those who wait for its completion wait in vain."""
    if awaited.gone:
        return
    awaited.gone = <uint8_t>outcome
    awaited.prev, awaited.next = NULL, core.first_vain
    if core.first_vain != NULL:
        core.first_vain.prev = awaited
    core.first_vain = awaited


cdef bint gone_in_vain(Core* core, uint64_t id, Outcome outcome) noexcept nogil:
    cdef Awaited* awaited = awaited_find(core, False, id)
    if awaited != NULL:
        vain_append(core, awaited, outcome)
    return awaited != NULL


cdef bint awaited_ended(Core* core, uint64_t id, Outcome outcome, bint gone) noexcept nogil:
    cdef bint found = False
    if core.awaited.count and outcome == OUTCOME_COMPLETED:
        found = ended_in(core, False, id, outcome)
    elif core.awaited.count and gone:
        found = gone_in_vain(core, id, outcome)
    if core.minded.count and ended_in(core, True, id, outcome):
        found = True
    return found


# Edges

cdef Outcome outcome_of(Core* core, uint64_t id) noexcept nogil:
    """Completed is also what was issued once and forgotten since; an id that was never issued is waited for."""
    cdef Job* job = job_find(core, id)
    if job == COMPLETED():
        return OUTCOME_COMPLETED
    if job != NULL:
        if job.state == STATE_FAILED:
            return OUTCOME_FAILED
        return OUTCOME_COMPLETED if job.state == STATE_COMPLETED else OUTCOME_NONE
    if id >> SHARD_BITS != 0 and id >> SHARD_BITS < core.shards[id & (SHARDS - 1)].next_sequence:
        return OUTCOME_COMPLETED
    return OUTCOME_NONE


cdef bint edge_make(Core* core, Relations* relations, uint64_t id, bint child, OnParentFailure policy) noexcept nogil:
    return edge_join(core, relations, id, child, policy, outcome_of(core, id))


cdef bint edge_join(Core* core, Relations* relations, uint64_t id, bint child, OnParentFailure policy,
                    Outcome known) noexcept nogil:
    cdef Outcome outcome = known
    cdef Awaited* awaited = NULL
    cdef Edge* edge
    if outcome == OUTCOME_COMPLETED or (outcome != OUTCOME_NONE and policy == PARENT_RUN):
        # What is no more counts as completed for who comes later, but may not have ended so for others who wait for it.
        if outcome != OUTCOME_COMPLETED or job_find(core, id) == NULL:
            met_note(core, relations, id)
        if child:
            relations.children_completed += 1
        return True
    if policy == PARENT_WAIT:
        outcome = OUTCOME_NONE              # a dead letter may be retried
    edge = <Edge*>slab_take(&core.edges)
    if edge == NULL:
        return False
    if outcome == OUTCOME_NONE:
        awaited = awaited_find(core, policy != PARENT_WAIT, id)
    if awaited == NULL:
        awaited = awaited_make(core, policy != PARENT_WAIT, id, outcome)
    if awaited == NULL:
        slab_give(&core.edges, edge)
        return False
    if policy == PARENT_WAIT and known != OUTCOME_NONE and job_find(core, id) == NULL:
        vain_append(core, awaited, known)
    edge.job, edge.awaited, edge.prev, edge.next = relations.job, awaited, NULL, awaited.first
    if awaited.first != NULL:
        awaited.first.prev = edge
    awaited.first = edge
    edge.sibling, relations.edges = relations.edges, edge
    edge.child, edge.policy = <uint8_t>child, <uint8_t>policy
    relations.unmet += 1
    return True


cdef void edge_cut(Core* core, Edge* edge) noexcept nogil:
    """The job no longer waits for that id; an id nobody waits for is forgotten."""
    cdef Awaited* awaited = edge.awaited
    if awaited == NULL:
        return
    if edge.prev != NULL:
        edge.prev.next = edge.next
    else:
        awaited.first = edge.next
    if edge.next != NULL:
        edge.next.prev = edge.prev
    edge.awaited = NULL
    if awaited.first == NULL:
        awaited_forget(core, awaited)


cdef void edges_free(Core* core, Relations* relations) noexcept nogil:
    cdef Edge* edge
    while relations.edges != NULL:
        edge, relations.edges = relations.edges, relations.edges.sibling
        edge_cut(core, edge)
        slab_give(&core.edges, edge)


# Telling

cdef void wait_over(Core* core, Job* job) noexcept nogil:
    job_detach(core, job)
    job_waits(core, job)
    if job.run_at > core.now:
        job.state = STATE_DELAYED
        job.deadline = core.mono + job.run_at - core.now
    record_state(core, job)
    job_place(core, job)


cdef void child_done(Core* core, Job* job) noexcept nogil:
    cdef Relations* relations = job.extra.relations
    cdef Slice text
    relations.children_completed += 1
    record_ties(core, job)
    if relations.children_completed == relations.children_count and job.state == STATE_WAITING_CHILDREN:
        text.ptr, text.size, text.flags = <const uint8_t*>CHILDREN_DONE, <uint32_t>CHILDREN_DONE_SIZE, 0
        job_log(core, job, &text, NULL)


cdef void fail_too(Core* core, Job* job, uint64_t id, bint child, Outcome outcome) noexcept nogil:
    """A death of its own: those who wait for this job are told in turn."""
    cdef uint8_t[WHY_BYTES] why
    cdef uint8_t* end = literal_put(why, "Child ") if child else literal_put(why, "Dependency ")
    end = u64_put(end, id)
    end = literal_put(end, " failed") if outcome == OUTCOME_FAILED else literal_put(end, " was removed")
    end[0] = 0
    job_detach(core, job)
    job_bury(core, job, ENDED_DEPENDENCY_FAILED, <const char*>why)


cdef void met_note(Core* core, Relations* relations, uint64_t id) noexcept nogil:
    """A dead letter may wait again; whoever runs all the same does not wait for it twice. Not without memory."""
    cdef uint32_t size = relations.met_count * <uint32_t>ID_BYTES
    cdef uint64_t* more = <uint64_t*>blob_take(&core.blobs, size + <uint32_t>ID_BYTES)
    if more == NULL:
        return
    if size:
        memcpy(more, relations.met, size)
        blob_give(&core.blobs, <uint8_t*>relations.met, size)
    relations.met = more
    more[relations.met_count] = id
    relations.met_count += 1


cdef void edge_told(Core* core, Edge* edge) noexcept nogil:
    """The id that it waits for has ended. The edge may be gone afterwards, and so may its job."""
    cdef Job* job = edge.job
    cdef Relations* relations = job.extra.relations
    cdef uint64_t id = edge.awaited.id
    cdef Outcome outcome = <Outcome>edge.awaited.outcome
    edge_cut(core, edge)
    relations.unmet -= 1
    if job_gone(job):
        return                              # its grave frees it
    if edge.child and outcome == OUTCOME_COMPLETED:
        child_done(core, job)
    if job.state != STATE_WAITING_CHILDREN:
        return                              # dead by another edge, or discarded: it waits for nobody any more
    if outcome != OUTCOME_COMPLETED and edge.policy == PARENT_FAIL:
        fail_too(core, job, id, edge.child, outcome)
        return
    if outcome != OUTCOME_COMPLETED:
        met_note(core, relations, id)
        record_ties(core, job)
    if relations.unmet == 0:
        wait_over(core, job)


cdef void command_tells(Core* core) noexcept nogil:
    if not core.telling:                    # else it would pay for the ends of others
        awaited_tell(core, TELL_BUDGET)


cdef void awaited_tell(Core* core, uint32_t budget) noexcept nogil:
    while core.first_told != NULL and budget > 0:
        budget -= 1
        edge_told(core, core.first_told.first)
    core.telling = core.first_told != NULL
    if core.telling:
        deadline_lower(core, core.mono)
