"""The pieces of records: numbers and texts written into room that the caller made sure of, and read with bounds."""
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "records are little-endian and written as memory has them"
    #endif
    """

cdef inline uint8_t* put8(uint8_t* at, uint8_t value) noexcept nogil:
    at[0] = value
    return at + 1

cdef inline uint8_t* put16(uint8_t* at, uint16_t value) noexcept nogil:
    memcpy(at, &value, 2)
    return at + 2

cdef inline uint8_t* put32(uint8_t* at, uint32_t value) noexcept nogil:
    memcpy(at, &value, 4)
    return at + 4

cdef inline uint8_t* put64(uint8_t* at, uint64_t value) noexcept nogil:
    memcpy(at, &value, 8)
    return at + 8

cdef inline uint8_t* put_text(uint8_t* at, const uint8_t* text, uint32_t size) noexcept nogil:
    at = put32(at, size)
    if size:
        memcpy(at, text, size)
    return at + size

cdef enum:
    FRAME_HEAD = 12             # bytes before the records of a frame: u32 size of what follows it, u64 position

cdef struct Frame:
    size_t size                 # bytes, all that belongs to it
    uint64_t position           # of its last record

cdef inline uint8_t* put_frame_head(uint8_t* at, size_t size, uint64_t position) noexcept nogil:
    return put64(put32(at, <uint32_t>(size - 4)), position)

cdef inline Frame frame_head(const uint8_t* at) noexcept nogil:
    """What the FRAME_HEAD bytes there say."""
    cdef Frame frame
    cdef uint32_t size
    memcpy(&size, at, 4)
    memcpy(&frame.position, at + 4, 8)
    frame.size = <size_t>size + 4
    return frame

cdef inline bint frame_fits(const Frame* frame, size_t room) noexcept nogil:
    return FRAME_HEAD <= frame.size <= room

cdef struct Cursor:             # over the records of one frame
    const uint8_t* at           # borrowed
    const uint8_t* end
    bint short                  # something did not fit: what was read since is zero

cdef struct Text:
    const uint8_t* ptr          # borrowed
    uint32_t size

cdef inline bint has_bytes(Cursor* c, size_t size) noexcept nogil:
    if <size_t>(c.end - c.at) >= size:
        return True
    c.short = True
    c.at = c.end
    return False

cdef inline uint8_t get8(Cursor* c) noexcept nogil:
    cdef uint8_t value = 0
    if has_bytes(c, 1):
        value = c.at[0]
        c.at += 1
    return value

cdef inline uint16_t get16(Cursor* c) noexcept nogil:
    cdef uint16_t value = 0
    if has_bytes(c, 2):
        memcpy(&value, c.at, 2)
        c.at += 2
    return value

cdef inline uint32_t get32(Cursor* c) noexcept nogil:
    cdef uint32_t value = 0
    if has_bytes(c, 4):
        memcpy(&value, c.at, 4)
        c.at += 4
    return value

cdef inline uint64_t get64(Cursor* c) noexcept nogil:
    cdef uint64_t value = 0
    if has_bytes(c, 8):
        memcpy(&value, c.at, 8)
        c.at += 8
    return value

cdef inline Text get_bytes(Cursor* c, uint32_t size) noexcept nogil:
    cdef Text text
    text.ptr, text.size = c.at, 0
    if has_bytes(c, size):
        text.size = size
        c.at += size
    return text

cdef inline Text get_text(Cursor* c) noexcept nogil:
    return get_bytes(c, get32(c))
