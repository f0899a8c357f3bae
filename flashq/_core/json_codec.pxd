"""JSON: a frame into a Request, replies into a WriteBuffer. The other codec has the same under its own prefix."""
from flashq._core.json_reply cimport (
    json_cancelled, json_job, json_jobs_begin, json_jobs_end, json_jobs_next, json_reply_count, json_reply_id,
    json_reply_ids, json_reply_no_job, json_reply_ok,
)
from flashq._core.request cimport Request, Slice
from flashq._core.scratch cimport Scratch
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# One whole frame (framing bytes excluded) into `request`: OK, or the Status with request.problem_* filled in.
# request.req_id is set whenever it was read before the problem.
cdef int json_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil
# One value that must fill `size` bytes exactly: OK, or BAD_SYNTAX, BAD_UTF8, TOO_DEEP, BAD_MSGPACK.
cdef int json_validate(const uint8_t* value, size_t size) noexcept nogil

# Of a valid value: the u64s of an array into `out`, at most `cap`; how many there are, or -1: it is no such array.
cdef int json_id_list(const Slice* value, uint64_t* out, uint32_t cap) noexcept nogil
