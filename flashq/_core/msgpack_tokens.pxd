"""Tokens of MessagePack, read and written inline. Source: github.com/msgpack/msgpack/blob/master/spec.md."""
from flashq._core.bytes cimport (load_be16, load_be32, load_be64, load_double, load_float, store_be16, store_be32,
                                 store_be64)
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen

cdef enum Shape:
    SHAPE_NIL = 0
    SHAPE_BOOL = 1              # number: 0 or 1
    SHAPE_UINT = 2              # number
    SHAPE_NEGATIVE = 3          # number: two's complement
    SHAPE_FLOAT = 4             # real
    SHAPE_STR = 5               # number: bytes, all of them there
    SHAPE_OPAQUE = 6            # bin or ext; number: bytes after the header, all of them there
    SHAPE_ARRAY = 7             # number: elements, at most as many as bytes remain
    SHAPE_MAP = 8               # number: pairs, likewise

cdef struct Token:
    Shape shape
    uint64_t number
    double real

cdef inline void token_int(Token* token, int64_t value) noexcept nogil:
    token.shape = SHAPE_NEGATIVE if value < 0 else SHAPE_UINT
    token.number = <uint64_t>value

cdef inline void token_uint(Token* token, uint64_t value) noexcept nogil:
    token.shape = SHAPE_UINT
    token.number = value

cdef inline void token_real(Token* token, double value) noexcept nogil:
    token.shape = SHAPE_FLOAT
    token.real = value

cdef inline void token_sized(Token* token, Shape shape, uint64_t size) noexcept nogil:
    token.shape = shape
    token.number = size

cdef inline uint32_t head_size(uint8_t first) noexcept nogil:
    """Bytes of the header that starts with this byte, numbers included; ext types count as body."""
    if first < 0xC4 or first >= 0xE0:
        return 1
    if first in (0xC4, 0xC7, 0xCC, 0xD0, 0xD9):
        return 2
    if first in (0xC5, 0xC8, 0xCD, 0xD1, 0xDA, 0xDC, 0xDE):
        return 3
    if first in (0xC6, 0xC9, 0xCA, 0xCE, 0xD2, 0xDB, 0xDD, 0xDF):
        return 5
    return 9 if first in (0xCB, 0xCF, 0xD3) else 1

cdef inline bint token_long(const uint8_t* at, Token* token) noexcept nogil:
    """The token of a header of more than one form byte, all of which are there; False for the unused code."""
    cdef uint8_t first = at[0]
    if first == 0xC0:
        token_sized(token, SHAPE_NIL, 0)
    elif first == 0xC2 or first == 0xC3:
        token_sized(token, SHAPE_BOOL, first - 0xC2)
    elif first == 0xC4:
        token_sized(token, SHAPE_OPAQUE, at[1])
    elif first == 0xC5:
        token_sized(token, SHAPE_OPAQUE, load_be16(at + 1))
    elif first == 0xC6:
        token_sized(token, SHAPE_OPAQUE, load_be32(at + 1))
    elif first == 0xC7:
        token_sized(token, SHAPE_OPAQUE, <uint64_t>at[1] + 1)
    elif first == 0xC8:
        token_sized(token, SHAPE_OPAQUE, <uint64_t>load_be16(at + 1) + 1)
    elif first == 0xC9:
        token_sized(token, SHAPE_OPAQUE, <uint64_t>load_be32(at + 1) + 1)
    elif first == 0xCA:
        token_real(token, load_float(at + 1))
    elif first == 0xCB:
        token_real(token, load_double(at + 1))
    elif first == 0xCC:
        token_uint(token, at[1])
    elif first == 0xCD:
        token_uint(token, load_be16(at + 1))
    elif first == 0xCE:
        token_uint(token, load_be32(at + 1))
    elif first == 0xCF:
        token_uint(token, load_be64(at + 1))
    elif first == 0xD0:
        token_int(token, <int8_t>at[1])
    elif first == 0xD1:
        token_int(token, <int16_t>load_be16(at + 1))
    elif first == 0xD2:
        token_int(token, <int32_t>load_be32(at + 1))
    elif first == 0xD3:
        token_int(token, <int64_t>load_be64(at + 1))
    elif first >= 0xD4 and first <= 0xD8:
        token_sized(token, SHAPE_OPAQUE, (<uint64_t>1 << (first - 0xD4)) + 1)
    elif first == 0xD9:
        token_sized(token, SHAPE_STR, at[1])
    elif first == 0xDA:
        token_sized(token, SHAPE_STR, load_be16(at + 1))
    elif first == 0xDB:
        token_sized(token, SHAPE_STR, load_be32(at + 1))
    elif first == 0xDC:
        token_sized(token, SHAPE_ARRAY, load_be16(at + 1))
    elif first == 0xDD:
        token_sized(token, SHAPE_ARRAY, load_be32(at + 1))
    elif first == 0xDE:
        token_sized(token, SHAPE_MAP, load_be16(at + 1))
    elif first == 0xDF:
        token_sized(token, SHAPE_MAP, load_be32(at + 1))
    else:
        return False
    return True

cdef inline const uint8_t* token_read(const uint8_t* at, const uint8_t* end, Token* token) noexcept nogil:
    """Where the token's body starts, or NULL when it is cut off, claims more than there is, or has the unused code."""
    cdef uint8_t first
    cdef uint64_t least
    if at >= end:
        return NULL
    first = at[0]
    if first < 0x80:
        token_uint(token, first)
        return at + 1
    if first >= 0xE0:
        token_int(token, <int8_t>first)
        return at + 1
    if first < 0xC0:
        if first >= 0xA0:
            token_sized(token, SHAPE_STR, first & 31)
        else:
            token_sized(token, SHAPE_ARRAY if first >= 0x90 else SHAPE_MAP, first & 15)
        at += 1
    else:
        if <size_t>(end - at) < head_size(first) or not token_long(at, token):
            return NULL
        at += head_size(first)
    if token.shape >= SHAPE_STR:
        least = 2 * token.number if token.shape == SHAPE_MAP else token.number
        if least > <uint64_t>(end - at):
            return NULL
    return at

# Writers: `out` has the room; they return the new end. A number takes at most 9 bytes, a header at most 5.

cdef inline uint8_t* put_byte(uint8_t* out, uint8_t value) noexcept nogil:
    out[0] = value
    return out + 1

cdef inline uint8_t* put_nil(uint8_t* out) noexcept nogil:
    return put_byte(out, 0xC0)

cdef inline uint8_t* put_bool(uint8_t* out, bint value) noexcept nogil:
    return put_byte(out, 0xC3 if value else 0xC2)

cdef inline uint8_t* put_uint(uint8_t* out, uint64_t value) noexcept nogil:
    if value < 0x80:
        return put_byte(out, <uint8_t>value)
    if value <= 0xFFFF:
        if value <= 0xFF:
            out[0] = 0xCC
            return put_byte(out + 1, <uint8_t>value)
        out[0] = 0xCD
        store_be16(out + 1, <uint16_t>value)
        return out + 3
    if value <= 0xFFFFFFFFULL:
        out[0] = 0xCE
        store_be32(out + 1, <uint32_t>value)
        return out + 5
    out[0] = 0xCF
    store_be64(out + 1, value)
    return out + 9

cdef inline uint8_t* put_int32(uint8_t* out, int32_t value) noexcept nogil:
    if value >= 0:
        return put_uint(out, <uint32_t>value)
    if value >= -32:
        return put_byte(out, <uint8_t>value)
    if value >= -0x8000:
        if value >= -0x80:
            out[0] = 0xD0
            return put_byte(out + 1, <uint8_t>value)
        out[0] = 0xD1
        store_be16(out + 1, <uint16_t>value)
        return out + 3
    out[0] = 0xD2
    store_be32(out + 1, <uint32_t>value)
    return out + 5

cdef inline uint8_t* put_bytes(uint8_t* out, const void* data, size_t size) noexcept nogil:
    if size:
        memcpy(out, data, size)
    return out + size

cdef inline uint8_t* put_text(uint8_t* out, const void* text, uint32_t size) noexcept nogil:
    """A str of any length."""
    if size < 32:
        out = put_byte(out, <uint8_t>(0xA0 | size))
    elif size <= 0xFF:
        out = put_byte(put_byte(out, 0xD9), <uint8_t>size)
    elif size <= 0xFFFF:
        out[0] = 0xDA
        store_be16(out + 1, <uint16_t>size)
        out += 3
    else:
        out[0] = 0xDB
        store_be32(out + 1, size)
        out += 5
    return put_bytes(out, text, size)

cdef inline uint8_t* put_key(uint8_t* out, const char* name) noexcept nogil:
    """A literal of less than 32 bytes; inlined, so that its length is known when compiling."""
    cdef size_t size = strlen(name)
    out[0] = <uint8_t>(0xA0 | size)
    memcpy(out + 1, name, size)
    return out + 1 + size

cdef inline uint8_t* put_array(uint8_t* out, uint32_t count) noexcept nogil:
    """The header of an array of at most 65535 elements."""
    if count < 16:
        return put_byte(out, <uint8_t>(0x90 | count))
    out[0] = 0xDC
    store_be16(out + 1, <uint16_t>count)
    return out + 3
