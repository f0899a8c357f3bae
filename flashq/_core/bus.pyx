"""What the server asks of the engine's events: what to listen to, and what became of it."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from flashq._core.buffer cimport copied
from flashq._core.engine cimport Engine, engine_done, format_of
from flashq._core.events cimport (
    EVENT_PARTIAL, EventHead, event_first, event_next, event_texts, event_value, events_due, listen, listening_check,
)
from flashq._core.job cimport JOB_WATCHED, STATE_COMPLETED, STATE_FAILED, Job
from flashq._core.jobs cimport job_active, job_find
from flashq._core.lifecycle cimport job_beat
from flashq._core.request cimport MSGPACK, Slice
from flashq._core.state cimport COMPLETED, Core, EventQueue
from flashq._core.status cimport NOT_IN_PROCESSING, OK, STALE_TOKEN


cdef class Bus:
    """The events of one engine. An event's type is a number, as flashq/events.py has them.

    An event is given once what it tells is durable, in the order in which things happened.
    """
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    @property
    def watching(self):
        """Whether anybody waits for the end of a job that was watched."""
        return bool(self.engine.core.watching)

    @watching.setter
    def watching(self, bint value):
        self.engine.core.watching = value
        listening_check(&self.engine.core)

    def watch(self, uint64_t id):
        """Take note when this job ends, if it has not; whether there is anything to wait for."""
        cdef Job* job = job_find(&self.engine.core, id)
        if job == NULL or job == COMPLETED() or job.state == STATE_COMPLETED or job.state == STATE_FAILED:
            return False
        job.flags |= JOB_WATCHED
        return True

    def listen(self, str queue, uint32_t mask):
        """From now on take note of these events of a queue, a bit for each type; 0 ends it. Raises MemoryError."""
        cdef bytes name = queue.encode("utf-8", "surrogatepass")
        if listen(&self.engine.core, <const uint8_t*><char*>name, <uint32_t>len(name), mask) != OK:
            raise MemoryError("listen")

    def partial(self, uint64_t id, token, bytes value, bint msgpack):
        """PARTIAL of an active job: its worker is alive, and its listeners get the value. OK or a Status."""
        cdef Core* core = &self.engine.core
        cdef Job* job = job_active(core, id)
        cdef Slice data
        if job == NULL:
            return NOT_IN_PROCESSING
        if token is not None and token != job.delivery.token:
            return STALE_TOKEN
        job_beat(core, job)
        if core.listening:
            data.ptr, data.size, data.flags = <const uint8_t*><char*>value, <uint32_t>len(value), 0
            event_value(core, job, EVENT_PARTIAL, core.position, &data, format_of(msgpack))
        engine_done(core)
        return OK

    @property
    def lost(self):
        """Events that found no room, since the start."""
        return self.engine.core.events_lost

    def endings_lost(self):
        """Whether an ending found no memory since the last call: who waits must look for himself."""
        cdef bint lost = self.engine.core.endings_lost
        self.engine.core.endings_lost = False
        return bool(lost)

    def take_endings(self, uint32_t limit):
        """How watched jobs ended, at most `limit`: (id, type, result or None, whether that is MessagePack)."""
        return [(id, type, value, msgpack)
                for type, id, _, _, value, msgpack, _, _ in self._take(&self.engine.core.endings, limit)]

    def next_event(self):
        """The oldest that listeners asked for, None when none is due.

        (type, id, wall ms, queue, value or None, whether that is MessagePack, text or None, progress)
        """
        cdef list found = self._take(&self.engine.core.news, 1)
        return found[0] if found else None

    cdef list _take(self, EventQueue* events, uint32_t limit):
        cdef EventHead head
        cdef const uint8_t* at
        found = []
        while limit > 0 and events_due(&self.engine.core, events) and event_first(events, &head) != NULL:
            limit -= 1
            at = event_texts(events)
            queue = copied(at, head.queue_size).decode("utf-8", "replace")
            at += head.queue_size
            value = copied(at, head.value_size) if head.value_size else None
            at += head.value_size
            text = copied(at, head.text_size).decode("utf-8", "replace") if head.text_size else None
            found.append((head.type, head.id, head.at, queue, value, head.format == MSGPACK, text, head.progress))
            event_next(events, &head)
        return found
