"""What the engine says to its store: one record a change, counted, and the frame of each command.

recordwrite.pyx says the format.
"""
from libc.string cimport memcpy
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from flashq._core.buffer cimport buffer_done, buffer_grow
from flashq._core.job cimport JOB_RESULT_MSGPACK, STATE_DELAYED, Extra
from flashq._core.recordfields cimport FRAME_HEAD, put8, put16, put64, put_frame_head, put_text
from flashq._core.recordwrite cimport (
    room, session_of, write_attempt, write_clear, write_debounce, write_entry, write_gone, write_job, write_log,
    write_losses, write_push_key, write_queue, write_state, write_ties,
)
from flashq._core.state cimport Owner

from flashq._core import recordforms

decode = recordforms.decode


# Frames

cdef bint frame_begin(WriteBuffer* out) noexcept nogil:
    if out.cap - out.size < FRAME_HEAD and buffer_grow(out, FRAME_HEAD) != 0:
        return False
    out.size += FRAME_HEAD
    return True


cdef void frame_end(WriteBuffer* out, size_t start, uint64_t position) noexcept nogil:
    put_frame_head(out.data + start, out.size - start, position)


cdef inline bint begin(Core* core) noexcept nogil:
    """Count one record; whether it is to be written."""
    core.position += 1
    if not core.recording:
        core.committed = core.position
        return False
    return core.records.size != core.frame_start or frame_begin(&core.records)


cdef void record_frame_end(Core* core) noexcept nogil:
    if core.records.size != core.frame_start and not core.records.failed:
        frame_end(&core.records, core.frame_start, core.position)
        core.frame_start = core.records.size


cdef void record_frames_taken(Core* core) noexcept nogil:
    core.frame_start = core.records.size


# Jobs

cdef void record_job(Core* core, Job* job, bint counts) noexcept nogil:
    cdef bint wanted = begin(core)
    job.position = core.position
    if wanted:
        write_job(&core.records, job, counts)


cdef inline void record_state_as(Core* core, Job* job, bint counts) noexcept nogil:
    cdef bint wanted = begin(core)
    if job.state <= STATE_DELAYED:
        job.generation = (<Queue*>job.queue).generation     # it is in line, or about to be: no earlier drain took it
    if job.delivery != NULL:
        job.delivery.position = core.position
    else:
        job.position = core.position
    if wanted:
        write_state(&core.records, job, counts)


cdef void record_state(Core* core, Job* job) noexcept nogil:
    record_state_as(core, job, False)


cdef void record_death(Core* core, Job* job) noexcept nogil:
    record_state_as(core, job, True)


cdef void record_taken(Core* core, Job* job) noexcept nogil:
    cdef bint wanted = begin(core)
    cdef const Owner* owner
    cdef uint8_t* at
    job.delivery.position = core.position
    if not wanted:
        return
    owner = session_of(job)
    at = room(&core.records, RECORD_TAKEN, 0 if owner == NULL else owner.session.node.size)
    if at == NULL:
        return
    at = put64(at, job.id)
    at = put64(at, job.delivery.token)
    at = put64(at, job.delivery.started_at)
    if owner == NULL:
        at = put16(at, 0)
    else:
        at = put16(at, <uint16_t>owner.session.node.size)
        memcpy(at, owner.session.node.name, owner.session.node.size)
        at += owner.session.node.size
    buffer_done(&core.records, at)


cdef void record_done(Core* core, Job* job) noexcept nogil:
    cdef const Extra* extra = job.extra
    cdef bint wanted = begin(core)
    cdef bint numbered = extra != NULL and extra.relations != NULL and (
        extra.relations.keep_age != 0 or extra.relations.keep_count != 0)
    cdef uint8_t* at
    job.position = core.position            # not the delivery's: this is what the job is from now on
    if not wanted:
        return
    at = room(&core.records, RECORD_DONE, 0 if extra == NULL else extra.result_size)
    if at == NULL:
        return
    at = put64(at, job.id)
    at = put64(at, job.deadline)
    at = put8(at, (job.flags & <uint8_t>JOB_RESULT_MSGPACK) | <uint8_t>(DONE_NUMBERED if numbered else 0))
    at = put_text(at, NULL, 0) if extra == NULL else put_text(at, extra.result, extra.result_size)
    buffer_done(&core.records, put64(at, (<Queue*>job.queue).completed) if numbered else at)


# How a job fails

cdef void record_attempt(Core* core, uint64_t id, const Attempt* attempt) noexcept nogil:
    if begin(core):
        write_attempt(&core.records, id, attempt)


cdef void record_losses(Core* core, const Job* job) noexcept nogil:
    if begin(core):
        write_losses(&core.records, job)


cdef void record_failing(Core* core, const Job* job) noexcept nogil:
    cdef const Attempt* attempt
    if job.extra == NULL:
        return
    attempt = NULL if job.extra.failing == NULL else job.extra.failing.first
    while attempt != NULL:
        record_attempt(core, job.id, attempt)
        attempt = attempt.next
    if job.extra.losses:
        record_losses(core, job)


# What ties it to others, its log, its end

cdef void record_ties(Core* core, Job* job) noexcept nogil:
    cdef bint wanted
    if job.extra == NULL or job.extra.relations == NULL:
        return
    wanted = begin(core)
    job.position = core.position
    if wanted:
        write_ties(&core.records, job)


cdef void record_log(Core* core, Job* job, const LogEntry* entry, uint32_t number) noexcept nogil:
    if begin(core):
        write_log(&core.records, job.id, entry, number)


cdef void record_gone(Core* core, uint64_t id, uint8_t how) noexcept nogil:
    if begin(core):
        write_gone(&core.records, id, how)


cdef void record_forget(Core* core, uint64_t id) noexcept nogil:
    cdef uint8_t* at = room(&core.records, RECORD_FORGET, 0) if begin(core) else NULL
    if at != NULL:
        buffer_done(&core.records, put64(at, id))


# Queues and what stands beside jobs

cdef void record_queue(Core* core, Queue* queue) noexcept nogil:
    if begin(core):
        write_queue(&core.records, queue)


cdef void record_clear(Core* core, Queue* queue, bint obliterates) noexcept nogil:
    if begin(core):
        write_clear(&core.records, queue, obliterates)


cdef void record_push_key(Core* core, PushKey* key) noexcept nogil:
    cdef bint wanted = begin(core)
    key.position = core.position
    if wanted:
        write_push_key(&core.records, key)


cdef void record_debounce(Core* core, const Debounce* debounce, uint64_t expires) noexcept nogil:
    if begin(core):
        write_debounce(&core.records, debounce, expires)


cdef void record_entry(Core* core, uint8_t space, const Slice* key, const Slice* value) noexcept nogil:
    if begin(core):
        write_entry(&core.records, space, key, value)
