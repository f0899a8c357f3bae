"""Lists of a request that the scan left as their bytes, read when the command needs them; in either format."""
from flashq._core.json_codec cimport json_id_list
from flashq._core.msgpack_codec cimport msgpack_id_list
from flashq._core.request cimport JSON, Format, Request, Slice
from flashq._core.state cimport Core
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# Of a list of texts that a scan has taken: the first `cap` of them into `out`; how many there are. They are slices of
# the list, but those with escapes, which are resolved into `room`: as many bytes as the list has.
cdef uint32_t text_list(Format format, const Slice* value, uint8_t* room, Slice* out, uint32_t cap) noexcept nogil

# The texts of a request's list as text_list leaves them, in `out` until Core.text is used again; texts_done after that.
# OK; BAD_TYPE with problem_* where there are more than `cap`; NO_MEMORY.
cdef int texts_read(Core* core, Request* request, const char* field, const Slice* value, Slice* out, uint32_t cap,
                    uint32_t* count) noexcept nogil
cdef void texts_done(Core* core) noexcept nogil                # gives back what a long list needed
cdef int list_wrong(Request* request, const char* field, int kind) noexcept nogil      # BAD_TYPE with problem_*

cdef inline uint32_t number_list(Format format, const Slice* value, uint64_t* out, uint32_t cap) noexcept nogil:
    """Likewise of a list of numbers."""
    return <uint32_t>(json_id_list(value, out, cap) if format == JSON else msgpack_id_list(value, out, cap))
