"""Mirror of include/flashq/crc32c.h."""
from libc.stdint cimport uint32_t

cdef extern from "flashq/crc32c.h" nogil:
    uint32_t crc32c "fq_crc32c"(uint32_t crc, const void* data, size_t size) noexcept
    uint32_t crc32c_by_table "fq_crc_by_table"(uint32_t crc, const unsigned char* data, size_t size) noexcept
