"""Flows: a parent that waits for its children, pushed with them as one change, or not at all."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.engine cimport Engine, engine_done, format_of, job_bytes
from flashq._core.job cimport Job, Relations
from flashq._core.jobs cimport job_create, job_find, job_gone
from flashq._core.lifecycle cimport job_take_back
from flashq._core.queue cimport queue_open
from flashq._core.request cimport BIT_DATA, BIT_FLOW, MAX_BATCH, OP_PUSH, Request, has
from flashq._core.room cimport room_check
from flashq._core.scratch cimport scratch_reset
from flashq._core.shardmap cimport SHARD_BITS
from flashq._core.state cimport COMPLETED, Core, Queue
from flashq._core.status cimport BATCH_TOO_LARGE, DATA_TOO_LARGE, OK
from flashq._core.wire cimport wire_scan

from flashq._core.engine import Rejected

cdef uint64_t[MAX_BATCH] CHILDREN           # room for one flow's ids at a time


cdef class Flows:
    """Makes flows in one engine and shows them."""
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    def create(self, bytes parent, list children, bint msgpack, bint fail_parent=False):
        """Push the children and the parent, each a PUSH request of that format: (parent id, [child id, ...]).

        With `fail_parent` the parent dies when a child dies or is removed.
        Rejected names in `field` who was refused ("children[2]", "" for the parent); then nothing has changed.
        """
        cdef Core* core = &self.engine.core
        cdef uint32_t count = <uint32_t>min(len(children), MAX_BATCH + 1)
        cdef uint32_t made = 0
        cdef uint64_t parent_id
        cdef int status
        if count > MAX_BATCH:
            raise Rejected(BATCH_TOO_LARGE, "children", <uint64_t>len(children))
        status = room_check(core)
        if status != OK:
            raise Rejected(status, "", core.limits.memory)
        parent_id = self._reserve(parent, msgpack)
        try:
            for frame in children:
                CHILDREN[made] = self._push(frame, msgpack, f"children[{made}]", 0, parent_id, 0, False)
                made += 1
            # Not the id that was put aside if the parent exists.
            parent_id = self._push(parent, msgpack, "", parent_id, 0, count, fail_parent)
        except Rejected:
            self._undo(made, parent_id)
            raise
        finally:
            engine_done(core)
        return parent_id, [CHILDREN[i] for i in range(count)]

    def children(self, uint64_t id, bint msgpack):
        """([Job of each child that there is], completed, [id of each]) of a flow's parent; None when it is none."""
        cdef Job* job = job_find(&self.engine.core, id)
        cdef Job* child
        cdef Relations* relations
        cdef uint32_t i
        if job == NULL or job == COMPLETED() or job.extra == NULL or job.extra.relations == NULL:
            return None
        relations = job.extra.relations
        if relations.children_count == 0:
            return None
        jobs = []
        for i in range(relations.children_count):
            child = job_find(&self.engine.core, relations.children[i])
            if child != NULL and child != COMPLETED():
                jobs.append(job_bytes(&self.engine.core, child, msgpack))
        return jobs, relations.children_completed, [relations.children[i] for i in range(relations.children_count)]

    cdef int _scan(self, bytes frame, bint msgpack, str where, Request* request, Queue** queue) except -1:
        cdef Core* core = &self.engine.core
        cdef int status
        scratch_reset(&self.engine.scratch)
        status = wire_scan(format_of(msgpack), &self.engine.scratch, <const uint8_t*><char*>frame, <size_t>len(frame),
                           request)
        if status == OK and request.op != OP_PUSH:
            raise ValueError("a flow is made of PUSH requests")
        if status == OK and has(&request.item, BIT_DATA) and request.item.data.size > core.limits.job_size:
            status = DATA_TOO_LARGE
            request.problem_number = request.item.data.size
        if status == OK:
            status = queue_open(core, &request.queue, queue)
        if status != OK:
            raise Rejected(status, where, request.problem_number)
        return 0

    cdef uint64_t _reserve(self, bytes parent, bint msgpack) except? 0:
        """An id for the parent, before its children that carry it."""
        cdef Request request
        cdef Queue* queue
        cdef uint64_t sequence
        self._scan(parent, msgpack, "", &request, &queue)
        sequence = self.engine.core.shards[queue.shard].next_sequence
        self.engine.core.shards[queue.shard].next_sequence += 1
        return sequence << SHARD_BITS | queue.shard

    cdef uint64_t _push(self, bytes frame, bint msgpack, str where, uint64_t id, uint64_t parent,
                        uint32_t children, bint fail_parent) except? 0:
        cdef Request request
        cdef Queue* queue
        cdef uint64_t made, shown
        cdef int status
        self._scan(frame, msgpack, where, &request, &queue)
        request.item.seen |= <uint64_t>1 << BIT_FLOW
        request.item.flow_id, request.item.flow_parent = id, parent
        request.item.flow_children, request.item.flow_count = CHILDREN, children
        request.item.flow_fails = fail_parent
        status = job_create(&self.engine.core, queue, &request.item, request.format, &made, &shown)
        if status != OK:
            raise Rejected(status, where, request.problem_number)
        return made

    cdef int _undo(self, uint32_t made, uint64_t parent_id) except -1:
        """Take back the children; those that a custom id found were there before, and stay."""
        cdef Core* core = &self.engine.core
        cdef Job* job
        cdef uint32_t i
        for i in range(made):
            job = job_find(core, CHILDREN[i])
            if job != NULL and job != COMPLETED() and not job_gone(job) and parent_of(job) == parent_id:
                job_take_back(core, job)
        return 0


cdef uint64_t parent_of(const Job* job) noexcept nogil:
    return 0 if job.extra == NULL or job.extra.relations == NULL else job.extra.relations.parent_id
