"""Lanes: a line for each name and version of a queue's jobs; and what pulls ask for."""
from libc.stdint cimport UINT64_MAX, uint8_t
from libc.string cimport memcmp, memcpy, memset

from flashq._core.groups cimport comes_before, line_first, pair_first
from flashq._core.namemap cimport name_hash
from flashq._core.rawlist cimport list_wrong, number_list, texts_done, texts_read
from flashq._core.ready cimport ready_close, ready_first, ready_push, ready_remove
from flashq._core.request cimport BIT_NAMES, BIT_VERSIONS, KIND_ID_LIST, KIND_TAGS, Slice, has
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport WantedName
from flashq._core.status cimport NO_MEMORY, OK

cdef struct Asked:              # of the request at hand: the engine runs on one thread
    Wanted wanted
    WantedName[MAX_NAMES] names
    uint64_t[MAX_NAMES] versions
    uint8_t[MAX_NAMES * MAX_NAME] texts

cdef Asked asked


# Lanes

cdef inline uint32_t hash_of(const uint8_t* name, uint32_t size) noexcept nogil:
    return <uint32_t>name_hash(name, size)


cdef Lane* lane_find(const Queue* queue, const Relations* relations) noexcept nogil:
    cdef Lane* lane = queue.first_lane
    cdef uint32_t hash = hash_of(relations.name, relations.name_size)
    while lane != NULL:
        if lane.hash == hash and lane.version == relations.version and lane.name_size == relations.name_size:
            if memcmp(lane.name, relations.name, lane.name_size) == 0:
                return lane
        lane = lane.next
    return NULL


cdef bint lanes_full(const Queue* queue, const Relations* relations) noexcept nogil:
    return queue.lane_count >= MAX_LANES and lane_find(queue, relations) == NULL


cdef Lane* lane_open(Core* core, Queue* queue, Relations* relations) noexcept nogil:
    cdef Lane* lane = lane_find(queue, relations)
    if lane != NULL:
        return lane
    lane = <Lane*>slab_take(&core.lanes)
    if lane == NULL:
        return NULL
    memset(lane, 0, sizeof(Lane))
    lane.name = blob_take(&core.blobs, relations.name_size)
    if lane.name == NULL:
        slab_give(&core.lanes, lane)
        return NULL
    memcpy(lane.name, relations.name, relations.name_size)
    lane.name_size, lane.version = relations.name_size, relations.version
    lane.hash = hash_of(relations.name, relations.name_size)
    lane.ready.levels, lane.ready.seed = queue.ready.levels, queue.ready.seed
    lane.turns.levels, lane.turns.seed = queue.ready.levels, queue.ready.seed
    lane.next = queue.first_lane
    if queue.first_lane != NULL:
        queue.first_lane.prev = lane
    queue.first_lane = lane
    queue.lane_count += 1
    return lane


cdef void lane_free(Core* core, Lane** first, Lane* lane) noexcept nogil:
    if lane.prev != NULL:
        lane.prev.next = lane.next
    else:
        first[0] = lane.next
    if lane.next != NULL:
        lane.next.prev = lane.prev
    ready_close(&lane.ready)
    ready_close(&lane.turns)
    blob_give(&core.blobs, lane.name, lane.name_size)
    slab_give(&core.lanes, lane)


cdef void lane_settle(Core* core, Queue* queue, Lane* lane) noexcept nogil:
    if lane.ready.count == 0 and lane.turns.count == 0:
        lane_free(core, &queue.first_lane, lane)
        queue.lane_count -= 1


cdef int lane_enter(Core* core, Queue* queue, Job* job) noexcept nogil:
    cdef Lane* lane = lane_open(core, queue, job.extra.relations)
    if lane == NULL:
        return NO_MEMORY
    if ready_push(&lane.ready, job) != OK:
        lane_settle(core, queue, lane)
        return NO_MEMORY
    job.extra.relations.lane = lane
    queue.named += 1
    return OK


cdef void lane_leave(Core* core, Queue* queue, Job* job) noexcept nogil:
    cdef Lane* lane = <Lane*>job.extra.relations.lane
    job.extra.relations.lane = NULL
    queue.named -= 1
    ready_remove(&lane.ready, job)
    lane_settle(core, queue, lane)


cdef Job* lanes_first(Core* core, Queue* queue, const Wanted* wanted) noexcept nogil:
    cdef Job* best = line_first(core, queue)
    cdef Job* job
    cdef Lane* lane = queue.first_lane
    cdef Lane* following
    while lane != NULL:
        following = lane.next
        if wanted == NULL or takes(wanted, lane.name, lane.name_size, lane.hash, lane.version):
            job = pair_first(core, queue, &lane.ready, &lane.turns)
            if job == NULL:
                lane_settle(core, queue, lane)      # its groups' jobs were hidden
            elif best == NULL or comes_before(queue, job, best):
                best = job
        lane = following
    return best


cdef Job* lane_bury(Core* core, Lane** first) noexcept nogil:
    cdef Lane* lane
    cdef Ready* line
    cdef Job* job
    while first[0] != NULL:
        lane = first[0]
        line = &lane.ready if lane.ready.count else &lane.turns
        job = ready_first(line)
        if job != NULL:
            ready_remove(line, job)
            return job
        lane_free(core, first, lane)
    return NULL


cdef void lanes_close(Lane* first) noexcept nogil:
    while first != NULL:
        ready_close(&first.ready)
        ready_close(&first.turns)
        first = first.next


# What a pull asks for

cdef int wanted_read(Core* core, Request* request, const Wanted** out) noexcept nogil:
    cdef Slice[MAX_NAMES] names
    cdef uint32_t count
    cdef int status
    out[0] = NULL
    if not has(&request.item, BIT_NAMES):
        return list_wrong(request, "versions", KIND_ID_LIST) if has(&request.item, BIT_VERSIONS) else OK
    status = texts_read(core, request, "names", &request.names, names, MAX_NAMES, &count)
    if status == OK:
        status = asked_fill(request, names, count)
    if status == OK:
        asked.wanted.names, asked.wanted.count = asked.names, count
        out[0] = &asked.wanted
    texts_done(core)
    return status


cdef int asked_fill(Request* request, const Slice* names, uint32_t count) noexcept nogil:
    """The names and versions into `asked`, the texts too: Core.text is used again before the reply is written."""
    cdef bint versioned = has(&request.item, BIT_VERSIONS)
    cdef uint8_t* text = asked.texts
    cdef uint32_t i
    if versioned and number_list(request.format, &request.versions, asked.versions, MAX_NAMES) != count:
        return list_wrong(request, "versions", KIND_ID_LIST)
    for i in range(count):
        if names[i].size > MAX_NAME:
            return list_wrong(request, "names", KIND_TAGS)
        memcpy(text, names[i].ptr, names[i].size)
        asked.names[i].text, asked.names[i].size = text, names[i].size
        asked.names[i].hash = hash_of(text, names[i].size)
        asked.names[i].version = asked.versions[i] if versioned else UINT64_MAX
        text += names[i].size
    return OK


cdef int wanted_keep(Core* core, const Wanted* wanted, Waiter* waiter) noexcept nogil:
    cdef size_t size = wanted.count * sizeof(WantedName)
    cdef uint8_t* blob
    cdef uint32_t i
    waiter.choosy = True
    if wanted.count == 0:
        return OK
    for i in range(wanted.count):
        size += wanted.names[i].size
    blob = blob_take(&core.blobs, <uint32_t>size)
    if blob == NULL:
        return NO_MEMORY
    waiter.wanted.names, waiter.wanted.count = <WantedName*>blob, wanted.count
    waiter.wanted.blob_size = <uint32_t>size
    blob += wanted.count * sizeof(WantedName)
    for i in range(wanted.count):
        waiter.wanted.names[i] = wanted.names[i]
        waiter.wanted.names[i].text = blob
        memcpy(blob, wanted.names[i].text, wanted.names[i].size)
        blob += wanted.names[i].size
    return OK


cdef void wanted_free(Core* core, Waiter* waiter) noexcept nogil:
    if waiter.wanted.blob_size:
        blob_give(&core.blobs, <uint8_t*>waiter.wanted.names, waiter.wanted.blob_size)


cdef bint takes(const Wanted* wanted, const uint8_t* name, uint32_t size, uint32_t hash,
                uint32_t version) noexcept nogil:
    cdef const WantedName* one
    cdef uint32_t i
    for i in range(wanted.count):
        one = &wanted.names[i]
        if one.hash == hash and one.size == size and memcmp(one.text, name, size) == 0:
            if version <= one.version:
                return True
    return False


cdef bint wanted_takes(const Wanted* wanted, const Relations* relations) noexcept nogil:
    if relations == NULL or relations.name == NULL:
        return True
    return takes(wanted, relations.name, relations.name_size, hash_of(relations.name, relations.name_size),
                 relations.version)
