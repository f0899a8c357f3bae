"""What a Job says in JSON of how it fails."""
from flashq._core.failing cimport attempt_error, attempt_worker, ending_name, has_policy
from flashq._core.job cimport STATE_FAILED, Attempt
from flashq._core.json_retry cimport RETRY_ROOM, json_retry_put
from flashq._core.json_write cimport ESCAPE_ROOM, literal_put, text_escape, u64_put
from libc.stdint cimport uint32_t

cdef enum:
    ROOM = 128                  # of `reason`, `failed_at` and the brackets
    ATTEMPT_ROOM = 160          # of an attempt without its texts


cdef inline const Attempt* first_attempt(const Job* job) noexcept nogil:
    return NULL if job.extra == NULL or job.extra.failing == NULL else job.extra.failing.first


cdef size_t json_failing_room(const Job* job, bint history) noexcept nogil:
    cdef size_t room = ROOM + RETRY_ROOM
    cdef const Attempt* attempt = first_attempt(job) if history else NULL
    while attempt != NULL:
        room += ATTEMPT_ROOM + ESCAPE_ROOM * (<size_t>attempt.error_size + attempt.worker_size)
        attempt = attempt.next
    return room


cdef uint8_t* text_put(uint8_t* p, const uint8_t* text, uint32_t size) noexcept nogil:
    """A string, or null when it is empty."""
    if size == 0:
        return literal_put(p, b'null')
    p = text_escape(literal_put(p, b'"'), text, size)
    return literal_put(p, b'"')


cdef uint8_t* attempt_put(uint8_t* p, const Attempt* attempt) noexcept nogil:
    p = u64_put(literal_put(p, b'{"started_at":'), attempt.started_at)
    p = u64_put(literal_put(p, b',"ended_at":'), attempt.ended_at)
    p = literal_put(literal_put(p, b',"reason":"'), ending_name(attempt.ending))
    p = text_put(literal_put(p, b'","error":'), attempt_error(attempt), attempt.error_size)
    p = text_put(literal_put(p, b',"worker":'), attempt_worker(attempt), attempt.worker_size)
    return literal_put(p, b'}')


cdef uint8_t* json_failing_put(uint8_t* p, const Job* job, bint history) noexcept nogil:
    cdef const Attempt* attempt = first_attempt(job) if history else NULL
    if has_policy(job):
        p = json_retry_put(literal_put(p, b',"retry":'), &job.extra.failing.policy)
    if job.state == STATE_FAILED:
        p = literal_put(literal_put(p, b',"reason":"'), ending_name(job.reason))
        p = u64_put(literal_put(p, b'","failed_at":'), job.deadline)       # then that field holds when it was
    if attempt == NULL:
        return p
    p = literal_put(p, b',"history":[')
    while attempt != NULL:
        p = attempt_put(p, attempt)
        attempt = attempt.next
        if attempt != NULL:
            p = literal_put(p, b',')
    return literal_put(p, b']')
