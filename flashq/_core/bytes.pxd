"""Big-endian numbers and ASCII in raw memory; mirrors include/flashq/bytes.h."""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "flashq/bytes.h" nogil:
    uint16_t load_be16 "fq_load_be16"(const uint8_t* source) noexcept
    uint32_t load_be32 "fq_load_be32"(const uint8_t* source) noexcept
    uint64_t load_be64 "fq_load_be64"(const uint8_t* source) noexcept
    double load_float "fq_load_float"(const uint8_t* source) noexcept
    double load_double "fq_load_double"(const uint8_t* source) noexcept
    void store_be16 "fq_store_be16"(uint8_t* target, uint16_t value) noexcept
    void store_be32 "fq_store_be32"(uint8_t* target, uint32_t value) noexcept
    void store_be64 "fq_store_be64"(uint8_t* target, uint64_t value) noexcept
    bint is_ascii "fq_is_ascii"(const uint8_t* text, size_t size, size_t readable) noexcept
