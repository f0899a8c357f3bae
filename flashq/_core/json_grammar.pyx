"""The grammar of JSON (RFC 8259), iterative and without copying; a fault is reported with its place.

Refused beyond the grammar: lone surrogates (also as escapes), nesting over MAX_DEPTH, and numbers that no double
holds, which the clients' parsers would turn into infinity.
"""
from flashq._core.json_number cimport number_skip
from flashq._core.request cimport MAX_DEPTH
from flashq._core.scan cimport scan_sequence, scan_text
from flashq._core.status cimport BAD_SYNTAX, BAD_UTF8, TOO_DEEP
from libc.string cimport memcmp, memcpy


cdef const uint8_t* reader_fail(Reader* r, const uint8_t* p, int status) noexcept nogil:
    r.where = p
    r.status = status
    return NULL


cdef const uint8_t* space_run(Reader* r, const uint8_t* p) noexcept nogil:
    while p < r.end and (p[0] == c' ' or p[0] == c'\t' or p[0] == c'\n' or p[0] == c'\r'):
        if p[0] == c'\n' or p[0] == c'\r':
            r.flags |= SLICE_HAS_NEWLINES
        p += 1
    return p


# -- strings --------------------------------------------------------------------------------------------------

cdef inline const uint8_t* text_skip(Reader* r, const uint8_t* p) noexcept nogil:
    """Past the closing quote of the string whose first character is at `p`."""
    p = scan_text(p, r.end)
    return p + 1 if p < r.end and p[0] == c'"' else text_rest(r, p)


cdef const uint8_t* text_rest(Reader* r, const uint8_t* p) noexcept nogil:
    cdef size_t size
    while p < r.end:
        if p[0] == c'"':
            return p + 1
        if p[0] == c'\\':
            size = _escape_size(p, r.end)
            if size == 0:
                return reader_fail(r, p, BAD_SYNTAX)
            p += size
        elif p[0] < 0x20:
            return reader_fail(r, p, BAD_SYNTAX)
        else:
            while p < r.end and p[0] >= 0x80:
                size = scan_sequence(p, r.end)
                if size == 0:
                    return reader_fail(r, p, BAD_UTF8)
                p += size
        p = scan_text(p, r.end)
    return reader_fail(r, p, BAD_SYNTAX)


cdef size_t _escape_size(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Bytes of the escape whose backslash is at `p`, 12 for a surrogate pair; 0 if it is none."""
    cdef int unit
    if end - p < 2:
        return 0
    if p[1] != c'u':
        return 2 if _escaped(p[1]) else 0
    unit = _hex4(p, end)
    if unit < 0 or unit >> 10 == 0xDC00 >> 10:
        return 0
    if unit >> 10 != 0xD800 >> 10:
        return 6
    unit = _hex4(p + 6, end)
    return 12 if unit >= 0 and unit >> 10 == 0xDC00 >> 10 else 0


cdef uint8_t _escaped(uint8_t c) noexcept nogil:
    """What a backslash and `c` stand for; 0 if nothing."""
    if c == c'"' or c == c'\\' or c == c'/':
        return c
    if c == c'n':
        return 10
    if c == c't':
        return 9
    if c == c'r':
        return 13
    if c == c'b':
        return 8
    return 12 if c == c'f' else 0


cdef int _hex4(const uint8_t* p, const uint8_t* end) noexcept nogil:
    r"""The value of \uXXXX at `p`, or -1."""
    cdef int unit = 0
    cdef int i, c
    if end - p < 6 or p[0] != c'\\' or p[1] != c'u':
        return -1
    for i in range(2, 6):
        c = p[i]
        if c'0' <= c <= c'9':
            unit = unit * 16 + c - c'0'
        elif c'a' <= c | 0x20 <= c'f':
            unit = unit * 16 + (c | 0x20) - c'a' + 10
        else:
            return -1
    return unit


cdef uint8_t* text_unescape(const uint8_t* p, const uint8_t* end, uint8_t* out) noexcept nogil:
    cdef const uint8_t* run
    cdef int code
    while p < end:
        run = p
        while p < end and p[0] != c'\\':
            p += 1
        memcpy(out, run, <size_t>(p - run))
        out += p - run
        if p == end:
            break
        if p[1] != c'u':
            out[0] = _escaped(p[1])
            out += 1
            p += 2
            continue
        code = _hex4(p, end)
        p += 6
        if code >> 10 == 0xD800 >> 10:
            code = 0x10000 + ((code & 0x3FF) << 10) + (_hex4(p, end) & 0x3FF)
            p += 6
        out = _utf8_put(out, code)
    return out


cdef uint8_t* _utf8_put(uint8_t* out, int code) noexcept nogil:
    if code < 0x80:
        out[0] = <uint8_t>code
        return out + 1
    if code < 0x800:
        out[0] = <uint8_t>(0xC0 | code >> 6)
        out[1] = <uint8_t>(0x80 | code & 0x3F)
        return out + 2
    if code < 0x10000:
        out[0] = <uint8_t>(0xE0 | code >> 12)
        out[1] = <uint8_t>(0x80 | code >> 6 & 0x3F)
        out[2] = <uint8_t>(0x80 | code & 0x3F)
        return out + 3
    out[0] = <uint8_t>(0xF0 | code >> 18)
    out[1] = <uint8_t>(0x80 | code >> 12 & 0x3F)
    out[2] = <uint8_t>(0x80 | code >> 6 & 0x3F)
    out[3] = <uint8_t>(0x80 | code & 0x3F)
    return out + 4


# -- values ---------------------------------------------------------------------------------------------------

cdef const uint8_t* word_skip(Reader* r, const uint8_t* p) noexcept nogil:
    cdef size_t room = <size_t>(r.end - p)
    if room >= 4 and (memcmp(p, b"null", 4) == 0 or memcmp(p, b"true", 4) == 0):
        return p + 4
    if room >= 5 and memcmp(p, b"false", 5) == 0:
        return p + 5
    return reader_fail(r, p, BAD_SYNTAX)


cdef inline const uint8_t* key_skip(Reader* r, const uint8_t* p) noexcept nogil:
    """Past a key and its colon, to the value."""
    if p == r.end or p[0] != c'"':
        return reader_fail(r, p, BAD_SYNTAX)
    p = text_skip(r, p + 1)
    if p == NULL:
        return NULL
    p = space_skip(r, p)
    if p == r.end or p[0] != c':':
        return reader_fail(r, p, BAD_SYNTAX)
    return space_skip(r, p + 1)


cdef inline const uint8_t* scalar_skip(Reader* r, const uint8_t* p) noexcept nogil:
    if p[0] == c'"':
        return text_skip(r, p + 1)
    if p[0] == c'-' or c'0' <= p[0] <= c'9':
        return number_skip(r, p)
    return word_skip(r, p)


cdef const uint8_t* value_skip(Reader* r, const uint8_t* p, int depth) noexcept nogil:
    cdef uint8_t[MAX_DEPTH + 1] closers             # of the containers now open
    cdef int level = depth
    cdef uint8_t c
    while True:
        if p == r.end:
            return reader_fail(r, p, BAD_SYNTAX)
        c = p[0]
        if c == c'{' or c == c'[':
            if level >= MAX_DEPTH:
                return reader_fail(r, p, TOO_DEEP)
            level += 1
            closers[level] = c + 2                  # ASCII has both closing brackets two after the opening ones
            p = space_skip(r, p + 1)
            if p == r.end or p[0] != closers[level]:
                if c == c'{':
                    p = key_skip(r, p)
                    if p == NULL:
                        return NULL
                continue
        else:
            p = scalar_skip(r, p)
            if p == NULL:
                return NULL
        while True:                                 # after a value: close what ends here
            if level == depth:
                return p
            p = space_skip(r, p)
            if p == r.end or p[0] != c',' and p[0] != closers[level]:
                return reader_fail(r, p, BAD_SYNTAX)
            if p[0] == c',':
                break
            p += 1
            level -= 1
        p = space_skip(r, p + 1)
        if closers[level] == c'}':
            p = key_skip(r, p)
            if p == NULL:
                return NULL
