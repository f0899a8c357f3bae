"""What holds a queue back: pause, its concurrency limit, its rate limit. Tokens are spent by deliveries alone."""
from flashq._core.state cimport Bucket, Core, Queue
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    TOKEN = 1000                # one delivery; a limit of n a second adds n of these a millisecond

cdef uint32_t queue_room(Core* core, Queue* queue, uint32_t wanted) noexcept nogil     # jobs it may deliver now
cdef void queue_spent(Queue* queue, uint32_t delivered) noexcept nogil
cdef void queue_await_token(Core* core, Queue* queue) noexcept nogil       # parked pulls: wake them then
cdef void rate_set(Core* core, Queue* queue, uint64_t per_second) noexcept nogil       # NO_LIMIT: none
cdef void bucket_refill(Core* core, Bucket* bucket, uint64_t limit) noexcept nogil     # up to now; limit: jobs a second
# ms until so many tokens are there, as of its last refill; 2^64-1: never.
cdef uint64_t bucket_wait(const Bucket* bucket, uint64_t limit, uint64_t wanted) noexcept nogil
cdef uint64_t queue_token_in(Core* core, Queue* queue) noexcept nogil
# ^ ms until a rate-limited queue has a token: 0 when it has one, 2^64-1 when its limit is 0
