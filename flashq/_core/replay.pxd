"""What stands in frames of records, whoever reads them."""
from flashq._core.recordfields cimport Frame
from libc.stdint cimport uint8_t

# The frame at a byte of `data`, whose end is at `size`; at < size. Raises DamagedRecord where it is not whole.
cdef int frame_open(const uint8_t* data, size_t size, size_t at, Frame* frame) except -1
