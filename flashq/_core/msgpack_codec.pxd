"""MessagePack: a frame into a Request, replies into a WriteBuffer; json_codec has the same under its own prefix."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.request cimport JobParts, Request, Slice
from flashq._core.scratch cimport Scratch
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# One whole frame (framing bytes excluded) into `request`: OK, or the Status with request.problem_* filled in.
# request.req_id is set whenever it was read before the problem.
cdef int msgpack_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil
# One value that must fill `size` bytes exactly: OK, or BAD_SYNTAX, BAD_UTF8, TOO_DEEP, BAD_MSGPACK.
cdef int msgpack_validate(const uint8_t* value, size_t size) noexcept nogil

# Whole replies, framing included. A req_id of size 0 with ptr NULL is left out.
cdef void msgpack_reply_ok(WriteBuffer* out, const Slice* req_id) noexcept nogil
cdef void msgpack_reply_id(WriteBuffer* out, const Slice* req_id, uint64_t id) noexcept nogil
cdef void msgpack_reply_count(WriteBuffer* out, const Slice* req_id, uint64_t count) noexcept nogil  # ids, count
cdef void msgpack_reply_no_job(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil  # jobs: [], job: nil

# A frame that answers nothing: tells the worker of an active job that it was cancelled.
cdef void msgpack_cancelled(WriteBuffer* out, const Job* job) noexcept nogil

# PUSHB of which every item was taken: ids in order.
cdef void msgpack_reply_ids(WriteBuffer* out, const Slice* req_id, const uint64_t* ids, uint32_t count) noexcept nogil

# PULL is begin(many=False), one job, end; PULLB begin(many=True), its jobs, end. `end` wants the mark of `begin`.
cdef size_t msgpack_jobs_begin(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil
cdef void msgpack_jobs_next(WriteBuffer* out, uint32_t index) noexcept nogil     # before each job
cdef void msgpack_jobs_end(WriteBuffer* out, size_t mark, bint many, uint32_t count) noexcept nogil
# One Job object alone. `data` and `tags` are in this codec's format; size 0 stands for null and [].
cdef void msgpack_job(WriteBuffer* out, const Job* job, const JobParts* parts) noexcept nogil

# Of a valid value: the u64s of an array into `out`, at most `cap`; how many there are, or -1: it is no such array.
cdef int msgpack_id_list(const Slice* value, uint64_t* out, uint32_t cap) noexcept nogil
