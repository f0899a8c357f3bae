"""A retry policy in MessagePack."""
from flashq._core.bytes cimport store_be64
from flashq._core.msgpack_reader cimport Reader, value_skip
from flashq._core.msgpack_tokens cimport (SHAPE_FLOAT, SHAPE_NEGATIVE, SHAPE_NIL, SHAPE_STR, SHAPE_UINT, Token,
                                          put_byte, put_key, put_text, put_uint, token_read)
from flashq._core.request cimport MILLION, RETRY_JITTER, RETRY_NO_PART, RETRY_TYPE, RetryPart
from flashq._core.retry cimport (
    retry_begin, retry_end, retry_jitter, retry_ms, retry_open, retry_part, retry_type, retry_type_name, retry_wrong,
)
from flashq._core.status cimport BAD_TYPE
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.string cimport memcpy, strlen


cdef uint64_t whole(const Token* token) noexcept nogil:
    """The number of a token; 2^64-1 for one that is negative, a fraction, or beyond 2^63."""
    if token.shape == SHAPE_UINT:
        return token.number
    if token.shape == SHAPE_NEGATIVE or not 0.0 <= token.real < 9223372036854775808.0:
        return UINT64_MAX
    return <uint64_t>token.real if <double><uint64_t>token.real == token.real else UINT64_MAX


cdef double real(const Token* token) noexcept nogil:
    if token.shape == SHAPE_FLOAT:
        return token.real
    return -1.0 if token.shape == SHAPE_NEGATIVE else <double>token.number


cdef void part_read(RetryPart part, const Token* token, const uint8_t* body, RetryGiven* out) noexcept nogil:
    """The value of a part that was not given before."""
    if part == RETRY_TYPE and token.shape == SHAPE_STR:
        retry_type(out, body, token.number)
    elif part == RETRY_TYPE or not SHAPE_UINT <= token.shape <= SHAPE_FLOAT:
        retry_wrong(out, part, BAD_TYPE)
    elif part == RETRY_JITTER:
        retry_jitter(out, real(token))
    else:
        retry_ms(out, part, whole(token))


cdef void msgpack_retry(const uint8_t* at, const uint8_t* end, RetryGiven* out) noexcept nogil:
    cdef Reader reader = Reader(at, end, 0, -1, False)
    cdef Token token
    cdef RetryPart part
    cdef const uint8_t* body
    cdef uint64_t pairs
    retry_begin(out)
    reader.at = token_read(at, end, &token)
    pairs = token.number
    while pairs:
        pairs -= 1
        body = token_read(reader.at, end, &token)
        part = retry_part(body, token.number)
        reader.at = body + token.number
        body = token_read(reader.at, end, &token)
        if part != RETRY_NO_PART and token.shape != SHAPE_NIL and retry_open(out, part):
            part_read(part, &token, body, out)
        value_skip(&reader)
    retry_end(out)


cdef uint8_t* msgpack_retry_put(uint8_t* at, const RetryPolicy* policy) noexcept nogil:
    cdef const char* type = retry_type_name(policy.type)
    cdef double jitter = <double>policy.jitter / MILLION
    cdef uint64_t bits
    memcpy(&bits, &jitter, sizeof(bits))
    at = put_text(put_key(put_byte(at, 0x84), "type"), type, <uint32_t>strlen(type))
    at = put_uint(put_key(at, "delay"), policy.delay)
    at = put_uint(put_key(at, "max"), policy.max)
    at = put_byte(put_key(at, "jitter"), 0xCB)
    store_be64(at, bits)
    return at + 8
