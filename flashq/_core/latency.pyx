"""Percentiles of how long something took in the last one to two minutes."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset


cdef extern from * nogil:
    int clz64 "__builtin_clzll"(unsigned long long value)


cdef uint32_t bucket_of(uint64_t ms) noexcept nogil:
    cdef uint32_t octave
    if ms < 2:
        return <uint32_t>ms
    if ms > <uint64_t>LONGEST:
        ms = <uint64_t>LONGEST
    octave = <uint32_t>(63 - clz64(ms))
    return octave * 2 + <uint32_t>(ms >> (octave - 1) & 1)


cdef inline void latency_turn(Latency* of, uint64_t mono) noexcept nogil:
    """The older half goes, if it is time; both, when nothing was counted for so long."""
    if mono < of.turn_at:
        return
    if mono >= of.turn_at + HALF_MS:
        memset(of.counts, 0, sizeof(of.counts))
    of.half ^= 1
    memset(&of.counts[of.half * BUCKETS], 0, BUCKETS * sizeof(of.counts[0]))
    of.turn_at = (mono // HALF_MS + 1) * HALF_MS     # at the same times in all queues, so that they can be added


cdef void latency_find(Latency* of, uint64_t mono, uint64_t since, uint64_t until) noexcept nogil:
    latency_turn(of, mono)
    of.since, of.until = since, until
    of.place = of.half * BUCKETS + bucket_of(until - since if until > since else 0)


cdef void spread_add(Spread* to, Latency* of, uint64_t mono) noexcept nogil:
    cdef uint32_t i, count
    if mono >= of.turn_at + HALF_MS:
        return                          # nothing was counted for so long: most queues of many
    latency_turn(of, mono)
    for i in range(<uint32_t>BUCKETS):
        count = of.counts[i] + of.counts[BUCKETS + i]
        to.counts[i] += count
        to.count += count


cdef inline double middle_of(uint32_t bucket) noexcept nogil:
    """ms: halfway between the least and the greatest that count in it."""
    cdef uint32_t octave = bucket // 2
    cdef uint64_t least
    if bucket < 4:
        return bucket
    least = <uint64_t>(2 | (bucket & 1)) << (octave - 1)
    return <double>least + <double>((<uint64_t>1 << (octave - 1)) - 1) / 2


cdef void spread_percentiles(const Spread* of, double[PERCENTS_SIZE] out) noexcept nogil:
    cdef double[PERCENTS_SIZE] percents = [50, 95, 99]
    cdef uint64_t seen = 0
    cdef uint32_t i = 0, at
    for at in range(<uint32_t>PERCENTS_SIZE):
        while i < BUCKETS and <double>(seen + of.counts[i]) < percents[at] / 100 * <double>of.count:
            seen += of.counts[i]
            i += 1
        out[at] = middle_of(i)
