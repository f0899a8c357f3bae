"""Lists of a request that the scan left as their bytes, read when the command needs them; in either format."""
from libc.string cimport memchr

from flashq._core.json_grammar cimport Reader, space_skip, text_unescape, value_skip
from flashq._core.msgpack_tokens cimport Token, token_read
from flashq._core.status cimport OK


cdef uint32_t text_list(Format format, const Slice* value, uint8_t* room, Slice* out, uint32_t cap) noexcept nogil:
    return json_texts(value, room, out, cap) if format == JSON else msgpack_texts(value, out, cap)


cdef uint32_t json_texts(const Slice* value, uint8_t* room, Slice* out, uint32_t cap) noexcept nogil:
    cdef const uint8_t* p = value.ptr
    cdef const uint8_t* body
    cdef uint8_t* end
    cdef Reader r = Reader(value.ptr + value.size, NULL, OK, 0)
    cdef uint32_t size
    cdef uint32_t count = 0
    while p[0] != c']':
        p = space_skip(&r, p + 1)                   # past the bracket or a comma
        if p[0] == c']':
            break
        body = p + 1
        p = value_skip(&r, p, 0)
        if count < cap:
            size = <uint32_t>(p - body) - 1
            if memchr(body, c'\\', size) == NULL:
                out[count] = Slice(body, size, 0)
            else:
                end = text_unescape(body, p - 1, room)
                out[count] = Slice(room, <uint32_t>(end - room), 0)
                room = end
        count += 1
        p = space_skip(&r, p)
    return count


cdef uint32_t msgpack_texts(const Slice* value, Slice* out, uint32_t cap) noexcept nogil:
    cdef const uint8_t* end = value.ptr + value.size
    cdef Token token
    cdef const uint8_t* at = token_read(value.ptr, end, &token)
    cdef uint32_t count, i
    if at == NULL:
        return 0                                    # never: the scan has read it
    count = <uint32_t>token.number
    for i in range(min(count, cap)):
        at = token_read(at, end, &token)
        if at == NULL:
            return i
        out[i] = Slice(at, <uint32_t>token.number, 0)
        at += token.number
    return count
