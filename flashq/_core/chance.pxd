"""Chance: the engine's one generator of random numbers, so that the same seed and inputs give the same jitter."""
from flashq._core.state cimport Core
from libc.stdint cimport uint64_t

cdef inline void chance_seed(Core* core, uint64_t seed) noexcept nogil:
    """Spread, because the first numbers of a seed with few bits have few bits as well."""
    core.chance = (seed | 1) * 0x9E3779B97F4A7C15ULL

cdef inline uint64_t chance_below(Core* core, uint64_t end) noexcept nogil:
    """A number from 0 to `end` - 1 (`end` not 0), uniform to one part in 2^64 / `end`.

    xorshift64*, of S. Vigna, An experimental exploration of Marsaglia's xorshift generators, scrambled (2016).
    """
    core.chance ^= core.chance >> 12
    core.chance ^= core.chance << 25
    core.chance ^= core.chance >> 27
    return (core.chance * 0x2545F4914F6CDD1DULL) % end
