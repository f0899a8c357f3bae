"""What a Job says in MessagePack of how it fails."""
from flashq._core.failing cimport attempt_error, attempt_worker, ending_name, has_policy
from flashq._core.job cimport STATE_FAILED, Attempt
from flashq._core.msgpack_retry cimport RETRY_ROOM, msgpack_retry_put
from flashq._core.msgpack_tokens cimport put_array, put_byte, put_key, put_nil, put_text, put_uint
from libc.stdint cimport uint32_t
from libc.string cimport strlen

cdef enum:
    ROOM = 80                   # of the keys, `reason`, `failed_at` and the header of the history
    ATTEMPT_ROOM = 96           # of an attempt without its texts


cdef inline const Attempt* first_attempt(const Job* job) noexcept nogil:
    return NULL if job.extra == NULL or job.extra.failing == NULL else job.extra.failing.first


cdef uint16_t msgpack_failing_keys(const Job* job, bint history) noexcept nogil:
    cdef uint16_t keys = 0
    if has_policy(job):
        keys += 1
    if job.state == STATE_FAILED:
        keys += 2
    if history and first_attempt(job) != NULL:
        keys += 1
    return keys


cdef size_t msgpack_failing_room(const Job* job, bint history) noexcept nogil:
    cdef size_t room = ROOM + RETRY_ROOM
    cdef const Attempt* attempt = first_attempt(job) if history else NULL
    while attempt != NULL:
        room += ATTEMPT_ROOM + <size_t>attempt.error_size + attempt.worker_size
        attempt = attempt.next
    return room


cdef inline uint8_t* name_put(uint8_t* at, const char* name) noexcept nogil:
    return put_text(at, name, <uint32_t>strlen(name))


cdef inline uint8_t* text_put(uint8_t* at, const uint8_t* text, uint32_t size) noexcept nogil:
    """A str, or nil when it is empty."""
    return put_text(at, text, size) if size else put_nil(at)


cdef uint8_t* attempt_put(uint8_t* at, const Attempt* attempt) noexcept nogil:
    at = put_uint(put_key(put_byte(at, 0x85), "started_at"), attempt.started_at)
    at = put_uint(put_key(at, "ended_at"), attempt.ended_at)
    at = name_put(put_key(at, "reason"), ending_name(attempt.ending))
    at = text_put(put_key(at, "error"), attempt_error(attempt), attempt.error_size)
    return text_put(put_key(at, "worker"), attempt_worker(attempt), attempt.worker_size)


cdef uint8_t* msgpack_failing_put(uint8_t* at, const Job* job, bint history) noexcept nogil:
    cdef const Attempt* attempt = first_attempt(job) if history else NULL
    if has_policy(job):
        at = msgpack_retry_put(put_key(at, "retry"), &job.extra.failing.policy)
    if job.state == STATE_FAILED:
        at = name_put(put_key(at, "reason"), ending_name(job.reason))
        at = put_uint(put_key(at, "failed_at"), job.deadline)       # then that field holds when it was
    if attempt != NULL:
        at = put_array(put_key(at, "history"), job.extra.failing.kept)
    while attempt != NULL:
        at = attempt_put(at, attempt)
        attempt = attempt.next
    return at
