"""Lists of a request that the scan left as their bytes, read when the command needs them; in either format."""
from libc.string cimport memchr

from flashq._core.buffer cimport buffer_room, buffer_shrink
from flashq._core.json_grammar cimport Reader, space_skip, text_unescape, value_skip
from flashq._core.msgpack_tokens cimport Token, token_read
from flashq._core.request cimport KIND_TAGS
from flashq._core.status cimport BAD_TYPE, NO_MEMORY, OK

cdef enum:
    KEPT_TEXT = 64 * 1024       # bytes of Core.text that a long list may leave there


cdef int list_wrong(Request* request, const char* field, int kind) noexcept nogil:
    request.problem_field = field
    request.problem_number = <uint64_t>kind
    return BAD_TYPE


cdef int texts_read(Core* core, Request* request, const char* field, const Slice* value, Slice* out, uint32_t cap,
                    uint32_t* count) noexcept nogil:
    cdef uint8_t* room
    core.text.size = 0
    core.text.failed = False
    room = buffer_room(&core.text, value.size)
    if room == NULL:
        return NO_MEMORY
    count[0] = text_list(request.format, value, room, out, cap)
    return OK if count[0] <= cap else list_wrong(request, field, KIND_TAGS)


cdef void texts_done(Core* core) noexcept nogil:
    buffer_shrink(&core.text, KEPT_TEXT)


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
