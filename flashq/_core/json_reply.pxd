"""JSON replies: whole lines into a WriteBuffer. Cimport them from json_codec, like those of the other codec."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.request cimport JobParts, Slice
from libc.stdint cimport uint32_t, uint64_t

# Whole replies, framing included. A req_id of size 0 with ptr NULL is left out.
cdef void json_reply_ok(WriteBuffer* out, const Slice* req_id) noexcept nogil
cdef void json_reply_id(WriteBuffer* out, const Slice* req_id, uint64_t id) noexcept nogil
cdef void json_reply_count(WriteBuffer* out, const Slice* req_id, uint64_t count) noexcept nogil  # ids: [n], count: n
# job: null; with `many` jobs: [] too.
cdef void json_reply_no_job(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil

# A frame that answers nothing: tells the worker of an active job that it was cancelled.
cdef void json_cancelled(WriteBuffer* out, const Job* job) noexcept nogil

# PUSHB of which every item was taken: ids in order.
cdef void json_reply_ids(WriteBuffer* out, const Slice* req_id, const uint64_t* ids, uint32_t count) noexcept nogil

# PULL is begin(many=False), one job, end; PULLB begin(many=True), its jobs, end. `begin` returns what `end` wants as
# its mark.
cdef size_t json_jobs_begin(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil
cdef void json_jobs_next(WriteBuffer* out, uint32_t index) noexcept nogil       # before each job
cdef void json_jobs_end(WriteBuffer* out, size_t mark, bint many, uint32_t count) noexcept nogil
# One Job object alone. `data` and `tags` are in this codec's format; size 0 stands for null and [].
cdef void json_job(WriteBuffer* out, const Job* job, const JobParts* parts) noexcept nogil
