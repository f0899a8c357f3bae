"""MessagePack values, passed over and checked.

Refused is what is no MessagePack, and what no stored value may hold: bin, ext, keys that are not str, broken UTF-8,
NaN, infinities. Values that nobody keeps may hold bin and ext.
"""
from flashq._core.bytes cimport is_ascii
from flashq._core.msgpack_tokens cimport (SHAPE_ARRAY, SHAPE_FLOAT, SHAPE_MAP, SHAPE_OPAQUE, SHAPE_STR, Token,
                                          token_read)
from flashq._core.request cimport MAX_DEPTH
from flashq._core.scan cimport scan_ascii, scan_sequence
from flashq._core.status cimport BAD_MSGPACK, BAD_UTF8, OK, TOO_DEEP
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef int utf8_check(Reader* reader, const uint8_t* text, size_t size) noexcept nogil:
    """What text_check does, for a text that is not all ASCII."""
    cdef const uint8_t* end = text + size
    cdef size_t step
    while text < end:
        if text[0] < 0x80:
            text = scan_ascii(text, end)
            continue
        step = scan_sequence(text, end)
        if step == 0:
            reader.at = text
            return BAD_UTF8
        text += step
    return OK


cdef inline bint _short_text(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """Whether a whole ASCII text of less than 32 bytes stands here."""
    cdef size_t size
    if at >= end or at[0] & 0xE0 != 0xA0:
        return False
    size = at[0] & 31
    return size < <size_t>(end - at) and is_ascii(at + 1, size, <size_t>(end - at - 1))


cdef int value_skip(Reader* reader) noexcept nogil:
    """Pass one value with all that is in it, checked. OK, or the Status with the reader at the offence.

    `left` is twice the number of values still to come in the innermost array or map, plus one in a map; there, with
    keys counted as values, an even number to come means a key.
    """
    cdef uint64_t[MAX_DEPTH] outer
    cdef uint32_t level = reader.depth
    cdef const uint8_t* at = reader.at
    cdef const uint8_t* end = reader.end
    cdef const uint8_t* body
    cdef uint64_t left = 2
    cdef Token token
    while True:
        while left < 2:
            if level == reader.depth:
                reader.at = at
                return OK
            level -= 1
            left = outer[level]
        if _short_text(at, end):                                # the commonest token, key or value
            at += 1 + (at[0] & 31)
            left -= 2
            continue
        body = token_read(at, end, &token)
        if body == NULL or (token.shape != SHAPE_STR and left & 3 == 1):
            reader.at = at
            return BAD_MSGPACK
        left -= 2
        if token.shape == SHAPE_STR:
            if text_check(reader, body, token.number) != OK:
                return BAD_UTF8
            body += token.number
        elif token.shape >= SHAPE_ARRAY:
            if level == MAX_DEPTH:
                reader.at = at
                return TOO_DEEP
            outer[level] = left
            level += 1
            left = 4 * token.number + 1 if token.shape == SHAPE_MAP else 2 * token.number
        elif token.shape == SHAPE_OPAQUE:
            if not reader.loose:
                reader.at = at
                return BAD_MSGPACK
            body += token.number
        elif token.shape == SHAPE_FLOAT and token.real - token.real != 0:       # NaN or infinite
            reader.at = at
            return BAD_MSGPACK
        at = body


cdef int loose_skip(Reader* reader) noexcept nogil:
    """Pass a value that nobody keeps."""
    cdef int status
    reader.loose = True
    status = value_skip(reader)
    reader.loose = False
    return status
