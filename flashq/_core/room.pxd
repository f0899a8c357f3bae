"""Whether there is room for what adds data: in memory, and where the store keeps it."""
from flashq._core.state cimport Core
from flashq._core.status cimport DISK_FULL, MEMORY_FULL, OK

cdef inline int room_check(const Core* core) noexcept nogil:
    """OK, or MEMORY_FULL (number = Limits.memory), DISK_FULL."""
    if core.memory.used > core.limits.memory:
        return MEMORY_FULL
    return DISK_FULL if core.full else OK
