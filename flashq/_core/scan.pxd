"""include/flashq/scan.h: the first byte of interest in a run of text, by SIMD."""
from libc.stdint cimport uint8_t

cdef extern from "flashq/scan.h" nogil:
    # The first byte in [p, end) that ends a run, or `end`.
    const uint8_t* scan_text(const uint8_t* p, const uint8_t* end) noexcept     # ends at " \ control, not ASCII
    const uint8_t* scan_digits(const uint8_t* p, const uint8_t* end) noexcept   # ends at anything else
    const uint8_t* scan_ascii(const uint8_t* p, const uint8_t* end) noexcept    # ends at the first byte over 0x7F
    # Bytes of the well-formed UTF-8 sequence at p (p < end, p[0] over 0x7F); 0 if it is malformed or cut.
    size_t scan_sequence(const uint8_t* p, const uint8_t* end) noexcept
