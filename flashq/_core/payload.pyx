"""The one way to give a job another payload, and who may."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.job cimport JOB_MSGPACK, STATE_ACTIVE, Extra, job_is
from flashq._core.jobs cimport job_find, keep
from flashq._core.records cimport record_failing, record_job, record_state, record_ties
from flashq._core.room cimport room_check
from flashq._core.request cimport (
    BIT_DATA, BIT_ON_DUPLICATE, DUPLICATE_ERROR, DUPLICATE_REPLACE, JSON, MSGPACK, Slice, has,
)
from flashq._core.slab cimport blob_give
from flashq._core.status cimport DATA_TOO_LARGE, DUPLICATE_KEY, NO_MEMORY, OK
from flashq._core.transcode cimport transcode


cdef inline bint keeps_format(const Extra* extra) noexcept nogil:
    return extra.tags != NULL or (extra.relations != NULL and extra.relations.depends_on != NULL)


cdef int payload_replace(Core* core, Job* job, const PushItem* item, Format format) noexcept nogil:
    """Data shares its format with tags and `depends_on`: while the job has any, other data is transcoded."""
    cdef Slice value = item.data
    cdef Format stored = MSGPACK if job_is(job, JOB_MSGPACK) else JSON
    cdef uint8_t* data = NULL
    cdef uint32_t size = 0
    cdef int status
    if not has(item, BIT_DATA):
        value.size = 0
    if value.size > core.limits.job_size:
        return DATA_TOO_LARGE
    status = room_check(core)
    if status != OK:
        return status
    if value.size and format != stored and job.extra != NULL and keeps_format(job.extra):
        core.text.size, core.text.failed = 0, False
        if transcode(&core.text, value.ptr, value.size, format) != OK:
            return NO_MEMORY
        value.ptr, value.size, value.flags = core.text.data, <uint32_t>core.text.size, 0
    elif value.size:
        stored = format
    if value.size:
        data = keep(core, &value, &size)
        if data == NULL:
            return NO_MEMORY
    if job.data != NULL:
        blob_give(&core.blobs, job.data, job.data_size)
    job.data, job.data_size = data, size
    if stored == MSGPACK:
        job.flags |= JOB_MSGPACK
    else:
        job.flags &= <uint8_t>~JOB_MSGPACK
    record_job(core, job, False)
    record_ties(core, job)
    record_state(core, job)                 # a job's record tells a new one: what became of it since comes after
    record_failing(core, job)
    return OK


cdef int payload_of_duplicate(Core* core, uint64_t holder, const PushItem* item, Format format,
                              uint64_t* shown) noexcept nogil:
    cdef Job* job = job_find(core, holder)
    cdef int status = OK
    if not has(item, BIT_ON_DUPLICATE) or item.on_duplicate == DUPLICATE_ERROR:
        return DUPLICATE_KEY
    if item.on_duplicate == DUPLICATE_REPLACE:
        if job.state == STATE_ACTIVE:
            return DUPLICATE_KEY            # its worker has the payload already
        status = payload_replace(core, job, item, format)
    shown[0] = job.position
    return status
