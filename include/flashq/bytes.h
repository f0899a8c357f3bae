/* Big-endian numbers and ASCII in raw memory. No function reads past the bytes it was told of. */
#ifndef FLASHQ_BYTES_H
#define FLASHQ_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FQ_BE16(x) __builtin_bswap16(x)
#define FQ_BE32(x) __builtin_bswap32(x)
#define FQ_BE64(x) __builtin_bswap64(x)
#else
#define FQ_BE16(x) (x)
#define FQ_BE32(x) (x)
#define FQ_BE64(x) (x)
#endif

static inline uint16_t fq_load_be16(const uint8_t *from) {
    uint16_t value;
    memcpy(&value, from, sizeof value);
    return FQ_BE16(value);
}

static inline uint32_t fq_load_be32(const uint8_t *from) {
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return FQ_BE32(value);
}

static inline uint64_t fq_load_be64(const uint8_t *from) {
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return FQ_BE64(value);
}

static inline void fq_store_be16(uint8_t *to, uint16_t value) {
    value = FQ_BE16(value);
    memcpy(to, &value, sizeof value);
}

static inline void fq_store_be32(uint8_t *to, uint32_t value) {
    value = FQ_BE32(value);
    memcpy(to, &value, sizeof value);
}

static inline void fq_store_be64(uint8_t *to, uint64_t value) {
    value = FQ_BE64(value);
    memcpy(to, &value, sizeof value);
}

static inline double fq_load_float(const uint8_t *from) {
    uint32_t bits = fq_load_be32(from);
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static inline double fq_load_double(const uint8_t *from) {
    uint64_t bits = fq_load_be64(from);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define FQ_HIGH_BITS UINT64_C(0x8080808080808080)

/* Whether `size` bytes are ASCII. Up to `readable` >= size bytes may be loaded, which spares short texts a loop. */
static inline int fq_is_ascii(const uint8_t *text, size_t size, size_t readable) {
    uint64_t high = 0;
    for (; size >= 32; text += 32, size -= 32, readable -= 32)
        high |= fq_load_be64(text) | fq_load_be64(text + 8) | fq_load_be64(text + 16) | fq_load_be64(text + 24);
    for (; size >= 8; text += 8, size -= 8, readable -= 8)
        high |= fq_load_be64(text);
    if (size != 0 && readable >= 8)
        high |= fq_load_be64(text) >> (64 - 8 * size);
    else
        for (; size != 0; text++, size--)
            high |= *text;
    return (high & FQ_HIGH_BITS) == 0;
}

#endif
