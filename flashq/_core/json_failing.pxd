"""What a Job says in JSON of how it fails, after the keys that every Job has."""
from flashq._core.job cimport Job
from libc.stdint cimport uint8_t

# Bytes that json_failing_put writes at most. With `history` also the attempts that ended badly.
cdef size_t json_failing_room(const Job* job, bint history) noexcept nogil
cdef uint8_t* json_failing_put(uint8_t* p, const Job* job, bint history) noexcept nogil
