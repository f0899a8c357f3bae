"""Latencies in logarithmic buckets: 32 to the octave, so a percentile is at most 3 % above the true value."""
cimport cython
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    EXACT = 64                  # below this every nanosecond has its own bucket
    PER_OCTAVE = 32
    BUCKETS = 64 + 32 * 35      # up to 2^41 ns, 36 minutes; longer ones count in the last bucket

cdef extern from *:
    int __builtin_clzll(unsigned long long value) noexcept nogil

cdef struct Buckets:            # all zero is empty
    uint64_t[64 + 32 * 35] counts
    uint64_t count
    uint64_t total_ns
    uint64_t max_ns

cdef inline uint32_t bucket_of(uint64_t ns) noexcept nogil:
    cdef uint32_t octave, place
    if ns < EXACT:
        return <uint32_t>ns
    octave = <uint32_t>(63 - __builtin_clzll(ns))           # 6 and more
    place = EXACT + (octave - 6) * PER_OCTAVE + (<uint32_t>(ns >> (octave - 5)) - PER_OCTAVE)
    if place >= <uint32_t>BUCKETS:
        place = <uint32_t>BUCKETS - 1
    return place

cdef inline void buckets_add(Buckets* buckets, uint64_t ns) noexcept nogil:
    buckets.counts[bucket_of(ns)] += 1
    buckets.count += 1
    buckets.total_ns += ns
    if ns > buckets.max_ns:
        buckets.max_ns = ns


@cython.final
cdef class Histogram:
    cdef Buckets buckets
