"""Replies in the format of the peer: the one place that chooses between the two codecs."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.json_codec cimport (
    json_cancelled, json_jobs_begin, json_jobs_end, json_jobs_next, json_reply_count, json_reply_id, json_reply_ids,
    json_reply_no_job, json_reply_ok, json_scan,
)
from flashq._core.msgpack_codec cimport (
    msgpack_cancelled, msgpack_jobs_begin, msgpack_jobs_end, msgpack_jobs_next, msgpack_reply_count, msgpack_reply_id,
    msgpack_reply_ids, msgpack_reply_no_job, msgpack_reply_ok, msgpack_scan,
)
from flashq._core.request cimport JSON, Format, Request, Slice
from flashq._core.scratch cimport Scratch
from flashq._core.state cimport Core
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef inline int wire_scan(Format format, Scratch* scratch, const uint8_t* frame, size_t size,
                          Request* request) noexcept nogil:
    if format == JSON:
        return json_scan(scratch, frame, size, request)
    return msgpack_scan(scratch, frame, size, request)

cdef inline void wire_ok(Format format, WriteBuffer* out, const Slice* req_id) noexcept nogil:
    if format == JSON:
        json_reply_ok(out, req_id)
    else:
        msgpack_reply_ok(out, req_id)

cdef inline void wire_id(Format format, WriteBuffer* out, const Slice* req_id, uint64_t id) noexcept nogil:
    if format == JSON:
        json_reply_id(out, req_id, id)
    else:
        msgpack_reply_id(out, req_id, id)

cdef inline void wire_ids(Format format, WriteBuffer* out, const Slice* req_id, const uint64_t* ids,
                          uint32_t count) noexcept nogil:
    if format == JSON:
        json_reply_ids(out, req_id, ids, count)
    else:
        msgpack_reply_ids(out, req_id, ids, count)

cdef inline void wire_count(Format format, WriteBuffer* out, const Slice* req_id, uint64_t count) noexcept nogil:
    if format == JSON:
        json_reply_count(out, req_id, count)
    else:
        msgpack_reply_count(out, req_id, count)

cdef inline void wire_no_job(Format format, WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    if format == JSON:
        json_reply_no_job(out, req_id, many)
    else:
        msgpack_reply_no_job(out, req_id, many)

cdef inline void wire_cancelled(Format format, WriteBuffer* out, const Job* job) noexcept nogil:
    if format == JSON:
        json_cancelled(out, job)
    else:
        msgpack_cancelled(out, job)

cdef inline size_t wire_jobs_begin(Format format, WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    if format == JSON:
        return json_jobs_begin(out, req_id, many)
    return msgpack_jobs_begin(out, req_id, many)

cdef inline void wire_jobs_end(Format format, WriteBuffer* out, size_t mark, bint many, uint32_t count) noexcept nogil:
    if format == JSON:
        json_jobs_end(out, mark, many, count)
    else:
        msgpack_jobs_end(out, mark, many, count)

cdef inline void wire_jobs_next(Format format, WriteBuffer* out, uint32_t index) noexcept nogil:
    if format == JSON:
        json_jobs_next(out, index)
    else:
        msgpack_jobs_next(out, index)

# A Job, transcoded if need be; without memory for that `out` has failed. With `history` it shows the attempts that
# ended badly.
cdef void wire_job_read(Core* core, Format format, WriteBuffer* out, const Job* job, bint history) noexcept nogil

cdef inline void wire_job(Core* core, Format format, WriteBuffer* out, const Job* job) noexcept nogil:
    """As PULL delivers it."""
    wire_job_read(core, format, out, job, False)
