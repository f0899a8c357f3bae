"""Encoding of records: the format.

A frame holds the records of one command, applied whole: u32 size of what follows, u64 position of its last record,
then the records one after another. All numbers little-endian; a text is u32 size and its bytes, a name u16 size and its
bytes. A record is u8 kind and

  JOB     u64 id, u8 state, u8 flags, u32 generation, u64 created_at, u16 mask (JobFields), name queue, text data, then
          what the mask says: i32 priority, u64 run_at, u32 attempts, u32 max_attempts, u32 backoff, u64 ttl,
          u64 timeout, u64 stall_timeout, u8 progress, text tags, text custom_id, text retry (u8 type, u32 jitter,
          u64 delay, u64 max)
  STATE   u64 id, u8 state, u8 flags, u8 progress, u32 generation, i32 priority, u32 attempts, u64 run_at,
          u64 token, u64 started_at,
          u64 ended_at (completed or failed; else 0), u32 stall_count, u8 reason (Ending), text message, result,
          session (of the worker that holds it)
  TAKEN   u64 id, u64 token, u64 started_at, name session
  DONE    u64 id, u64 ended_at, u8 flags (JOB_RESULT_MSGPACK, DONE_NUMBERED), text result,
          u64 number (how many of its queue were completed when it was; of jobs whose push said how long they stay)
  GONE    u64 id, u8 how (Gone)
  QUEUE   u8 paused, u64 rate_limit, u64 concurrency_limit (2^64-1 = none), u64 group_concurrency,
          u64 group_rate (2^64-1 = none), u8 fair, text name
  CLEAR   u32 drained, u32 obliterated (generations: bounds that only rise; of a queue that was forgotten and made
          anew they may begin at 0 again, which says nothing), u8 obliterates (its settings are gone, too), text name
  FORGET  u64 id
  ATTEMPT u64 id, u32 number, u64 started_at, u64 ended_at, u8 reason (Ending), text error, worker
  LOSSES  u64 id, u32 losses, u32 missed
  PUSH_KEY  u64 expires (wall ms), u32 generation (an obliteration of the queue ends older ones), u8 batch (of PUSHB),
          text queue, key, ids (u64 an item; 0: it was refused)
  TIES    u64 id, u64 parent_id, u64 keep_age, u64 keep_count, u64 number (as in DONE), u32 children_completed,
          u32 version, u8 on_parent_failure (OnParentFailure), u8 fail_parent,
          text unique_key, depends_on (raw array in the job's format), children (ids, u64 each), group, name,
          met (ids of depends_on that ended badly and counted as done)
  LOG     u64 id, u32 number (from 1; the last LOG_ENTRIES count), u64 at, text level, message
  DEBOUNCE  u64 expires (wall ms), u32 generation (as in PUSH_KEY), text queue and id, a NUL between them
  ENTRY   u8 space, u8 present, text key, value
  COUNTS  u64 position (up to which it counts), u64 pushed, u64 completed, u64 failed, text name
  TOTALS  u64 began (position from which on the log is to be read after this checkpoint), u64 position, u64 pushed,
          u64 completed, u64 failed, u32 generation, u64 next sequence of each shard
  IDS     text ids (u64 each)

TIES follows the JOB of a job that is tied to others, and comes again when one of its fields changes; a JOB alone has
none, and no history of failures, but keeps the job's log. What is still waited for follows from how the ids of
`depends_on` and `children` ended: of an id that is absent, a GONE with GONE_AWAITED says it, else it was completed.

Counts are no records of their own: what a JOB, STATE, DONE or GONE says is counted when its position is past that of
the COUNTS and TOTALS of the checkpoint.

A change of the format needs a new version in the header that the store writes at the start of each file.
"""
from libc.string cimport memcpy
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from flashq._core.buffer cimport WriteBuffer, buffer_done
from flashq._core.failing cimport attempt_error, attempt_worker, has_policy
from flashq._core.job cimport JOB_WATCHED, STATE_COMPLETED, STATE_FAILED, Delivery, Extra, Relations
from flashq._core.recordfields cimport put8, put16, put32, put64, put_text
from flashq._core.records cimport (
    FLAG_COUNTS, FLAG_KEY_HELD, HAS_ATTEMPTS, HAS_BACKOFF, HAS_CUSTOM_ID, HAS_MAX_ATTEMPTS, HAS_PRIORITY, HAS_PROGRESS,
    HAS_RETRY, HAS_RUN_AT, HAS_STALL_TIMEOUT, HAS_TAGS, HAS_TIMEOUT, HAS_TTL, RECORD_ATTEMPT, RECORD_CLEAR,
    RECORD_DEBOUNCE, RECORD_ENTRY, RECORD_GONE, RECORD_JOB, RECORD_LOG, RECORD_LOSSES, RECORD_PUSH_KEY, RECORD_QUEUE,
    RECORD_STATE, RECORD_TIES, RETRY_BYTES,
)
from flashq._core.request cimport RetryPolicy
from flashq._core.state cimport Owner


# Jobs

cdef inline uint16_t fields_of(const Job* job) noexcept nogil:
    cdef const Extra* extra = job.extra
    cdef long mask = ((HAS_PRIORITY if job.priority else 0) | (HAS_RUN_AT if job.run_at != job.created_at else 0)
                      | (HAS_ATTEMPTS if job.attempts else 0) | (HAS_MAX_ATTEMPTS if job.max_attempts else 0)
                      | (HAS_BACKOFF if job.backoff else 0) | (HAS_PROGRESS if job.progress else 0))
    if extra != NULL:
        mask |= ((HAS_TTL if extra.ttl else 0) | (HAS_TIMEOUT if extra.timeout else 0)
                 | (HAS_STALL_TIMEOUT if extra.stall_timeout else 0) | (HAS_TAGS if extra.tags_size else 0)
                 | (HAS_CUSTOM_ID if extra.custom_id_size else 0) | (HAS_RETRY if has_policy(job) else 0))
    return <uint16_t>mask


cdef inline uint8_t* put_fields(uint8_t* at, const Job* job, uint16_t mask) noexcept nogil:
    cdef const Extra* extra = job.extra
    if mask & HAS_PRIORITY:
        at = put32(at, <uint32_t>job.priority)
    if mask & HAS_RUN_AT:
        at = put64(at, job.run_at)
    if mask & HAS_ATTEMPTS:
        at = put32(at, job.attempts)
    if mask & HAS_MAX_ATTEMPTS:
        at = put32(at, job.max_attempts)
    if mask & HAS_BACKOFF:
        at = put32(at, job.backoff)
    if mask & HAS_TTL:
        at = put64(at, extra.ttl)
    if mask & HAS_TIMEOUT:
        at = put64(at, extra.timeout)
    if mask & HAS_STALL_TIMEOUT:
        at = put64(at, extra.stall_timeout)
    if mask & HAS_PROGRESS:
        at = put8(at, job.progress)
    if mask & HAS_TAGS:
        at = put_text(at, extra.tags, extra.tags_size)
    if mask & HAS_CUSTOM_ID:
        at = put_text(at, extra.custom_id, extra.custom_id_size)
    if mask & HAS_RETRY:
        at = put_policy(at, &extra.failing.policy)
    return at


cdef inline uint8_t* put_policy(uint8_t* at, const RetryPolicy* policy) noexcept nogil:
    at = put32(at, RETRY_BYTES)
    at = put8(at, <uint8_t>policy.type)
    at = put32(at, policy.jitter)
    at = put64(at, policy.delay)
    return put64(at, policy.max)


cdef void write_job(WriteBuffer* out, const Job* job, bint counts) noexcept nogil:
    cdef const Queue* queue = <const Queue*>job.queue
    cdef uint16_t mask = fields_of(job)
    cdef size_t texts = queue.name.size + job.data_size
    cdef uint8_t* at
    if job.extra != NULL:
        texts += job.extra.tags_size + job.extra.custom_id_size + RETRY_BYTES
    at = room(out, RECORD_JOB, texts)
    if at == NULL:
        return
    at = put64(at, job.id)
    at = put8(at, job.state)
    at = put8(at, (job.flags & <uint8_t>~JOB_WATCHED) | <uint8_t>(FLAG_COUNTS if counts else 0))
    at = put32(at, job.generation)
    at = put64(at, job.created_at)
    at = put16(at, mask)
    at = put16(at, <uint16_t>queue.name.size)
    memcpy(at, queue.text, queue.name.size)
    at = put_text(at + queue.name.size, job.data, job.data_size)
    buffer_done(out, put_fields(at, job, mask) if mask else at)


cdef inline bint holds_key(const Job* job) noexcept nogil:
    return job.extra != NULL and job.extra.relations != NULL and job.extra.relations.unique.name != NULL


cdef void write_state(WriteBuffer* out, const Job* job, bint counts) noexcept nogil:
    cdef const Extra* extra = job.extra
    cdef const Delivery* delivery = job.delivery
    cdef const Owner* owner = session_of(job)
    cdef size_t texts = 0 if extra == NULL else <size_t>extra.message_size + extra.result_size
    cdef uint8_t* at
    if owner != NULL:
        texts += owner.session.node.size
    at = room(out, RECORD_STATE, texts)
    if at == NULL:
        return
    at = put64(at, job.id)
    at = put8(at, job.state)
    at = put8(at, (job.flags & <uint8_t>~JOB_WATCHED) | <uint8_t>(FLAG_COUNTS if counts else 0)
              | <uint8_t>(FLAG_KEY_HELD if holds_key(job) else 0))
    at = put8(at, job.progress)
    at = put32(at, job.generation)
    at = put32(at, <uint32_t>job.priority)
    at = put32(at, job.attempts)
    at = put64(at, job.run_at)
    at = put64(at, 0 if delivery == NULL else delivery.token)
    at = put64(at, 0 if delivery == NULL else delivery.started_at)
    at = put64(at, job.deadline if job.state == STATE_COMPLETED or job.state == STATE_FAILED else 0)
    at = put32(at, 0 if extra == NULL else extra.stall_count)
    at = put8(at, job.reason)
    if extra == NULL:
        at = put64(at, 0)
    else:
        at = put_text(at, extra.message, extra.message_size)
        at = put_text(at, extra.result, extra.result_size)
    buffer_done(out, put_text(at, NULL, 0) if owner == NULL
                else put_text(at, owner.session.node.name, owner.session.node.size))


# How a job fails

cdef void write_attempt(WriteBuffer* out, uint64_t id, const Attempt* attempt) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_ATTEMPT, <size_t>attempt.error_size + attempt.worker_size)
    if at == NULL:
        return
    at = put64(at, id)
    at = put32(at, attempt.number)
    at = put64(at, attempt.started_at)
    at = put64(at, attempt.ended_at)
    at = put8(at, attempt.ending)
    at = put_text(at, attempt_error(attempt), attempt.error_size)
    buffer_done(out, put_text(at, attempt_worker(attempt), attempt.worker_size))


cdef void write_losses(WriteBuffer* out, const Job* job) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_LOSSES, 0)
    if at != NULL:
        at = put64(at, job.id)
        at = put32(at, job.extra.losses)
        buffer_done(out, put32(at, job.extra.missed))


# What ties it to others, its log, its end

cdef void write_ties(WriteBuffer* out, const Job* job) noexcept nogil:
    cdef const Relations* ties = job.extra.relations
    cdef uint32_t children = ties.children_count * <uint32_t>sizeof(uint64_t)
    cdef uint32_t met = ties.met_count * <uint32_t>sizeof(uint64_t)
    cdef uint8_t* at = room(out, RECORD_TIES, <size_t>ties.unique_size + ties.depends_on_size + children + met
                            + ties.group_size + ties.name_size)
    if at == NULL:
        return
    at = put64(at, job.id)
    at = put64(at, ties.parent_id)
    at = put64(at, ties.keep_age)
    at = put64(at, ties.keep_count)
    at = put64(at, ties.done_number)
    at = put32(at, ties.children_completed)
    at = put32(at, ties.version)
    at = put8(at, ties.on_parent_failure)
    at = put8(at, ties.fail_parent)
    at = put_text(at, ties.unique_text + ties.key_at, ties.unique_size - ties.key_at)   # not the queue: JOB names it
    at = put_text(at, ties.depends_on, ties.depends_on_size)
    at = put_text(at, <const uint8_t*>ties.children, children)
    at = put_text(at, ties.group, ties.group_size)
    at = put_text(at, ties.name, ties.name_size)
    buffer_done(out, put_text(at, <const uint8_t*>ties.met, met))


cdef void write_log(WriteBuffer* out, uint64_t id, const LogEntry* entry, uint32_t number) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_LOG, <size_t>entry.level_size + entry.size)
    if at == NULL:
        return
    at = put64(at, id)
    at = put32(at, number)
    at = put64(at, entry.at)
    at = put_text(at, entry.level, entry.level_size)
    buffer_done(out, put_text(at, entry.text, entry.size))


cdef void write_gone(WriteBuffer* out, uint64_t id, uint8_t how) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_GONE, 0)
    if at != NULL:
        at = put64(at, id)
        buffer_done(out, put8(at, how))


# Queues and what stands beside jobs

cdef void write_queue(WriteBuffer* out, const Queue* queue) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_QUEUE, queue.name.size)
    if at == NULL:
        return
    at = put8(at, 1 if queue.paused else 0)
    at = put64(at, queue.rate_limit)
    at = put64(at, queue.concurrency_limit)
    at = put64(at, queue.group_concurrency)
    at = put64(at, queue.group_rate)
    at = put8(at, 1 if queue.fair else 0)
    buffer_done(out, put_text(at, queue.text, queue.name.size))


cdef void write_clear(WriteBuffer* out, const Queue* queue, bint obliterates) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_CLEAR, queue.name.size)
    if at == NULL:
        return
    at = put32(at, queue.drained)
    at = put32(at, queue.obliterated)
    at = put8(at, 1 if obliterates else 0)
    buffer_done(out, put_text(at, queue.text, queue.name.size))


cdef void write_push_key(WriteBuffer* out, const PushKey* key) noexcept nogil:
    cdef uint32_t key_at = key.queue.name.size + 1
    cdef uint32_t ids = key.count * <uint32_t>sizeof(uint64_t)
    cdef uint8_t* at = room(out, RECORD_PUSH_KEY, <size_t>key.name.node.size + ids)
    if at == NULL:
        return
    at = put64(at, key.expires)
    at = put32(at, key.generation)
    at = put8(at, 1 if key.batch else 0)
    at = put_text(at, key.queue.text, key.queue.name.size)
    at = put_text(at, key.text + key_at, key.name.node.size - key_at)
    buffer_done(out, put_text(at, <const uint8_t*>key.ids, ids))


cdef void write_debounce(WriteBuffer* out, const Debounce* debounce, uint64_t expires) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_DEBOUNCE, debounce.size)
    if at == NULL:
        return
    at = put64(at, expires)
    at = put32(at, debounce.generation)
    buffer_done(out, put_text(at, debounce.text, debounce.size))


cdef void write_entry(WriteBuffer* out, uint8_t space, const Slice* key, const Slice* value) noexcept nogil:
    cdef uint8_t* at = room(out, RECORD_ENTRY, <size_t>key.size + (0 if value == NULL else value.size))
    if at == NULL:
        return
    at = put8(at, space)
    at = put8(at, 0 if value == NULL else 1)
    at = put_text(at, key.ptr, key.size)
    buffer_done(out, put_text(at, NULL, 0) if value == NULL else put_text(at, value.ptr, value.size))
