"""Latencies in logarithmic buckets, with percentiles."""
cimport cython
from flashq._bench.histogram cimport BUCKETS, EXACT, PER_OCTAVE, buckets_add
from libc.math cimport ceil


cdef uint64_t upper_bound(uint32_t place) noexcept nogil:
    """The greatest number of nanoseconds that counts in bucket `place`."""
    cdef uint32_t octave, step
    if place < EXACT:
        return place
    octave = (place - EXACT) // PER_OCTAVE + 6
    step = (place - EXACT) % PER_OCTAVE
    return ((<uint64_t>(PER_OCTAVE + step + 1)) << (octave - 5)) - 1


@cython.final
cdef class Histogram:
    """Counts of latencies; nanoseconds in and out."""

    def add(self, uint64_t ns):
        """Count one latency."""
        buckets_add(&self.buckets, ns)

    def percentile(self, double percent):
        """Nanoseconds that `percent` of the latencies did not exceed, at most 3 % too high; 0 when there are none."""
        cdef uint64_t wanted, seen = 0
        cdef uint32_t place
        if not 0.0 < percent <= 100.0:
            raise ValueError("percent must be above 0 and at most 100")
        wanted = <uint64_t>ceil(percent / 100.0 * <double>self.buckets.count)
        for place in range(<uint32_t>BUCKETS):
            seen += self.buckets.counts[place]
            if seen >= wanted and seen > 0:
                # The last bucket is open upwards: only the maximum is known there.
                if place == <uint32_t>BUCKETS - 1:
                    break
                return min(upper_bound(place), self.buckets.max_ns)
        return self.buckets.max_ns

    @property
    def count(self):
        """How many latencies were counted."""
        return self.buckets.count

    @property
    def mean_ns(self):
        """The exact mean, 0.0 when there are none."""
        return <double>self.buckets.total_ns / <double>self.buckets.count if self.buckets.count else 0.0

    @property
    def max_ns(self):
        """The exact maximum, 0 when there are none."""
        return self.buckets.max_ns
