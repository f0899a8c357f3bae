/* CRC-32C (Castagnoli): the processor's instruction where there is one, else eight tables. Mirrored by
 * flashq/storage/journal/crc32c.pxd.
 *
 * `crc` is what was returned for the bytes before, or any number that both sides begin with. */
#ifndef FLASHQ_CRC32C_H
#define FLASHQ_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define FQ_CRC_X86 1
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define FQ_CRC_ARM 1
#include <arm_acle.h>
#endif

#define FQ_CRC_POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

static inline uint64_t fq_crc_load(const uint8_t *from) {
    uint64_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint32_t fq_crc_tables[8][256];

__attribute__((constructor)) static void fq_crc_fill(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ FQ_CRC_POLYNOMIAL : crc >> 1;
        fq_crc_tables[0][byte] = crc;
    }
    for (int table = 1; table < 8; table++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = fq_crc_tables[table - 1][byte];
            fq_crc_tables[table][byte] = fq_crc_tables[0][before & 0xff] ^ before >> 8;
        }
}

/* Eight bytes a step: each table holds what its byte does to a CRC that many bytes on. */
static inline uint32_t fq_crc_by_table(uint32_t crc, const uint8_t *data, size_t size) {
    crc = ~crc;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word = fq_crc_load(data) ^ crc;
        crc = 0;
        for (int at = 0; at < 8; at++)
            crc ^= fq_crc_tables[7 - at][word >> 8 * at & 0xff];
    }
    for (; size != 0; data++, size--)
        crc = fq_crc_tables[0][(crc ^ *data) & 0xff] ^ crc >> 8;
    return ~crc;
}

#if FQ_CRC_X86
/* What FQ_CRC_STRIDE bytes of zeros behind it do to a CRC, by each of its bytes. */
#define FQ_CRC_STRIDE 512

static uint32_t fq_crc_strides[4][256];

__attribute__((constructor)) static void fq_crc_fill_strides(void) {
    uint32_t by_bit[32];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = UINT32_C(1) << bit;
        for (int zero = 0; zero < FQ_CRC_STRIDE * 8; zero++)
            crc = crc & 1 ? crc >> 1 ^ FQ_CRC_POLYNOMIAL : crc >> 1;
        by_bit[bit] = crc;
    }
    for (int place = 0; place < 4; place++)
        for (uint32_t byte = 0; byte < 256; byte++)
            for (int bit = 0; bit < 8; bit++)
                if (byte >> bit & 1)
                    fq_crc_strides[place][byte] ^= by_bit[8 * place + bit];
}

static inline uint32_t fq_crc_stride(uint32_t crc) {
    return fq_crc_strides[0][crc & 0xff] ^ fq_crc_strides[1][crc >> 8 & 0xff] ^ fq_crc_strides[2][crc >> 16 & 0xff] ^
           fq_crc_strides[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static inline uint32_t fq_crc_by_cpu(uint32_t crc, const uint8_t *data, size_t size) {
    uint64_t wide = ~crc;
    /* The instruction takes three cycles and can begin in each: so three places at once. */
    for (; size >= 3 * FQ_CRC_STRIDE; data += 3 * FQ_CRC_STRIDE, size -= 3 * FQ_CRC_STRIDE) {
        uint64_t second = 0, third = 0;
        for (const uint8_t *at = data; at < data + FQ_CRC_STRIDE; at += 8) {
            wide = _mm_crc32_u64(wide, fq_crc_load(at));
            second = _mm_crc32_u64(second, fq_crc_load(at + FQ_CRC_STRIDE));
            third = _mm_crc32_u64(third, fq_crc_load(at + 2 * FQ_CRC_STRIDE));
        }
        wide = fq_crc_stride(fq_crc_stride((uint32_t)wide) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    for (; size >= 8; data += 8, size -= 8)
        wide = _mm_crc32_u64(wide, fq_crc_load(data));
    for (; size != 0; data++, size--)
        wide = _mm_crc32_u8((uint32_t)wide, *data);
    return ~(uint32_t)wide;
}

static inline int fq_crc_has_cpu(void) { return __builtin_cpu_supports("sse4.2"); }
#elif FQ_CRC_ARM
static inline uint32_t fq_crc_by_cpu(uint32_t crc, const uint8_t *data, size_t size) {
    crc = ~crc;
    for (; size >= 8; data += 8, size -= 8)
        crc = __crc32cd(crc, fq_crc_load(data));
    for (; size != 0; data++, size--)
        crc = __crc32cb(crc, *data);
    return ~crc;
}

static inline int fq_crc_has_cpu(void) { return 1; }
#else
static inline uint32_t fq_crc_by_cpu(uint32_t crc, const uint8_t *data, size_t size) {
    return fq_crc_by_table(crc, data, size);
}

static inline int fq_crc_has_cpu(void) { return 0; }
#endif

static inline uint32_t fq_crc32c(uint32_t crc, const void *data, size_t size) {
    return fq_crc_has_cpu() ? fq_crc_by_cpu(crc, (const uint8_t *)data, size)
                            : fq_crc_by_table(crc, (const uint8_t *)data, size);
}

#endif
