/* First byte of interest in a run of text: 16 bytes a step with SSE2 (part of x86-64) or NEON (part of arm64).
 *
 * A step may read past `end`, but never into another page than the last byte's, so it cannot fault; what it finds
 * there is not reported. AddressSanitizer counts that as a fault, so builds with it go byte by byte. */
#ifndef FLASHQ_SCAN_H
#define FLASHQ_SCAN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SCAN_EXACT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCAN_EXACT 1
#endif
#endif

#if !defined(SCAN_EXACT) && defined(__SSE2__)
#define SCAN_STEP 16
#include <emmintrin.h>

/* Bit i: byte i is a quote, a backslash, a control character or not ASCII. */
static inline uint32_t scan_text_mask(const uint8_t *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i hit = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)); /* signed: also everything from 0x80 on */
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (uint32_t)_mm_movemask_epi8(hit);
}

/* Bit i: byte i is no digit. */
static inline uint32_t scan_digits_mask(const uint8_t *p)
{
    __m128i v = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8('0'));
    __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v);
    return (uint32_t)_mm_movemask_epi8(digit) ^ 0xFFFFu;
}

static inline uint32_t scan_high_mask(const uint8_t *p)
{
    return (uint32_t)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)p));
}

#define SCAN_INDEX(mask) __builtin_ctz(mask)
typedef uint32_t scan_mask;

#elif !defined(SCAN_EXACT) && defined(__aarch64__)
#define SCAN_STEP 16
#include <arm_neon.h>

/* Four bits a byte: NEON has no movemask, a narrowing shift comes closest. */
static inline uint64_t scan_nibbles(uint8x16_t hit)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

static inline uint64_t scan_text_mask(const uint8_t *p)
{
    uint8x16_t v = vld1q_u8(p);
    uint8x16_t hit = vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)), vcgeq_u8(v, vdupq_n_u8(0x80)));
    hit = vorrq_u8(hit, vceqq_u8(v, vdupq_n_u8('"')));
    return scan_nibbles(vorrq_u8(hit, vceqq_u8(v, vdupq_n_u8('\\'))));
}

static inline uint64_t scan_digits_mask(const uint8_t *p)
{
    return scan_nibbles(vcgtq_u8(vsubq_u8(vld1q_u8(p), vdupq_n_u8('0')), vdupq_n_u8(9)));
}

static inline uint64_t scan_high_mask(const uint8_t *p)
{
    return scan_nibbles(vcgeq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
}

#define SCAN_INDEX(mask) (__builtin_ctzll(mask) >> 2)
typedef uint64_t scan_mask;
#endif

#ifdef SCAN_STEP
#define SCAN_STEPS(mask_of)                                                          \
    while (p < end && ((size_t)(end - p) >= SCAN_STEP ||                             \
                       ((uintptr_t)p & 4095) <= 4096 - SCAN_STEP)) {                 \
        scan_mask mask = mask_of(p);                                                 \
        if (mask) {                                                                  \
            p += SCAN_INDEX(mask);                                                   \
            return p < end ? p : end;                                                \
        }                                                                            \
        if ((size_t)(end - p) <= SCAN_STEP)                                          \
            return end;                                                              \
        p += SCAN_STEP;                                                              \
    }
#else
#define SCAN_STEPS(mask_of)
#endif

/* The first byte from `p` on that is a quote, a backslash, a control character or not ASCII; `end` if there is none. */
static inline const uint8_t *scan_text(const uint8_t *p, const uint8_t *end)
{
    SCAN_STEPS(scan_text_mask)
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* The first byte from `p` on that is no decimal digit; `end` if there is none. */
static inline const uint8_t *scan_digits(const uint8_t *p, const uint8_t *end)
{
    SCAN_STEPS(scan_digits_mask)
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* The first byte from `p` on that is not ASCII; `end` if there is none. */
static inline const uint8_t *scan_ascii(const uint8_t *p, const uint8_t *end)
{
    SCAN_STEPS(scan_high_mask)
    while (p < end && *p < 0x80)
        p++;
    return p;
}

/* Bytes of the well-formed UTF-8 sequence of two to four bytes at `p` (p < end); 0 if there is none.
 * Table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing past U+10FFFF. */
static inline size_t scan_sequence(const uint8_t *p, const uint8_t *end)
{
    size_t room = (size_t)(end - p);
    uint8_t lead = *p, low = 0x80, high = 0xBF;
    size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (lead < 0xC2 || lead > 0xF4 || room < size)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

#endif
