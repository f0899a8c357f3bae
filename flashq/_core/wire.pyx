"""A job in the format of its reader, whichever format its producer spoke."""
from flashq._core.job cimport JOB_MSGPACK, Extra, job_is
from flashq._core.json_codec cimport json_job
from flashq._core.msgpack_codec cimport msgpack_job
from flashq._core.request cimport MSGPACK
from flashq._core.state cimport Queue
from flashq._core.transcode cimport transcode


cdef void wire_job(Core* core, Format format, WriteBuffer* out, const Job* job) noexcept nogil:
    cdef const Queue* queue = <const Queue*>job.queue
    cdef const Extra* extra = job.extra
    cdef Format stored = MSGPACK if job_is(job, JOB_MSGPACK) else JSON
    cdef Slice name, data, tags
    cdef size_t data_end
    name.ptr, name.size, name.flags = queue.text, queue.name.size, 0
    data.ptr, data.size, data.flags = job.data, job.data_size, 0
    tags.ptr, tags.size, tags.flags = NULL, 0, 0
    if extra != NULL:
        tags.ptr, tags.size = extra.tags, extra.tags_size
    if stored != format:
        core.text.size = 0
        if data.size:
            transcode(&core.text, data.ptr, data.size, stored)
        data_end = core.text.size
        if tags.size:
            transcode(&core.text, tags.ptr, tags.size, stored)
        data.ptr, data.size = core.text.data, <uint32_t>data_end
        if tags.size:
            tags.ptr, tags.size = core.text.data + data_end, <uint32_t>(core.text.size - data_end)
    if format == JSON:
        json_job(out, job, &name, &data, &tags)
    else:
        msgpack_job(out, job, &name, &data, &tags)
