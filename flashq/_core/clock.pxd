"""The clocks, read once an event by the connection and the hub; the engine gets times as arguments."""
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef inline unsigned long long clock_wall_ms() noexcept nogil:
    """ms since 1970."""
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <unsigned long long>now.tv_sec * 1000 + <unsigned long long>now.tv_nsec // 1000000

cdef inline unsigned long long clock_mono_ms() noexcept nogil:
    """ms of a clock that is never set back."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <unsigned long long>now.tv_sec * 1000 + <unsigned long long>now.tv_nsec // 1000000
