"""What a Job says in MessagePack of how it fails, after the keys that every Job has."""
from flashq._core.job cimport Job
from libc.stdint cimport uint8_t, uint16_t

# Keys and bytes that msgpack_failing_put writes, the bytes at most. With `history` also the attempts that ended badly.
cdef uint16_t msgpack_failing_keys(const Job* job, bint history) noexcept nogil
cdef size_t msgpack_failing_room(const Job* job, bint history) noexcept nogil
cdef uint8_t* msgpack_failing_put(uint8_t* at, const Job* job, bint history) noexcept nogil
