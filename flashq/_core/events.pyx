"""Events packed one after another, until the server takes them: it may once what they tell is durable.

Two queues: `endings` holds what WAITJOBs wait for, and loses nothing; `news` holds what listeners of queues asked for,
up to a number of bytes. Nobody listening costs each change of a job one test of `Core.listening`.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from flashq._core.buffer cimport buffer_close, buffer_consume, buffer_room, buffer_shrink
from flashq._core.job cimport JOB_MSGPACK, JOB_WATCHED, job_is
from flashq._core.jobs cimport copy_value
from flashq._core.namemap cimport name_add, name_find, name_hash, name_remove
from flashq._core.request cimport JSON, MSGPACK
from flashq._core.slab cimport blob_give, blob_take, slab_give, slab_take
from flashq._core.state cimport Listening, Queue
from flashq._core.status cimport NO_MEMORY, OK

cdef enum:
    KEEP_BYTES = 64 * 1024      # room that an emptied queue keeps
    ENDS = ((1 << EVENT_COMPLETED) | (1 << EVENT_FAILED) | (1 << EVENT_CANCELLED) | (1 << EVENT_EXPIRED)
            | (1 << EVENT_REMOVED))


cdef bint pack(Core* core, EventQueue* events, const EventHead* told, const Job* job, const Slice* value,
               const Slice* text) noexcept nogil:
    """Append the event; whether there was memory for it."""
    cdef const Queue* queue = <const Queue*>job.queue
    cdef EventHead head = told[0]
    cdef uint8_t* start = buffer_room(&events.packed, sizeof(EventHead) + queue.name.size + value.size + text.size)
    cdef uint8_t* at
    if start == NULL:
        events.packed.failed = False        # the next one may be smaller
        return False
    at = start + sizeof(EventHead)
    head.queue_size, head.text_size = queue.name.size, text.size
    memcpy(at, queue.text, queue.name.size)
    at += queue.name.size
    if value.size:
        head.value_size = copy_value(at, value)
        at += head.value_size
    if text.size:
        memcpy(at, text.ptr, text.size)
        at += text.size
    memcpy(start, &head, sizeof(EventHead))
    if events.packed.size == 0:
        events.position = head.position
    events.packed.size += <size_t>(at - start)
    return True


cdef void put(Core* core, Job* job, EventHead* head, const Slice* value, const Slice* text) noexcept nogil:
    cdef Queue* queue = <Queue*>job.queue
    cdef Listening* listening = NULL
    cdef size_t waiting
    head.id = job.id
    head.at = core.now
    if job_is(job, JOB_WATCHED) and (ENDS >> head.type) & 1:
        job.flags &= <uint8_t>~JOB_WATCHED
        if not pack(core, &core.endings, head, job, value, text):
            core.endings_lost = True        # the waits look for themselves
    if core.listened.count == 0:
        return
    # The node is its first member.
    listening = <Listening*>name_find(&core.listened, queue.name.hash, queue.text, queue.name.size)
    if listening == NULL or not (listening.mask >> head.type) & 1:
        return
    waiting = core.news.packed.size - core.news.first
    if waiting and waiting + value.size + text.size > core.limits.event_bytes:
        core.events_lost += 1
    elif not pack(core, &core.news, head, job, value, text):
        core.events_lost += 1


cdef void event_value(Core* core, Job* job, EventType type, uint64_t position, const Slice* value,
                      Format format) noexcept nogil:
    cdef EventHead head
    cdef Slice none
    memset(&head, 0, sizeof(head))
    memset(&none, 0, sizeof(none))
    head.type, head.position, head.format = <uint8_t>type, position, <uint8_t>format
    if value == NULL:
        value = &none
    put(core, job, &head, value, &none)


cdef void event_told(Core* core, Job* job, EventType type, uint64_t position) noexcept nogil:
    event_value(core, job, type, position, NULL, JSON)


cdef void event_pushed(Core* core, Job* job) noexcept nogil:
    cdef Slice data
    data.ptr, data.size, data.flags = job.data, job.data_size, 0
    event_value(core, job, EVENT_PUSHED, job.position, &data, MSGPACK if job_is(job, JOB_MSGPACK) else JSON)


cdef inline Slice message_of(const Job* job) noexcept nogil:
    cdef Slice text
    memset(&text, 0, sizeof(text))
    if job.extra != NULL:
        text.ptr, text.size = job.extra.message, job.extra.message_size
    return text


cdef void event_progress(Core* core, Job* job) noexcept nogil:
    cdef EventHead head
    cdef Slice none
    cdef Slice message = message_of(job)
    memset(&head, 0, sizeof(head))
    memset(&none, 0, sizeof(none))
    head.type, head.position, head.progress = EVENT_PROGRESS, core.position, job.progress
    put(core, job, &head, &none, &message)


cdef void event_failed(Core* core, Job* job, EventType type, uint64_t position, bint why) noexcept nogil:
    cdef EventHead head
    cdef Slice none
    cdef Slice message = message_of(job)
    memset(&head, 0, sizeof(head))
    memset(&none, 0, sizeof(none))
    head.type, head.position = <uint8_t>type, position
    put(core, job, &head, &none, &message if why else &none)


# -- taking -----------------------------------------------------------------------------------------------------

cdef const EventHead* event_first(EventQueue* events, EventHead* head) noexcept nogil:
    if events.packed.size == 0:
        return NULL
    memcpy(head, events.packed.data + events.first, sizeof(EventHead))
    return head


cdef const uint8_t* event_texts(EventQueue* events) noexcept nogil:
    return events.packed.data + events.first + sizeof(EventHead)


cdef void event_next(EventQueue* events, const EventHead* head) noexcept nogil:
    cdef EventHead following
    events.first += sizeof(EventHead) + head.queue_size + head.value_size + head.text_size
    if events.first == events.packed.size:
        events.first = events.packed.size = 0
        buffer_shrink(&events.packed, KEEP_BYTES)
        return
    if events.first > KEEP_BYTES and events.first > events.packed.size // 2:
        buffer_consume(&events.packed, events.first)
        events.first = 0
    event_first(events, &following)
    events.position = following.position


# -- listening --------------------------------------------------------------------------------------------------

cdef void listening_check(Core* core) noexcept nogil:
    core.listening = core.watching or core.listened.count > 0


cdef int listen(Core* core, const uint8_t* queue, uint32_t size, uint32_t mask) noexcept nogil:
    cdef uint64_t hash = name_hash(queue, size)
    cdef Listening* listening = <Listening*>name_find(&core.listened, hash, queue, size)
    cdef int status = OK
    if listening != NULL and mask == 0:
        name_remove(&core.listened, &listening.node)
        listening_free(core, listening)
    elif listening != NULL:
        listening.mask = mask
    elif mask:
        status = listening_open(core, queue, size, hash, mask)
    listening_check(core)
    return status


cdef int listening_open(Core* core, const uint8_t* queue, uint32_t size, uint64_t hash, uint32_t mask) noexcept nogil:
    cdef Listening* listening = <Listening*>slab_take(&core.listenings)
    if listening == NULL:
        return NO_MEMORY
    memset(listening, 0, sizeof(Listening))
    listening.mask = mask
    listening.node.size, listening.node.hash = size, hash
    if size:                                # the queue of no name is no queue: it has no events
        listening.text = blob_take(&core.blobs, size)
        if listening.text == NULL:
            slab_give(&core.listenings, listening)
            return NO_MEMORY
        memcpy(listening.text, queue, size)
    listening.node.name = listening.text
    if name_add(&core.listened, &listening.node) != OK:
        listening_free(core, listening)
        return NO_MEMORY
    return OK


cdef void listening_free(Core* core, Listening* listening) noexcept nogil:
    if listening.text != NULL:
        blob_give(&core.blobs, listening.text, listening.node.size)
    slab_give(&core.listenings, listening)


cdef void events_close(Core* core) noexcept nogil:
    buffer_close(&core.endings.packed)
    buffer_close(&core.news.packed)
