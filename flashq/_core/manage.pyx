"""One function a command; each finds its job, refuses what the job's state does not allow, and leaves a record."""
from libc.stdint cimport uint64_t

from flashq._core.events cimport EVENT_CANCELLED
from flashq._core.failing cimport failing_note
from flashq._core.groups cimport line_leave
from flashq._core.job cimport (
    ENDED_DISCARDED,
    IN_FIFO, IN_LIFO, IN_RETURNED, STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, STATE_WAITING, Job,
)
from flashq._core.jobs cimport job_find, job_log, job_set_message, saturated
from flashq._core.lifecycle cimport job_beat, job_bury, job_detach, job_end_delivery, job_place, job_remove
from flashq._core.payload cimport payload_replace
from flashq._core.peers cimport peer_replied
from flashq._core.receipt cimport replied
from flashq._core.records cimport record_state
from flashq._core.request cimport (
    BIT_LEVEL, OP_CANCEL, OP_CHANGEPRIORITY, OP_DISCARD, OP_LOG, OP_MOVETODELAYED, OP_PROMOTE, OP_UPDATEJOB, has,
)
from flashq._core.room cimport room_check
from flashq._core.state cimport COMPLETED, Owner, Queue
from flashq._core.status cimport (
    CANNOT_CANCEL, CANNOT_DISCARD, CANNOT_PRIORITIZE, DATA_TOO_LARGE, JOB_NOT_FOUND, MEMORY_FULL, NOT_DELAYED,
    NOT_FOUND_DELAYED, NOT_PROCESSING, OK, UNKNOWN_COMMAND,
)
from flashq._core.wire cimport wire_cancelled, wire_ok


cdef int manage_execute(Core* core, Peer* peer, Request* request) noexcept nogil:
    cdef Job* job = job_find(core, request.id)
    cdef size_t at
    cdef int status
    request.problem_number = request.id
    if job == COMPLETED() or (job != NULL and job.state == STATE_COMPLETED and request.op != OP_LOG):
        status = completed(request.op)
    elif job == NULL or job == COMPLETED():
        status = unknown(request.op)
    elif request.op == OP_CANCEL:
        status = cancel(core, job)
    elif request.op == OP_CHANGEPRIORITY:
        status = change_priority(core, job, <int>request.item.priority)
    elif request.op == OP_PROMOTE:
        status = promote(core, job)
    elif request.op == OP_MOVETODELAYED:
        status = move_to_delayed(core, job, request.item.delay)
    elif request.op == OP_UPDATEJOB:
        status = update_data(core, job, request)
    elif request.op == OP_DISCARD:
        status = discard(core, job)
    elif request.op == OP_LOG:
        status = log(core, job, request)
    else:
        status = UNKNOWN_COMMAND
    if status == OK:
        at = peer.out.size
        wire_ok(peer.format, &peer.out, &request.req_id)
        replied(core, peer, request, at, core.position)
    return status


cdef int unknown(int op) noexcept nogil:
    """What each command says of a job that is not there."""
    if op == OP_CHANGEPRIORITY:
        return CANNOT_PRIORITIZE
    if op == OP_PROMOTE:
        return NOT_FOUND_DELAYED
    if op == OP_MOVETODELAYED:
        return NOT_PROCESSING
    if op == OP_DISCARD:
        return CANNOT_DISCARD
    return JOB_NOT_FOUND


cdef int completed(int op) noexcept nogil:
    """What each command says of a job that is done."""
    if op == OP_CANCEL:
        return CANNOT_CANCEL
    if op == OP_PROMOTE:
        return NOT_DELAYED
    return unknown(op)


cdef int cancel(Core* core, Job* job) noexcept nogil:
    cdef Peer* worker = NULL
    if job.state == STATE_FAILED:
        return CANNOT_CANCEL
    if job.state == STATE_ACTIVE:
        worker = (<Owner*>job.delivery.owner).peer
        if worker != NULL and worker.push:
            wire_cancelled(worker.format, &worker.out, job)
        else:
            worker = NULL
    job_remove(core, job, EVENT_CANCELLED)
    if worker != NULL:
        peer_replied(core, worker, core.position)   # its worker hears of it once it is durable
    return OK


cdef int change_priority(Core* core, Job* job, int priority) noexcept nogil:
    cdef bint ready = job.where == IN_FIFO or job.where == IN_LIFO or job.where == IN_RETURNED
    if ready:
        line_leave(core, <Queue*>job.queue, job)
    job.priority = priority
    record_state(core, job)
    if ready:
        job_place(core, job)
    return OK


cdef int promote(Core* core, Job* job) noexcept nogil:
    if job.state != STATE_DELAYED:
        return NOT_DELAYED
    job_detach(core, job)
    job.state = STATE_WAITING
    job.run_at = core.now
    job.deadline = 0
    record_state(core, job)
    job_place(core, job)
    return OK


cdef int move_to_delayed(Core* core, Job* job, uint64_t delay) noexcept nogil:
    if job.state != STATE_ACTIVE:
        return NOT_PROCESSING
    job_end_delivery(core, job)
    job.state = STATE_DELAYED if delay else STATE_WAITING
    job.run_at = saturated(core.now, delay)
    job.deadline = saturated(core.mono, delay) if delay else 0
    job.progress = 0
    job_set_message(core, job, NULL, 0)
    record_state(core, job)
    job_place(core, job)
    return OK


cdef int update_data(Core* core, Job* job, Request* request) noexcept nogil:
    cdef int status = payload_replace(core, job, &request.item, request.format)
    if status == DATA_TOO_LARGE:
        request.problem_number = request.item.data.size
    elif status == MEMORY_FULL:
        request.problem_number = core.limits.memory
    return status


cdef int discard(Core* core, Job* job) noexcept nogil:
    if job.state == STATE_FAILED:
        return CANNOT_DISCARD
    if job.state == STATE_ACTIVE:
        failing_note(core, job, ENDED_DISCARDED, NULL)
        job_end_delivery(core, job)
    else:
        job_detach(core, job)
    job_bury(core, job, ENDED_DISCARDED, NULL)
    return OK


cdef int log(Core* core, Job* job, Request* request) noexcept nogil:
    cdef int status = room_check(core)
    if status != OK:
        request.problem_number = core.limits.memory
        return status
    if job.state == STATE_ACTIVE:
        job_beat(core, job)                 # a worker that logs is alive
    return job_log(core, job, &request.message, &request.level if has(&request.item, BIT_LEVEL) else NULL)
