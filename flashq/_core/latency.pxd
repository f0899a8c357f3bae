"""How long something took lately: counted by the logarithm of the time, so each queue needs a fixed room for it."""
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    BUCKETS = 64                # two an octave from 2 ms on: the last one ends at 2^32 ms, 49 days
    LONGEST = 0xFFFFFFFF        # ms; what took longer counts as this
    HALF_MS = 60000             # counts are kept for one to two of these
    PERCENTS_SIZE = 3           # 50, 95 and 99

cdef struct Latency:            # all zero is empty
    uint64_t turn_at            # monotonic ms: then the older half is emptied, and goes on as the newer one
    uint64_t since              # of the last time that was counted: those of a batch are all alike
    uint64_t until              # likewise
    uint32_t place              # likewise: where in `counts`
    uint32_t half               # which half is the newer one: 0 or 1
    uint32_t[2 * BUCKETS] counts

cdef struct Spread:             # of several Latency together
    uint64_t count
    uint64_t[BUCKETS] counts

cdef void latency_find(Latency* of, uint64_t mono, uint64_t since, uint64_t until) noexcept nogil   # sets `place`
cdef void spread_add(Spread* to, Latency* of, uint64_t mono) noexcept nogil
# ms that 50, 95 and 99 % took at most, within a quarter of the true value, exact up to 3. Something was counted.
cdef void spread_percentiles(const Spread* of, double[PERCENTS_SIZE] out) noexcept nogil

cdef inline void latency_add(Latency* of, uint64_t mono, uint64_t since, uint64_t until) noexcept nogil:
    """Count the time between two times of one clock; nothing passed when that was set back meanwhile."""
    if since != of.since or until != of.until:
        latency_find(of, mono, since, until)
    of.counts[of.place] += 1
