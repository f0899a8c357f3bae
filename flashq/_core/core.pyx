"""The Core as a whole: made empty, and given back with all that hangs on it."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.buffer cimport buffer_close
from flashq._core.chance cimport chance_seed
from flashq._core.events cimport events_close
from flashq._core.groups cimport groups_close
from flashq._core.heap cimport heap_close
from flashq._core.job cimport Awaited, Delivery, Edge, Extra, Failing, Job, Relations
from flashq._core.lanes cimport lanes_close
from flashq._core.namemap cimport name_close
from flashq._core.ready cimport Level, ready_close
from flashq._core.retention cimport retention_close
from flashq._core.shardmap cimport LEAF_BYTES, SHARDS, id_close
from flashq._core.slab cimport blobs_init, memory_close, memory_init, slab_init
from flashq._core.state cimport NEVER, Debounce, Grave, Group, Lane, Listening, Owner, PushKey, Queue, Standing, Waiter


cdef void core_init(Core* core, uint64_t seed, uint64_t epoch) noexcept nogil:
    cdef uint32_t i
    memory_init(&core.memory)
    slab_init(&core.jobs, &core.memory, sizeof(Job))
    slab_init(&core.extras, &core.memory, sizeof(Extra))
    slab_init(&core.deliveries, &core.memory, sizeof(Delivery))
    slab_init(&core.queues, &core.memory, sizeof(Queue))
    slab_init(&core.owners, &core.memory, sizeof(Owner))
    slab_init(&core.waiters, &core.memory, sizeof(Waiter))
    slab_init(&core.standings, &core.memory, sizeof(Standing))
    slab_init(&core.levels, &core.memory, sizeof(Level))
    slab_init(&core.graves_slab, &core.memory, sizeof(Grave))
    slab_init(&core.relations, &core.memory, sizeof(Relations))
    slab_init(&core.failings, &core.memory, sizeof(Failing))
    slab_init(&core.edges, &core.memory, sizeof(Edge))
    slab_init(&core.awaited_slab, &core.memory, sizeof(Awaited))
    slab_init(&core.debounces_slab, &core.memory, sizeof(Debounce))
    slab_init(&core.groups_slab, &core.memory, sizeof(Group))
    slab_init(&core.lanes, &core.memory, sizeof(Lane))
    slab_init(&core.push_keys, &core.memory, sizeof(PushKey))
    slab_init(&core.listenings, &core.memory, sizeof(Listening))
    slab_init(&core.leaves, &core.memory, LEAF_BYTES)
    blobs_init(&core.blobs, &core.memory)
    for i in range(<uint32_t>SHARDS):
        core.shards[i].next_sequence = 1
        core.shards[i].ids.leaves = &core.leaves
        core.shards[i].names.leaves = &core.leaves
        core.shards[i].customs.leaves = &core.leaves
        core.shards[i].uniques.leaves = &core.leaves
        core.shards[i].debounces.leaves = &core.leaves
        core.shards[i].groups.leaves = &core.leaves
        core.shards[i].push_keys.leaves = &core.leaves
    core.sessions.leaves = &core.leaves
    core.awaited.leaves = &core.leaves
    core.minded.leaves = &core.leaves
    core.listened.leaves = &core.leaves
    core.next_deadline = <uint64_t>NEVER
    core.trim_at = <uint64_t>NEVER
    core.seed = seed | 1
    chance_seed(core, seed)
    core.epoch = epoch


cdef void core_close(Core* core) noexcept nogil:
    cdef Queue* queue = core.first_queue
    cdef Grave* grave = core.graves
    cdef uint32_t i
    while grave != NULL:
        ready_close(&grave.ready)
        ready_close(&grave.turns)
        lanes_close(grave.first_lane)
        grave = grave.next
    while queue != NULL:                # the queues themselves go with the pages
        ready_close(&queue.ready)
        groups_close(queue)
        lanes_close(queue.first_lane)
        queue = queue.next
    for i in range(<uint32_t>SHARDS):
        id_close(&core.shards[i].ids)
        name_close(&core.shards[i].names)
        name_close(&core.shards[i].customs)
        name_close(&core.shards[i].uniques)
        name_close(&core.shards[i].debounces)
        name_close(&core.shards[i].groups)
        name_close(&core.shards[i].push_keys)
        heap_close(&core.shards[i].timers)
    heap_close(&core.timers)
    name_close(&core.sessions)
    name_close(&core.awaited)
    name_close(&core.minded)
    name_close(&core.listened)
    events_close(core)
    buffer_close(&core.records)
    buffer_close(&core.text)
    buffer_close(&core.spare)
    retention_close(core)
    memory_close(&core.memory)
