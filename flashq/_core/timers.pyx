"""Due work in slices, so that a million jobs due at once stop nobody for long."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.bulk cimport graves_empty
from flashq._core.edges cimport awaited_tell
from flashq._core.groups cimport group_due, groups_pass
from flashq._core.heap cimport Entry, HeapNode, heap_first, heap_remove
from flashq._core.job cimport Job
from flashq._core.lifecycle cimport LIMBO_RETRY_MS, job_due, limbo_retry
from flashq._core.queue cimport QUEUE_IDLE_MS, QUEUE_SWEEP, deadline_lower, queue_sweep, queue_wants_service
from flashq._core.pushkeys cimport push_key_end
from flashq._core.records cimport record_frame_end
from flashq._core.relations cimport debounce_end
from flashq._core.reservations cimport owner_due
from flashq._core.retention cimport done_trim
from flashq._core.shardmap cimport SHARDS
from flashq._core.slab cimport CACHED_PAGES, memory_decay, memory_window
from flashq._core.state cimport (
    NEVER, NODE_DEBOUNCE, NODE_GROUP, NODE_PUSH_KEY, NODE_QUEUE, NODE_WAITER, Debounce, Group, Owner, PushKey,
    QueueTimer, Waiter,
)
from flashq._core.waiters cimport waiter_answer_empty, waiters_serve


cdef inline bint due(Core* core, Entry* first) noexcept nogil:
    return first != NULL and first.key <= core.mono


cdef uint32_t run_shard(Core* core, uint32_t shard, uint32_t budget) noexcept nogil:
    """Jobs of one shard whose time has come; the budget left."""
    cdef Entry* first
    while budget > 0:
        first = heap_first(&core.shards[shard].timers)
        if not due(core, first):
            break
        budget -= 1
        job_due(core, <Job*>first.node)     # the timer node is the job's first member
        waiters_serve(core)
        record_frame_end(core)
    return budget


cdef uint32_t run_engine(Core* core, uint32_t budget) noexcept nogil:
    """Parked pulls and owners whose time has come; the budget left."""
    cdef Entry* first
    cdef HeapNode* node
    while budget > 0:
        first = heap_first(&core.timers)
        if not due(core, first):
            break
        node = first.node
        if node.kind == NODE_WAITER:
            budget -= 1
            waiter_answer_empty(core, <Waiter*>node)
        elif node.kind == NODE_DEBOUNCE:
            budget -= 1
            debounce_end(core, <Debounce*>node)
        elif node.kind == NODE_GROUP:
            budget -= 1
            group_due(core, <Group*>node)
            waiters_serve(core)
            record_frame_end(core)
        elif node.kind == NODE_PUSH_KEY:
            budget -= 1
            push_key_end(core, <PushKey*>node)
        elif node.kind == NODE_QUEUE:
            budget -= 1
            heap_remove(&core.timers, node)
            queue_wants_service(core, (<QueueTimer*>node).queue)
            waiters_serve(core)
            record_frame_end(core)
        else:
            budget = owner_due(core, <Owner*>node, budget)
            waiters_serve(core)
            record_frame_end(core)
    return budget


cdef void memory_watch(Core* core) noexcept nogil:
    if core.trim_at == <uint64_t>NEVER and core.memory.cached_count > CACHED_PAGES:
        core.trim_at = core.mono + TRIM_WINDOW_MS
        memory_window(&core.memory)
        deadline_lower(core, core.trim_at)


cdef void give_pages_back(Core* core) noexcept nogil:
    """One slice; `trim_at` becomes the time of the next."""
    if core.mono < core.trim_at:
        return
    if core.memory.idle_pages == 0:
        memory_window(&core.memory)
    memory_decay(&core.memory, TRIM_PAGES)
    if core.memory.cached_count <= CACHED_PAGES:
        core.trim_at = <uint64_t>NEVER
    else:
        core.trim_at = core.mono + <uint64_t>(TRIM_STEP_MS if core.memory.idle_pages else TRIM_WINDOW_MS)


cdef uint64_t timers_punctual(Core* core) noexcept nogil:
    """When something comes due that somebody would notice, in monotonic ms; NEVER without any."""
    cdef uint64_t when = <uint64_t>NEVER
    cdef Entry* first = heap_first(&core.timers)
    cdef uint32_t shard
    if first != NULL:
        when = first.key
    for shard in range(<uint32_t>SHARDS):
        first = heap_first(&core.shards[shard].timers)
        if first != NULL and first.key < when:
            when = first.key
    if core.graves != NULL or core.first_told != NULL:
        when = core.mono
    if core.passing != NULL and core.pass_at < when:
        when = core.pass_at
    if core.limbo.count and core.mono + LIMBO_RETRY_MS < when:
        when = core.mono + LIMBO_RETRY_MS
    return when


cdef uint64_t earliest(Core* core) noexcept nogil:
    """Likewise, or something to be tidied up."""
    cdef uint64_t when = timers_punctual(core)
    if core.trim_at < when:
        when = core.trim_at
    if core.queue_count and core.sweep_at < when:
        when = core.sweep_at
    return when


cdef bint timers_run(Core* core, uint32_t budget) noexcept nogil:
    cdef uint32_t shard
    cdef uint32_t share = budget // SHARDS + 1
    if core.limbo.count:
        limbo_retry(core)
    if core.mono >= core.sweep_at:
        core.sweep_at = core.mono + SWEEP_MS
        queue_sweep(core, QUEUE_SWEEP, QUEUE_IDLE_MS)
    done_trim(core, TRIM_BUDGET)
    give_pages_back(core)
    record_frame_end(core)
    graves_empty(core, budget)
    groups_pass(core, budget)
    run_engine(core, budget)
    for shard in range(<uint32_t>SHARDS):             # an equal share each, so that no shard starves another
        run_shard(core, shard, share)
    awaited_tell(core, budget)
    waiters_serve(core)
    record_frame_end(core)
    core.next_deadline = earliest(core)
    return core.next_deadline <= core.mono
