"""MessagePack values, passed over and checked."""
from flashq._core.bytes cimport is_ascii
from flashq._core.status cimport OK
from libc.stdint cimport int32_t, uint8_t, uint32_t

cdef struct Reader:
    const uint8_t* at           # borrowed: the next byte; after a refusal, where the offence is
    const uint8_t* end          # borrowed
    uint32_t depth              # arrays and maps open around `at`
    int32_t item                # index in `jobs`; -1 at the top
    bint loose                  # bin and ext may pass

# Pass one value with all that is in it. OK, BAD_MSGPACK, BAD_UTF8 or TOO_DEEP.
cdef int value_skip(Reader* reader) noexcept nogil
cdef int loose_skip(Reader* reader) noexcept nogil     # the same for a value that nobody keeps

cdef int utf8_check(Reader* reader, const uint8_t* text, size_t size) noexcept nogil

cdef inline int text_check(Reader* reader, const uint8_t* text, size_t size) noexcept nogil:
    """Whether a text inside the frame is UTF-8: OK, or BAD_UTF8 with the reader at the offence."""
    if is_ascii(text, size, <size_t>(reader.end - text)):
        return OK
    return utf8_check(reader, text, size)
