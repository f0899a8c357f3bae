"""A job in the format of its reader, whichever format its producer spoke."""
from flashq._core.job cimport JOB_MSGPACK, Extra, job_is
from flashq._core.json_codec cimport json_job
from flashq._core.msgpack_codec cimport msgpack_job
from flashq._core.request cimport MSGPACK, JobParts
from flashq._core.state cimport Queue
from flashq._core.status cimport NO_MEMORY, OK
from flashq._core.transcode cimport transcode
from libc.string cimport memset


cdef void wire_job_read(Core* core, Format format, WriteBuffer* out, const Job* job, bint history) noexcept nogil:
    cdef const Queue* queue = <const Queue*>job.queue
    cdef const Extra* extra = job.extra
    cdef JobParts parts
    memset(&parts, 0, sizeof(parts))
    parts.history = history
    parts.queue.ptr, parts.queue.size = queue.text, queue.name.size
    parts.data.ptr, parts.data.size = job.data, job.data_size
    if extra != NULL:
        parts.tags.ptr, parts.tags.size = extra.tags, extra.tags_size
        if extra.relations != NULL:
            parts.depends_on.ptr, parts.depends_on.size = extra.relations.depends_on, extra.relations.depends_on_size
    if job_is(job, JOB_MSGPACK) != (format == MSGPACK):
        if transcode_parts(core, &parts, JSON if format == MSGPACK else MSGPACK) != OK:
            out.failed = True               # no Job at all rather than one with other data
            return
    if format == JSON:
        json_job(out, job, &parts)
    else:
        msgpack_job(out, job, &parts)


cdef int transcode_parts(Core* core, JobParts* parts, Format stored) noexcept nogil:
    """Each part in the other format, in core.text; OK or NO_MEMORY. Offsets first: the buffer moves while it grows."""
    cdef size_t data_end, tags_end
    core.text.size, core.text.failed = 0, False
    if parts.data.size:
        transcode(&core.text, parts.data.ptr, parts.data.size, stored)
    data_end = core.text.size
    if parts.tags.size:
        transcode(&core.text, parts.tags.ptr, parts.tags.size, stored)
    tags_end = core.text.size
    if parts.depends_on.size:
        transcode(&core.text, parts.depends_on.ptr, parts.depends_on.size, stored)
    if core.text.failed:
        return NO_MEMORY
    parts.data.ptr, parts.data.size = core.text.data, <uint32_t>data_end
    parts.tags.ptr, parts.tags.size = core.text.data + data_end, <uint32_t>(tags_end - data_end)
    parts.depends_on.ptr, parts.depends_on.size = core.text.data + tags_end, <uint32_t>(core.text.size - tags_end)
    return OK
