"""The last PUSH's beginning: a frame that differs from it in the payload alone need not be looked up word by word."""
from flashq._core.request cimport Request
from flashq._core.scratch cimport Scratch
from libc.stdint cimport uint8_t

# Whether the frame has the shape last learnt; then `request` is what a scan would have made of it.
cdef bint shape_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil
cdef void shape_learn(Scratch* scratch, const uint8_t* frame, size_t size, const Request* request) noexcept nogil
