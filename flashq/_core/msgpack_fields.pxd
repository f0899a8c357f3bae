"""The fields of a MessagePack request, each into its place in the Request."""
from flashq._core.msgpack_reader cimport Reader
from flashq._core.request cimport PushItem, Request
from libc.stdint cimport uint8_t, uint32_t, uint64_t

# The pairs of a map after its header: the request itself (item is &request.item), or one of its items.
# OK, or the Status with the reader at the offence.
# The u64s of the array at `at` into `out`; how many, -1 when it is no such array, -2 when it is cut off.
cdef int id_list(const uint8_t* at, const uint8_t* end, uint64_t* out, uint32_t cap,
                 const uint8_t** stop) noexcept nogil
cdef int fields_read(Reader* reader, Request* request, PushItem* item, uint64_t pairs) noexcept nogil
