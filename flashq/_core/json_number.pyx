"""Numbers as JSON spells them: where they end, whether a double can hold them, and their exact integer value."""
from flashq._core.json_grammar cimport reader_fail
from flashq._core.scan cimport scan_digits
from flashq._core.status cimport BAD_SYNTAX
from libc.stdint cimport UINT64_MAX, int64_t

cdef enum:
    PLAIN_DIGITS = 300          # this many digits without an exponent are below 1e308
    HALF_SIZE = 309
    FAR = 1000000               # exponents are cut off here: beyond any number of digits that could balance them

# 2^1024 - 2^970: from here on a decimal number rounds to infinity (IEEE 754, round half to even).
cdef const char* HALF = (
    b"179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330"
    b"286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069"
    b"855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792"
)


cdef const uint8_t* number_skip(Reader* r, const uint8_t* p) noexcept nogil:
    cdef const uint8_t* start = p
    if p[0] == c'-':
        p += 1
    if p < r.end and p[0] == c'0':
        p += 1
    elif p < r.end and c'1' <= p[0] <= c'9':
        p = scan_digits(p, r.end)
    else:
        return reader_fail(r, p, BAD_SYNTAX)
    if p < r.end and (p[0] == c'.' or p[0] | 0x20 == c'e') or p - start > PLAIN_DIGITS:
        return _number_rest(r, start, p)
    return p


cdef const uint8_t* _number_rest(Reader* r, const uint8_t* start, const uint8_t* p) noexcept nogil:
    """The fraction and the exponent, and whether a double can hold it all."""
    cdef bint exponent = False
    if p < r.end and p[0] == c'.':
        p += 1
        if p == r.end or not c'0' <= p[0] <= c'9':
            return reader_fail(r, p, BAD_SYNTAX)
        p = scan_digits(p, r.end)
    if p < r.end and p[0] | 0x20 == c'e':
        exponent = True
        p += 1
        if p < r.end and (p[0] == c'+' or p[0] == c'-'):
            p += 1
        if p == r.end or not c'0' <= p[0] <= c'9':
            return reader_fail(r, p, BAD_SYNTAX)
        p = scan_digits(p, r.end)
    if (exponent or p - start > PLAIN_DIGITS) and _is_infinite(start, p):
        return reader_fail(r, start, BAD_SYNTAX)
    return p


cdef int64_t _exponent(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """The exponent of a number token, cut off at FAR; 0 if it has none."""
    cdef int64_t value = 0
    cdef bint negative
    while p < end and p[0] | 0x20 != c'e':
        p += 1
    if p == end:
        return 0
    p += 1
    negative = p[0] == c'-'
    while p < end:
        if c'0' <= p[0] <= c'9' and value < FAR * 1000:
            value = value * 10 + p[0] - c'0'
        p += 1
    return -value if negative else value


cdef bint _is_infinite(const uint8_t* start, const uint8_t* end) noexcept nogil:
    """Whether a number token rounds to an infinite double."""
    cdef int64_t whole = _exponent(start, end)      # digits before the point, from the first that is not 0
    cdef const uint8_t* p = start
    cdef bint point = False
    while p < end and p[0] | 0x20 != c'e' and not c'1' <= p[0] <= c'9':
        if p[0] == c'.':
            point = True
        elif point:
            whole -= 1
        p += 1
    if p == end or p[0] | 0x20 == c'e':
        return False                                # it is zero
    start = p
    while not point and p < end and c'0' <= p[0] <= c'9':
        whole += 1
        p += 1
    return _half_reached(start, end) if whole == HALF_SIZE else whole > HALF_SIZE


cdef bint _half_reached(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Whether the digits from `p` on, the first of them not 0, are those of HALF or more."""
    cdef int k = 0
    while k < HALF_SIZE and p < end and p[0] | 0x20 != c'e':
        if p[0] != c'.':
            if p[0] != HALF[k]:
                return p[0] > HALF[k]
            k += 1
        p += 1
    while k < HALF_SIZE and HALF[k] == c'0':
        k += 1
    return k == HALF_SIZE


cdef void number_read(const uint8_t* p, const uint8_t* end, Number* out) noexcept nogil:
    """Exactly: the exponent moves the point over the decimal digits, no double is involved."""
    cdef int64_t whole = _exponent(p, end)          # digits before the moved point
    cdef const uint8_t* q = p
    while q < end and (c'0' <= q[0] <= c'9' or q[0] == c'-'):
        whole += q[0] != c'-'
        q += 1
    out.value = 0
    out.fraction = False
    out.negative = p[0] == c'-'
    while p < end and p[0] | 0x20 != c'e':
        if c'0' <= p[0] <= c'9':
            if whole > 0:
                _digit_add(out, p[0] - c'0')
            else:
                out.fraction |= p[0] != c'0'
            whole -= 1
        p += 1
    while whole > 0 and out.value != 0 and out.value < UINT64_MAX:
        _digit_add(out, 0)
        whole -= 1
    out.negative &= out.value != 0 or out.fraction


cdef void _digit_add(Number* number, int digit) noexcept nogil:
    if number.value > (UINT64_MAX - 9) // 10:
        number.value = UINT64_MAX
    else:
        number.value = number.value * 10 + <uint64_t>digit
