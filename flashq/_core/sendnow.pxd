"""Mirror of include/flashq/sendnow.h."""

cdef extern from "flashq/sendnow.h" nogil:
    size_t send_now "flashq_send_now"(int fd, const void* data, size_t size)
