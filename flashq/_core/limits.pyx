"""Rate limit as a token bucket that holds one second's worth and starts full; concurrency as the real active count."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.heap cimport heap_move, heap_push
from flashq._core.queue cimport deadline_lower
from flashq._core.state cimport NEVER, NO_LIMIT


cdef void bucket_refill(Core* core, Bucket* bucket, uint64_t limit) noexcept nogil:
    cdef uint64_t passed = core.mono - bucket.filled
    cdef uint64_t most = limit * TOKEN
    bucket.filled = core.mono
    if passed >= TOKEN or bucket.tokens + passed * limit >= most:
        bucket.tokens = most
    else:
        bucket.tokens += passed * limit


cdef uint64_t bucket_wait(const Bucket* bucket, uint64_t limit, uint64_t wanted) noexcept nogil:
    if bucket.tokens >= wanted:
        return 0
    return <uint64_t>NEVER if limit == 0 else (wanted - bucket.tokens + limit - 1) // limit


cdef uint32_t queue_room(Core* core, Queue* queue, uint32_t wanted) noexcept nogil:
    cdef uint64_t room = wanted
    if queue.paused:
        return 0
    if queue.concurrency_limit != <uint64_t>NO_LIMIT:
        if queue.active.count >= queue.concurrency_limit:
            return 0
        room = min(room, queue.concurrency_limit - queue.active.count)
    if queue.rate_limit != <uint64_t>NO_LIMIT:
        bucket_refill(core, &queue.rate, queue.rate_limit)
        room = min(room, queue.rate.tokens // TOKEN)
    return <uint32_t>room


cdef void queue_spent(Queue* queue, uint32_t delivered) noexcept nogil:
    if queue.rate_limit != <uint64_t>NO_LIMIT:
        queue.rate.tokens -= <uint64_t>delivered * TOKEN


cdef uint64_t queue_token_in(Core* core, Queue* queue) noexcept nogil:
    bucket_refill(core, &queue.rate, queue.rate_limit)
    return bucket_wait(&queue.rate, queue.rate_limit, TOKEN)


cdef void queue_await_token(Core* core, Queue* queue) noexcept nogil:
    cdef uint64_t when
    if queue.rate_limit == <uint64_t>NO_LIMIT or queue.rate_limit == 0 or queue.rate.tokens >= TOKEN:
        return                              # what it waits for is no token
    when = core.mono + queue_token_in(core, queue)
    if queue.timer.node.pos:
        heap_move(&core.timers, &queue.timer.node, when, 0)
    else:
        heap_push(&core.timers, when, 0, &queue.timer.node)     # without memory the next command tries again
    deadline_lower(core, when)


cdef void rate_set(Core* core, Queue* queue, uint64_t per_second) noexcept nogil:
    queue.rate_limit = per_second
    queue.rate.filled = core.mono
    queue.rate.tokens = 0 if per_second == <uint64_t>NO_LIMIT else per_second * TOKEN
