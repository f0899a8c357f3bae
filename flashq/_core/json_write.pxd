"""Writing the pieces of JSON into room that the caller made sure of: each takes the place and returns the next one."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen

cdef enum:
    NUMBER_ROOM = 20            # characters of the longest 64-bit number
    ESCAPE_ROOM = 6             # bytes that one byte of a text can become: \\u001f

cdef uint8_t* u64_long(uint8_t* out, uint64_t value) noexcept nogil          # from 10 on
# A time in ms. Jobs of one batch share theirs, so that the digits of the last few are kept (those below 2^53).
cdef uint8_t* stamp_put(uint8_t* out, uint64_t value) noexcept nogil         # writes 16 bytes, some past the end
cdef uint8_t* text_escape(uint8_t* out, const uint8_t* text, uint32_t size) noexcept nogil

cdef inline uint8_t* literal_put(uint8_t* out, const char* literal) noexcept nogil:
    """The compiler knows the length of a literal: this becomes a few moves."""
    memcpy(out, literal, strlen(literal))
    return out + strlen(literal)

cdef inline uint8_t* bytes_put(uint8_t* out, const uint8_t* data, uint32_t size) noexcept nogil:
    if size:
        memcpy(out, data, size)
    return out + size

cdef inline uint8_t* u64_put(uint8_t* out, uint64_t value) noexcept nogil:
    if value >= 10:
        return u64_long(out, value)
    out[0] = <uint8_t>(c'0' + value)
    return out + 1

cdef inline uint8_t* i64_put(uint8_t* out, int64_t value) noexcept nogil:
    if value >= 0:
        return u64_put(out, <uint64_t>value)
    out[0] = c'-'
    return u64_put(out + 1, 0 - <uint64_t>value)
