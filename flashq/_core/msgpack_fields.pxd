"""The fields of a MessagePack request, each into its place in the Request."""
from flashq._core.msgpack_reader cimport Reader
from flashq._core.request cimport PushItem, Request
from libc.stdint cimport uint64_t

# The pairs of a map after its header: the request itself (item is &request.item), or one of its items.
# OK, or the Status with the reader at the offence.
cdef int fields_read(Reader* reader, Request* request, PushItem* item, uint64_t pairs) noexcept nogil
