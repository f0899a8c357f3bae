"""What is kept of failures. A job that never failed and has no policy pays for none of it."""
from flashq._core.job cimport (
    ATTEMPTS_KEPT, ATTEMPT_TEXT, ENDED_DEPENDENCY_FAILED, ENDED_DISCARDED, ENDED_FAILED, ENDED_STALLED, ENDED_TIMEOUT,
    Extra,
)
from flashq._core.jobs cimport job_extra
from flashq._core.records cimport record_attempt, record_losses
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport Owner
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset


cdef Failing* failing_of(Core* core, Job* job) noexcept nogil:
    """Made when missing; NULL: no memory."""
    cdef Extra* extra = job_extra(core, job)
    if extra != NULL and extra.failing == NULL:
        extra.failing = <Failing*>slab_take(&core.failings)
        if extra.failing != NULL:
            memset(extra.failing, 0, sizeof(Failing))
    return NULL if extra == NULL else extra.failing


cdef int failing_set(Core* core, Job* job, const RetryPolicy* policy) noexcept nogil:
    cdef Failing* failing = failing_of(core, job)
    if failing == NULL:
        return NO_MEMORY
    failing.policy = policy[0]
    return OK


cdef inline uint32_t attempt_size(const Attempt* attempt) noexcept nogil:
    return <uint32_t>sizeof(Attempt) + attempt.error_size + attempt.worker_size


cdef uint32_t cut(const Slice* text) noexcept nogil:
    """Bytes kept of a text: no character is cut in two."""
    cdef uint32_t size = 0 if text == NULL else text.size
    if size > ATTEMPT_TEXT:
        size = ATTEMPT_TEXT
        while text.ptr[size] & 0xC0 == 0x80:
            size -= 1
    return size


cdef void failing_note(Core* core, Job* job, Ending ending, const Slice* error) noexcept nogil:
    cdef Failing* failing = failing_of(core, job)
    cdef const Owner* owner = <const Owner*>job.delivery.owner
    cdef Attempt head
    cdef Attempt* attempt
    cdef const uint8_t* worker
    cdef const uint8_t* text = NULL
    if failing == NULL:
        return
    memset(&head, 0, sizeof(head))
    head.started_at, head.ended_at, head.ending = job.delivery.started_at, core.now, <uint8_t>ending
    failing.made += 1
    head.number = failing.made
    head.error_size = cut(error)
    worker = owner.session.node.name
    head.worker_size = owner.session.node.size if worker != NULL else 0
    if error != NULL:
        text = error.ptr
    attempt = attempt_append(core, failing, &head, text, worker)
    if attempt != NULL:
        record_attempt(core, job.id, attempt)


cdef Attempt* attempt_append(Core* core, Failing* failing, const Attempt* head, const uint8_t* error,
                             const uint8_t* worker) noexcept nogil:
    cdef Attempt* attempt = <Attempt*>blob_take(&core.blobs, attempt_size(head))
    if attempt == NULL:
        return NULL
    attempt[0] = head[0]
    if head.error_size:
        memcpy(<uint8_t*>attempt_error(attempt), error, head.error_size)
    if head.worker_size:
        memcpy(<uint8_t*>attempt_worker(attempt), worker, head.worker_size)
    if failing.last != NULL:
        failing.last.next = attempt
    else:
        failing.first = attempt
    failing.last = attempt
    failing.kept += 1
    if failing.kept > ATTEMPTS_KEPT:
        drop_oldest(core, failing)
    return attempt


cdef void drop_oldest(Core* core, Failing* failing) noexcept nogil:
    cdef Attempt* oldest = failing.first
    failing.first = oldest.next
    failing.kept -= 1
    if failing.first == NULL:
        failing.last = NULL
    blob_give(&core.blobs, <uint8_t*>oldest, attempt_size(oldest))


cdef void failing_free(Core* core, Failing* failing) noexcept nogil:
    while failing.first != NULL:
        drop_oldest(core, failing)
    slab_give(&core.failings, failing)


cdef void losses_forgive(Core* core, Job* job, bint all) noexcept nogil:
    cdef Extra* extra = job.extra
    if extra == NULL or (extra.losses if all else extra.missed) == 0:
        return
    extra.losses = 0 if all else extra.losses - extra.missed
    extra.missed = 0
    record_losses(core, job)


cdef const char* ending_name(uint8_t ending) noexcept nogil:
    if ending == ENDED_FAILED:
        return "failed"
    if ending == ENDED_TIMEOUT:
        return "timeout"
    if ending == ENDED_STALLED:
        return "stalled"
    if ending == ENDED_DISCARDED:
        return "discarded"
    return "dependency_failed" if ending == ENDED_DEPENDENCY_FAILED else "worker_lost"
