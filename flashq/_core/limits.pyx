"""Rate limit as a token bucket that holds one second's worth and starts full; concurrency as the real active count."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.heap cimport heap_move, heap_push
from flashq._core.queue cimport deadline_lower
from flashq._core.state cimport NEVER, NO_LIMIT


cdef void refill(Core* core, Queue* queue) noexcept nogil:
    cdef uint64_t passed = core.mono - queue.rate_filled
    cdef uint64_t most = queue.rate_limit * TOKEN
    queue.rate_filled = core.mono
    if passed >= TOKEN or queue.rate_tokens + passed * queue.rate_limit >= most:
        queue.rate_tokens = most
    else:
        queue.rate_tokens += passed * queue.rate_limit


cdef uint32_t queue_room(Core* core, Queue* queue, uint32_t wanted) noexcept nogil:
    cdef uint64_t room = wanted
    if queue.paused:
        return 0
    if queue.concurrency_limit != <uint64_t>NO_LIMIT:
        if queue.active.count >= queue.concurrency_limit:
            return 0
        room = min(room, queue.concurrency_limit - queue.active.count)
    if queue.rate_limit != <uint64_t>NO_LIMIT:
        refill(core, queue)
        room = min(room, queue.rate_tokens // TOKEN)
    return <uint32_t>room


cdef void queue_spent(Queue* queue, uint32_t delivered) noexcept nogil:
    if queue.rate_limit != <uint64_t>NO_LIMIT:
        queue.rate_tokens -= <uint64_t>delivered * TOKEN


cdef uint64_t queue_token_in(Core* core, Queue* queue) noexcept nogil:
    refill(core, queue)
    if queue.rate_limit == 0:
        return <uint64_t>NEVER
    if queue.rate_tokens >= TOKEN:
        return 0
    return (TOKEN - queue.rate_tokens + queue.rate_limit - 1) // queue.rate_limit


cdef void queue_await_token(Core* core, Queue* queue) noexcept nogil:
    cdef uint64_t when
    if queue.rate_limit == <uint64_t>NO_LIMIT or queue.rate_limit == 0 or queue.rate_tokens >= TOKEN:
        return                              # what it waits for is no token
    when = core.mono + queue_token_in(core, queue)
    if queue.timer.node.pos:
        heap_move(&core.timers, &queue.timer.node, when, 0)
    else:
        heap_push(&core.timers, when, 0, &queue.timer.node)     # without memory the next command tries again
    deadline_lower(core, when)


cdef void rate_set(Core* core, Queue* queue, uint64_t per_second) noexcept nogil:
    queue.rate_limit = per_second
    queue.rate_filled = core.mono
    queue.rate_tokens = 0 if per_second == <uint64_t>NO_LIMIT else per_second * TOKEN
