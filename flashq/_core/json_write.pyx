"""The pieces of JSON that need more than an inline body: long numbers and texts with escapes."""
from flashq._core.scan cimport scan_text

cdef struct Stamp:
    uint64_t value
    uint8_t[16] digits
    uint32_t size

cdef Stamp[8] STAMPS            # by the lowest bits of the value
cdef Stamp UPPER                # what stood above the last eight digits of the long number written last


cdef const char* DIGITS = (
    b"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    b"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    b"8081828384858687888990919293949596979899"
)
cdef const uint8_t* HEX = <const uint8_t*>b"0123456789abcdef"


cdef inline void _pair_put(uint8_t* out, uint32_t value) noexcept nogil:
    memcpy(out, DIGITS + 2 * value, 2)


cdef inline uint8_t* _eight_put(uint8_t* out, uint32_t value) noexcept nogil:
    """Exactly eight digits: four divisions that do not wait for each other."""
    cdef uint32_t high = value // 10000
    cdef uint32_t low = value % 10000
    _pair_put(out, high // 100)
    _pair_put(out + 2, high % 100)
    _pair_put(out + 4, low // 100)
    _pair_put(out + 6, low % 100)
    return out + 8


cdef inline uint8_t* _short_put(uint8_t* out, uint32_t value) noexcept nogil:
    """Below 10^8, without leading zeros; of the 8 bytes written, those behind the digits are of no account."""
    cdef uint8_t[16] digits
    cdef uint32_t size = 1
    cdef uint32_t bound = 10
    while value >= bound and size < 8:
        bound *= 10
        size += 1
    _eight_put(digits, value)
    memcpy(out, digits + 8 - size, 8)       # a size the compiler knows: one move
    return out + size


cdef uint8_t* u64_long(uint8_t* out, uint64_t value) noexcept nogil:
    cdef uint64_t unit = 100000000
    cdef uint64_t high = value // unit
    cdef uint8_t* end
    if high == 0:
        return _short_put(out, <uint32_t>value)
    if high != UPPER.value:                 # ids and tokens of a batch differ in their last digits only
        UPPER.value = high
        if high < unit:
            end = _short_put(UPPER.digits, <uint32_t>high)
        else:
            end = _short_put(UPPER.digits, <uint32_t>(high // unit))
            end = _eight_put(end, <uint32_t>(high % unit))
        UPPER.size = <uint32_t>(end - UPPER.digits)
    memcpy(out, UPPER.digits, sizeof(UPPER.digits))
    return _eight_put(out + UPPER.size, <uint32_t>(value - high * unit))


cdef uint8_t* stamp_put(uint8_t* out, uint64_t value) noexcept nogil:
    cdef Stamp* stamp = &STAMPS[value & 7]
    if value < 10 or value >> 53:
        return u64_put(out, value)
    if stamp.value != value:
        stamp.size = <uint32_t>(u64_long(stamp.digits, value) - stamp.digits)
        stamp.value = value
    memcpy(out, stamp.digits, sizeof(stamp.digits))
    return out + stamp.size


cdef uint8_t* text_escape(uint8_t* out, const uint8_t* text, uint32_t size) noexcept nogil:
    """The body of a string: quotes, backslashes and control characters escaped, the rest as it is."""
    cdef const uint8_t* end = text + size
    cdef const uint8_t* stop
    while True:
        stop = scan_text(text, end)
        while stop < end and stop[0] >= 0x80:
            stop += 1
        if stop > text:
            memcpy(out, text, <size_t>(stop - text))
            out += stop - text
        if stop == end:
            return out
        text = stop
        if text[0] == c'"' or text[0] == c'\\' or text[0] < 0x20:
            out = _escape_put(out, text[0])
            text += 1


cdef uint8_t* _escape_put(uint8_t* out, uint8_t c) noexcept nogil:
    cdef const uint8_t* short_names = <const uint8_t*>b"btn?fr"     # of the characters 8 to 13; 11 has none
    out[0] = c'\\'
    if c >= 0x20:
        out[1] = c
        return out + 2
    if 8 <= c <= 13 and c != 11:
        out[1] = short_names[c - 8]
        return out + 2
    memcpy(out + 1, b"u00", 3)
    out[4] = HEX[c >> 4]
    out[5] = HEX[c & 15]
    return out + 6
