"""Numbers as JSON spells them."""
from flashq._core.json_grammar cimport Reader
from libc.stdint cimport uint8_t, uint64_t

cdef struct Number:             # of a token that the grammar accepted
    uint64_t value              # magnitude, rounded down; 2^64-1 when it is larger
    bint negative               # a minus sign before anything but zero
    bint fraction               # rounding down took something away

# Past the number at `p` (a digit or a minus sign stands there), or NULL.
cdef const uint8_t* number_skip(Reader* r, const uint8_t* p) noexcept nogil
# The value of the token from `p` to `end`, which number_skip accepted.
cdef void number_read(const uint8_t* p, const uint8_t* end, Number* out) noexcept nogil
