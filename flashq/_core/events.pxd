"""What becomes of jobs, told to whoever asked: the listeners of a queue, and the WAITJOBs of one job."""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.job cimport Job
from flashq._core.request cimport Format, Slice
from flashq._core.state cimport Core, EventQueue
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum EventType:            # in step with flashq/events.py (a test compares)
    EVENT_PUSHED = 0
    EVENT_COMPLETED = 1
    EVENT_FAILED = 2            # for good
    EVENT_PROGRESS = 3
    EVENT_TIMEOUT = 4           # its `timeout` ended an attempt
    EVENT_PARTIAL = 5
    EVENT_RETRY = 6             # failed, and will run again
    EVENT_STALLED = 7           # a heartbeat was missed
    EVENT_WORKER_LOST = 8
    EVENT_CANCELLED = 9
    EVENT_EXPIRED = 10          # its ttl ended
    EVENT_REMOVED = 11          # by a clean, a drain, a purge or an obliterate

cdef struct EventHead:          # before the queue's name, the value and the text of a packed event
    uint64_t id
    uint64_t at                 # wall ms
    uint64_t position           # durable up to there, it may be told
    uint32_t queue_size
    uint32_t value_size
    uint32_t text_size
    uint8_t type                # EventType
    uint8_t format              # of the value
    uint8_t progress
    uint8_t unused

# Every call stands behind a test of core.listening. `position` is that of the record that makes it true; positions
# never go back. None can fail the command: what finds no room is counted as lost.
cdef void event_told(Core* core, Job* job, EventType type, uint64_t position) noexcept nogil
cdef void event_pushed(Core* core, Job* job) noexcept nogil
cdef void event_progress(Core* core, Job* job) noexcept nogil
cdef void event_failed(Core* core, Job* job, EventType type, uint64_t position, bint why) noexcept nogil
# ^ FAILED or RETRY; with `why` the job's message says why
cdef void event_value(Core* core, Job* job, EventType type, uint64_t position, const Slice* value,
                      Format format) noexcept nogil            # value NULL: none

cdef int listen(Core* core, const uint8_t* queue, uint32_t size, uint32_t mask) noexcept nogil
# ^ from now on these types of the queue, a bit each; 0 ends it. OK or NO_MEMORY
cdef void listening_check(Core* core) noexcept nogil           # after a change of what is listened to
cdef void events_close(Core* core) noexcept nogil
cdef const EventHead* event_first(EventQueue* events, EventHead* head) noexcept nogil   # a copy in `head`; NULL: none
cdef const uint8_t* event_texts(EventQueue* events) noexcept nogil     # of the first: queue, value, text
cdef void event_next(EventQueue* events, const EventHead* head) noexcept nogil          # the first one is done with

cdef inline bint events_due(const Core* core, const EventQueue* events) noexcept nogil:
    """Whether there is one that may be told by now."""
    return events.packed.size != 0 and events.position <= core.committed
