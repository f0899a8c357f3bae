"""Encoding and decoding of records.

A frame holds the records of one command, applied whole: u32 size of what follows, u64 position of its last record,
then the records one after another. All numbers little-endian; a text is u32 size and its bytes. A record is u8 kind and

  JOB     u64 id, u8 state, u8 flags, u8 progress, u32 generation, i32 priority, u64 created_at, u64 run_at,
          u32 attempts, u32 max_attempts, u32 backoff, u64 ttl, u64 timeout, u64 stall_timeout,
          text queue, data, tags, custom_id, retry (empty, or u8 type, u32 jitter, u64 delay, u64 max)
  STATE   u64 id, u8 state, u8 flags, u8 progress, u32 generation, i32 priority, u32 attempts, u64 run_at,
          u64 token, u64 started_at,
          u64 ended_at (completed or failed; else 0), u32 stall_count, u8 reason (Ending), text message, result
  GONE    u64 id
  QUEUE   u8 paused, u64 rate_limit, u64 concurrency_limit (2^64-1 = none), u64 group_concurrency,
          u64 group_rate (2^64-1 = none), u8 fair, text name
  CLEAR   u32 drained, u32 obliterated (generations: bounds that only rise; of a queue that was forgotten and made
          anew they may begin at 0 again, which says nothing), text name
  FORGET  u64 id
  ATTEMPT u64 id, u32 number, u64 started_at, u64 ended_at, u8 reason (Ending), text error, worker
  LOSSES  u64 id, u32 losses, u32 missed
  PUSH_KEY  u64 expires (wall ms), u8 batch (of PUSHB), text queue, key, ids (u64 an item; 0: it was refused); a CLEAR
          that obliterates the queue ends those before it
  TIES    u64 id, u64 parent_id, u64 keep_age, u64 keep_count, u32 children_completed, u32 version,
          u8 on_parent_failure (OnParentFailure), u8 fail_parent,
          text unique_key, depends_on (raw array in the job's format), children (ids, u64 each), group, name

TIES follows the JOB of a job that is tied to others, and comes again when one of its fields changes; a JOB alone has
none. Whether the key is held, and what is still waited for, follows from the states of the jobs. A job that waits may
still have to be told that an id has ended: of many who wait for one, most are told in later frames.

A change of the format needs a new version in the header that the store writes at the start of each file.
"""
from libc.string cimport memcpy
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.buffer cimport WriteBuffer, buffer_grow, buffer_put
from flashq._core.failing cimport attempt_error, attempt_worker, has_policy
from flashq._core.job cimport JOB_WATCHED, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED, Delivery, Extra, Relations
from flashq._core.request cimport RetryPolicy

import struct

cdef enum:
    FRAME_HEAD = 12             # u32 size, u64 position
    RETRY_BYTES = 21            # of a policy


cdef bint begin(Core* core, uint8_t kind) noexcept nogil:
    """Count one record; whether it is to be written."""
    core.position += 1
    if not core.recording:
        core.committed = core.position
        return False
    if core.records.size == core.frame_start:
        if core.records.cap - core.records.size < FRAME_HEAD and buffer_grow(&core.records, FRAME_HEAD) != 0:
            return False
        core.records.size += FRAME_HEAD
    buffer_put(&core.records, &kind, 1)
    return True


cdef inline void put8(WriteBuffer* out, uint8_t value) noexcept nogil:
    buffer_put(out, &value, 1)


cdef inline void put32(WriteBuffer* out, uint32_t value) noexcept nogil:
    buffer_put(out, &value, 4)


cdef inline void put64(WriteBuffer* out, uint64_t value) noexcept nogil:
    buffer_put(out, &value, 8)


cdef inline void put_text(WriteBuffer* out, const uint8_t* text, uint32_t size) noexcept nogil:
    put32(out, size)
    if size:
        buffer_put(out, text, size)


cdef void record_job(Core* core, Job* job) noexcept nogil:
    cdef Extra* extra = job.extra
    cdef WriteBuffer* out = &core.records
    cdef Queue* queue = <Queue*>job.queue
    cdef bint wanted = begin(core, RECORD_JOB)
    job.position = core.position
    if not wanted:
        return
    put64(out, job.id)
    put8(out, job.state)
    put8(out, job.flags & <uint8_t>~JOB_WATCHED)
    put8(out, job.progress)
    put32(out, job.generation)
    put32(out, <uint32_t>job.priority)
    put64(out, job.created_at)
    put64(out, job.run_at)
    put32(out, job.attempts)
    put32(out, job.max_attempts)
    put32(out, job.backoff)
    put64(out, 0 if extra == NULL else extra.ttl)
    put64(out, 0 if extra == NULL else extra.timeout)
    put64(out, 0 if extra == NULL else extra.stall_timeout)
    put_text(out, queue.text, queue.name.size)
    put_text(out, job.data, job.data_size)
    if extra == NULL:
        put64(out, 0)
    else:
        put_text(out, extra.tags, extra.tags_size)
        put_text(out, extra.custom_id, extra.custom_id_size)
    if has_policy(job):
        put_policy(out, &extra.failing.policy)
    else:
        put32(out, 0)


cdef void put_policy(WriteBuffer* out, const RetryPolicy* policy) noexcept nogil:
    put32(out, RETRY_BYTES)
    put8(out, policy.type)
    put32(out, policy.jitter)
    put64(out, policy.delay)
    put64(out, policy.max)


cdef void record_state(Core* core, Job* job) noexcept nogil:
    cdef Extra* extra = job.extra
    cdef Delivery* delivery = job.delivery
    cdef WriteBuffer* out = &core.records
    cdef bint wanted = begin(core, RECORD_STATE)
    if job.state <= STATE_DELAYED:
        job.generation = (<Queue*>job.queue).generation     # it is in line, or about to be: no earlier drain took it
    if delivery != NULL:
        delivery.position = core.position
    else:
        job.position = core.position
    if not wanted:
        return
    put64(out, job.id)
    put8(out, job.state)
    put8(out, job.flags & <uint8_t>~JOB_WATCHED)
    put8(out, job.progress)
    put32(out, job.generation)
    put32(out, <uint32_t>job.priority)
    put32(out, job.attempts)
    put64(out, job.run_at)
    put64(out, 0 if delivery == NULL else delivery.token)
    put64(out, 0 if delivery == NULL else delivery.started_at)
    put64(out, job.deadline if job.state == STATE_COMPLETED or job.state == STATE_FAILED else 0)
    put32(out, 0 if extra == NULL else extra.stall_count)
    put8(out, job.reason)
    if extra == NULL:
        put64(out, 0)
    else:
        put_text(out, extra.message, extra.message_size)
        put_text(out, extra.result, extra.result_size)


cdef void record_attempt(Core* core, uint64_t id, const Attempt* attempt) noexcept nogil:
    cdef WriteBuffer* out = &core.records
    if not begin(core, RECORD_ATTEMPT):
        return
    put64(out, id)
    put32(out, attempt.number)
    put64(out, attempt.started_at)
    put64(out, attempt.ended_at)
    put8(out, attempt.ending)
    put_text(out, attempt_error(attempt), attempt.error_size)
    put_text(out, attempt_worker(attempt), attempt.worker_size)


cdef void record_losses(Core* core, const Job* job) noexcept nogil:
    if begin(core, RECORD_LOSSES):
        put64(&core.records, job.id)
        put32(&core.records, job.extra.losses)
        put32(&core.records, job.extra.missed)


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


cdef void record_ties(Core* core, Job* job) noexcept nogil:
    cdef const Relations* ties = NULL if job.extra == NULL else job.extra.relations
    cdef WriteBuffer* out = &core.records
    cdef bint wanted
    if ties == NULL:
        return
    wanted = begin(core, RECORD_TIES)
    job.position = core.position
    if not wanted:
        return
    put64(out, job.id)
    put64(out, ties.parent_id)
    put64(out, ties.keep_age)
    put64(out, ties.keep_count)
    put32(out, ties.children_completed)
    put32(out, ties.version)
    put8(out, ties.on_parent_failure)
    put8(out, ties.fail_parent)
    put_text(out, ties.unique_text + ties.key_at, ties.unique_size - ties.key_at)   # without the queue: JOB names it
    put_text(out, ties.depends_on, ties.depends_on_size)
    put_text(out, <const uint8_t*>ties.children, ties.children_count * <uint32_t>sizeof(uint64_t))
    put_text(out, ties.group, ties.group_size)
    put_text(out, ties.name, ties.name_size)


cdef void record_gone(Core* core, uint64_t id) noexcept nogil:
    if begin(core, RECORD_GONE):
        put64(&core.records, id)


cdef void record_forget(Core* core, uint64_t id) noexcept nogil:
    if begin(core, RECORD_FORGET):
        put64(&core.records, id)


cdef void record_queue(Core* core, Queue* queue) noexcept nogil:
    if begin(core, RECORD_QUEUE):
        put8(&core.records, 1 if queue.paused else 0)
        put64(&core.records, queue.rate_limit)
        put64(&core.records, queue.concurrency_limit)
        put64(&core.records, queue.group_concurrency)
        put64(&core.records, queue.group_rate)
        put8(&core.records, 1 if queue.fair else 0)
        put_text(&core.records, queue.text, queue.name.size)


cdef void record_clear(Core* core, Queue* queue) noexcept nogil:
    if begin(core, RECORD_CLEAR):
        put32(&core.records, queue.drained)
        put32(&core.records, queue.obliterated)
        put_text(&core.records, queue.text, queue.name.size)


cdef void record_push_key(Core* core, PushKey* key) noexcept nogil:
    cdef WriteBuffer* out = &core.records
    cdef uint32_t key_at = key.queue.name.size + 1
    cdef bint wanted = begin(core, RECORD_PUSH_KEY)
    key.position = core.position
    if not wanted:
        return
    put64(out, key.expires)
    put8(out, 1 if key.batch else 0)
    put_text(out, key.queue.text, key.queue.name.size)
    put_text(out, key.text + key_at, key.name.node.size - key_at)
    put_text(out, <const uint8_t*>key.ids, key.count * <uint32_t>sizeof(uint64_t))


cdef void record_frame_end(Core* core) noexcept nogil:
    cdef uint32_t size
    cdef size_t start = core.frame_start
    if core.records.size == start:
        return
    size = <uint32_t>(core.records.size - start - 4)
    memcpy(core.records.data + start, &size, 4)
    memcpy(core.records.data + start + 4, &core.position, 8)
    core.frame_start = core.records.size


_JOB = struct.Struct("<QBBBIiQQIIIQQQ")
_JOB_NAMES = ("id", "state", "flags", "progress", "generation", "priority", "created_at", "run_at", "attempts",
              "max_attempts", "backoff", "ttl", "timeout", "stall_timeout")
_STATE = struct.Struct("<QBBBIiIQQQQIB")
_STATE_NAMES = ("id", "state", "flags", "progress", "generation", "priority", "attempts", "run_at", "token",
                "started_at", "ended_at", "stall_count", "reason")
_ID = struct.Struct("<Q")
_ATTEMPT = struct.Struct("<QIQQB")
_LOSSES = struct.Struct("<QII")
_PUSH_KEY = struct.Struct("<QB")
_TIES = struct.Struct("<QQQQIIBB")
_QUEUE = struct.Struct("<BQQQQB")
_CLEAR = struct.Struct("<II")
_LAYOUTS = {
    RECORD_JOB: ("job", _JOB, _JOB_NAMES, ("queue", "data", "tags", "custom_id", "retry")),
    RECORD_STATE: ("state", _STATE, _STATE_NAMES, ("message", "result")),
    RECORD_GONE: ("gone", _ID, ("id",), ()),
    RECORD_QUEUE: ("queue", _QUEUE, ("paused", "rate_limit", "concurrency_limit", "group_concurrency",
                                     "group_rate", "fair"), ("name",)),
    RECORD_CLEAR: ("clear", _CLEAR, ("drained", "obliterated"), ("name",)),
    RECORD_FORGET: ("forget", _ID, ("id",), ()),
    RECORD_ATTEMPT: ("attempt", _ATTEMPT, ("id", "number", "started_at", "ended_at", "reason"), ("error", "worker")),
    RECORD_LOSSES: ("losses", _LOSSES, ("id", "losses", "missed"), ()),
    RECORD_PUSH_KEY: ("push_key", _PUSH_KEY, ("expires", "batch"), ("queue", "key", "ids")),
    RECORD_TIES: ("ties", _TIES, ("id", "parent_id", "keep_age", "keep_count", "children_completed", "version",
                                  "on_parent_failure", "fail_parent"),
                  ("unique_key", "depends_on", "children", "group", "name")),
}


def decode(bytes frames):
    """The frames as a list of (position, [record, ...]); a record is a dict with `kind` and its fields.

    Raises ValueError where the bytes are no whole sequence of frames.
    """
    found = []
    at = 0
    while at < len(frames):
        if len(frames) - at < FRAME_HEAD:
            raise ValueError(f"frame head cut off at byte {at}")
        size, position = struct.unpack_from("<IQ", frames, at)
        end = at + 4 + size
        if size < 8 or end > len(frames):
            raise ValueError(f"frame at byte {at} says {size} bytes, {len(frames) - at - 4} are there")
        records = []
        at += FRAME_HEAD
        while at < end:
            record, at = _decode_record(frames, at, end)
            records.append(record)
        found.append((position, records))
    return found


def _decode_record(frames, at, end):
    try:
        kind, layout, names, texts = _LAYOUTS[frames[at]]
    except KeyError:
        raise ValueError(f"unknown record kind {frames[at]} at byte {at}") from None
    start = at
    at += 1
    if at + layout.size > end:
        raise ValueError(f"record cut off at byte {start}")
    record = {"kind": kind, **dict(zip(names, layout.unpack_from(frames, at)))}
    at += layout.size
    for name in texts:
        size = struct.unpack_from("<I", frames, at)[0] if at + 4 <= end else end
        if at + 4 + size > end:
            raise ValueError(f"text {name} cut off at byte {at}")
        record[name] = frames[at + 4:at + 4 + size]
        at += 4 + size
    return record, at
