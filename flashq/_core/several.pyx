"""Pulls from several queues: which they name, and from which of them the next job comes."""
from libc.string cimport memcmp

from flashq._core.chance cimport chance_below
from flashq._core.namemap cimport name_hash
from flashq._core.queue cimport queue_find, queue_name_check, queue_open, queue_sweep
from flashq._core.rawlist cimport list_wrong, number_list, texts_done, texts_read
from flashq._core.request cimport BIT_QUEUE, KIND_ID_LIST, KIND_TAGS, has
from flashq._core.status cimport MISSING_FIELD, NO_MEMORY, OK, QUEUE_LIMIT
from flashq._core.waiters cimport Giving, giving_begin, giving_end, queue_give, queue_yields

# Which queues

cdef int several_open(Core* core, Request* request, Several* out) noexcept nogil:
    cdef Slice[MAX_QUEUES] names
    cdef int status
    if not has(&request.item, BIT_QUEUES):
        if has(&request.item, BIT_QUEUE):
            return list_wrong(request, "weights", KIND_ID_LIST)
        request.problem_field = "queue"
        return MISSING_FIELD
    status = texts_read(core, request, "queues", &request.queues, names, MAX_QUEUES, &out.count)
    if status == OK:
        status = names_check(request, names, out.count)
    if status == OK:
        status = weights_read(request, out)
    if status == OK:
        status = queues_open(core, names, out)
        if status != OK:
            request.problem_number = core.limits.queue_names
    texts_done(core)
    return status


cdef int names_check(Request* request, const Slice* names, uint32_t count) noexcept nogil:
    """At least one, each of them a queue's name, and none twice."""
    cdef uint64_t[MAX_QUEUES] hashes
    cdef uint32_t i, j
    cdef int status
    if count == 0:
        return list_wrong(request, "queues", KIND_TAGS)
    for i in range(count):
        status = queue_name_check(names[i].ptr, names[i].size)
        if status != OK:
            return status
        hashes[i] = name_hash(names[i].ptr, names[i].size)
        for j in range(i):
            if hashes[j] == hashes[i] and names[j].size == names[i].size:
                if memcmp(names[j].ptr, names[i].ptr, names[i].size) == 0:
                    return list_wrong(request, "queues", KIND_TAGS)
    return OK


cdef int weights_read(Request* request, Several* out) noexcept nogil:
    cdef uint32_t i
    out.weighted = has(&request.item, BIT_WEIGHTS)
    if not out.weighted:
        return OK
    if number_list(request.format, &request.weights, out.weights, MAX_QUEUES) != out.count:
        return list_wrong(request, "weights", KIND_ID_LIST)
    for i in range(out.count):
        if not 0 < out.weights[i] <= MAX_WEIGHT:
            return list_wrong(request, "weights", KIND_ID_LIST)
    return OK


cdef uint32_t queues_missing(Core* core, const Slice* names, uint32_t count) noexcept nogil:
    """How many of them do not exist."""
    cdef uint32_t missing = 0
    cdef uint32_t i
    for i in range(count):
        missing += queue_find(core, names[i].ptr, names[i].size) == NULL
    return missing


cdef int queues_open(Core* core, const Slice* names, Several* out) noexcept nogil:
    cdef uint32_t i
    cdef int status
    # Room for all of them first: opening one makes room by sweeping idle queues, which another one of these may be.
    if core.queue_count + queues_missing(core, names, out.count) > core.limits.queue_names:
        queue_sweep(core, core.queue_count, 0)
        if core.queue_count + queues_missing(core, names, out.count) > core.limits.queue_names:
            return QUEUE_LIMIT
    for i in range(out.count):
        status = queue_open(core, &names[i], &out.queues[i])
        if status != OK:
            return status
    return OK


# Which job

cdef inline uint32_t offered(Core* core, Queue* queue, uint32_t count) noexcept nogil:
    """What the queue has for a pull that comes now: nothing while others wait there for the same."""
    return 0 if queue.first_waiter != NULL and queue.first_lane == NULL else queue_yields(core, queue, count)


cdef int several_now(Core* core, Several* of, Peer* peer, const Slice* req_id, uint32_t count, bint many,
                     const Wanted* wanted) noexcept nogil:
    cdef Giving to
    cdef uint32_t i = 0
    while i < of.count and offered(core, of.queues[i], 1) == 0:
        i += 1
    if i == of.count:
        return 0
    if giving_begin(core, &to, peer, req_id, count, many, wanted) != OK:
        return NO_MEMORY
    if of.weighted:
        give_by_weight(core, of, &to, count)
    else:
        give_in_order(core, of, &to, count)
    return giving_end(core, &to, many)


cdef void give_in_order(Core* core, Several* of, Giving* to, uint32_t count) noexcept nogil:
    cdef uint32_t i, room
    for i in range(of.count):
        room = offered(core, of.queues[i], count - to.given)
        if room:
            queue_give(core, of.queues[i], to, room)
        if to.ended or to.given == count:
            break


cdef void give_by_weight(Core* core, Several* of, Giving* to, uint32_t count) noexcept nogil:
    """Each job from a queue that chance chooses among those that have one now."""
    cdef uint32_t[MAX_QUEUES] able         # indexes of those
    cdef uint32_t able_count = 0
    cdef uint64_t total = 0                 # of their weights
    cdef uint64_t drawn
    cdef uint32_t i, at, given
    for i in range(of.count):
        if offered(core, of.queues[i], 1):
            able[able_count] = i
            able_count += 1
            total += of.weights[i]
    while able_count and to.given < count and not to.ended:
        drawn = chance_below(core, total)
        at = 0
        while drawn >= of.weights[able[at]]:
            drawn -= of.weights[able[at]]
            at += 1
        i = able[at]
        given = to.given
        queue_give(core, of.queues[i], to, 1)
        if to.given == given or queue_yields(core, of.queues[i], 1) == 0:
            total -= of.weights[i]
            able_count -= 1
            able[at] = able[able_count]
