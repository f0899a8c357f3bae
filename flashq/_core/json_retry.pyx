"""A retry policy in JSON."""
from flashq._core.json_grammar cimport Reader, space_skip, text_unescape, value_skip
from flashq._core.json_number cimport Number, number_read
from flashq._core.json_write cimport literal_put, u64_put
from flashq._core.request cimport MILLION, RETRY_JITTER, RETRY_NO_PART, RETRY_TYPE, RetryPart
from flashq._core.retry cimport (
    retry_begin, retry_end, retry_jitter, retry_ms, retry_open, retry_part, retry_type, retry_type_name, retry_wrong,
)
from flashq._core.status cimport BAD_TYPE, OK, OUT_OF_RANGE
from libc.stdint cimport UINT64_MAX, uint32_t
from libc.stdlib cimport strtod
from libc.string cimport memcpy

cdef enum:
    WORD = 72                   # bytes of the longest word meant here, each byte an escape of six
    DIGITS = 320                # characters of a jitter that are read; more say nothing about its millionths


cdef uint32_t word_read(const uint8_t* p, const uint8_t* end, uint8_t* out) noexcept nogil:
    """The text of a string from quote to quote, without its escapes; 0 bytes of one too long to be meant."""
    if end - p - 2 > WORD:
        return 0
    return <uint32_t>(text_unescape(p + 1, end - 1, out) - out)


cdef void jitter_read(const uint8_t* p, const uint8_t* end, RetryGiven* out) noexcept nogil:
    cdef char[DIGITS + 1] text
    cdef Number number
    number_read(p, end, &number)
    if number.negative or number.value > 1 or end - p > DIGITS:
        retry_wrong(out, RETRY_JITTER, OUT_OF_RANGE)
        return
    memcpy(text, p, <size_t>(end - p))
    text[end - p] = 0                               # what strtod ends at; its locale is always C's
    retry_jitter(out, strtod(text, NULL))


cdef void part_read(RetryPart part, const uint8_t* p, const uint8_t* end, RetryGiven* out) noexcept nogil:
    """The value from `p` to `end` of a part that was not given before."""
    cdef uint8_t[WORD] word
    cdef Number number
    if part == RETRY_TYPE:
        if p[0] == c'"':
            retry_type(out, word, word_read(p, end, word))
        else:
            retry_wrong(out, part, BAD_TYPE)
    elif p[0] != c'-' and not c'0' <= p[0] <= c'9':
        retry_wrong(out, part, BAD_TYPE)
    elif part == RETRY_JITTER:
        jitter_read(p, end, out)
    else:
        number_read(p, end, &number)
        retry_ms(out, part, UINT64_MAX if number.negative or number.fraction else number.value)


cdef void json_retry(const Slice* value, RetryGiven* out) noexcept nogil:
    cdef const uint8_t* p = value.ptr
    cdef const uint8_t* start
    cdef Reader r = Reader(p + value.size, NULL, OK, 0)
    cdef uint8_t[WORD] name
    cdef RetryPart part
    retry_begin(out)
    p = space_skip(&r, p + 1)
    while p[0] != c'}':
        start = p
        p = value_skip(&r, p, 0)
        part = retry_part(name, word_read(start, p, name))
        start = space_skip(&r, space_skip(&r, p) + 1)           # past the colon
        p = value_skip(&r, start, 0)
        if part != RETRY_NO_PART and start[0] != c'n' and retry_open(out, part):
            part_read(part, start, p, out)
        p = space_skip(&r, p)
        if p[0] == c',':
            p = space_skip(&r, p + 1)
    retry_end(out)


cdef uint8_t* json_retry_put(uint8_t* p, const RetryPolicy* policy) noexcept nogil:
    cdef uint32_t left = policy.jitter
    cdef uint32_t place = MILLION
    p = literal_put(p, b'{"type":"')
    p = literal_put(p, retry_type_name(policy.type))
    p = u64_put(literal_put(p, b'","delay":'), policy.delay)
    p = u64_put(literal_put(p, b',"max":'), policy.max)
    p = u64_put(literal_put(p, b',"jitter":'), left // MILLION)
    left %= MILLION
    if left:
        p = literal_put(p, b'.')
    while left:                                     # the last digit is never a 0
        place //= 10
        p[0] = <uint8_t>(c'0' + left // place)
        p += 1
        left %= place
    return literal_put(p, b'}')
