"""The deterministic state machine: times, a seed and commands in; replies, records and deadlines out.

It reads no clock, socket or file. Hot commands come from the connection as structs (hot.pyx); the methods here are the
cold tier's and the server's. Ids and counts are plain ints, times are ms, a payload is the raw bytes of its format.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from flashq._core.buffer cimport WriteBuffer, buffer_close, copied
from flashq._core.core cimport core_close, core_init
from flashq._core.defaults cimport defaults_set, defaults_shown
from flashq._core.edges cimport command_tells
from flashq._core.groups cimport queue_waiting
from flashq._core.hot cimport hot_execute
from flashq._core.job cimport JOB_RESULT_MSGPACK, STATE_ACTIVE, STATE_COMPLETED, Job, job_is
from flashq._core.jobs cimport job_find
from flashq._core.peers cimport peer_close, peer_mark
from flashq._core.queue cimport queue_find, queue_groups_set, queue_open, queue_wants_service
from flashq._core.records cimport record_entry, record_frame_end, record_frames_taken, record_queue
from flashq._core.request cimport JSON, MSGPACK, OP_NONE, OP_COLD, OP_PULL, OP_PULLB, Format, Request, Slice
from flashq._core.retention cimport retention_open
from flashq._core.scratch cimport scratch_close, scratch_open, scratch_reset
from flashq._core.state cimport COMPLETED, NEVER, NO_LIMIT, Limits, Peer, Queue
from flashq._core.status cimport OK
from flashq._core.timers cimport timers_punctual, timers_run
from flashq._core.transcode cimport transcode
from flashq._core.waiters cimport waiters_release, waiters_serve
from flashq._core.wire cimport wire_job_read, wire_scan

STATES = ("waiting", "delayed", "active", "completed", "failed", "waiting-children")
LIMITS = ("memory", "job_size", "queue_names", "parked", "completed", "results", "result_bytes", "default_lease",
          "grace", "lost_workers", "reply_size", "event_bytes")


cdef void engine_tick(Core* core, unsigned long long wall_ms, unsigned long long mono_ms) noexcept nogil:
    core.now = wall_ms
    if mono_ms > core.mono:
        core.mono = mono_ms


cdef Format format_of(bint msgpack) noexcept nogil:
    return MSGPACK if msgpack else JSON


cdef bytes taken(WriteBuffer* out):
    """The buffer's bytes as an object; the buffer is closed."""
    cdef bint failed = out.failed
    cdef bytes data = None if failed else copied(out.data, out.size)
    buffer_close(out)
    if failed:
        raise MemoryError("reply buffer")
    return data


cdef bytes job_bytes(Core* core, const Job* job, bint msgpack, bint history=False):
    cdef WriteBuffer out
    memset(&out, 0, sizeof(out))
    wire_job_read(core, format_of(msgpack), &out, job, history)
    return taken(&out)


cdef void engine_done(Core* core) noexcept nogil:
    command_tells(core)
    waiters_serve(core)
    record_frame_end(core)


class Rejected(Exception):
    """A command that the engine refused: a Status, and the field and number that go with it (see status.pxd)."""

    def __init__(self, int status, str field, uint64_t number):
        super().__init__(status, field, number)
        self.status = status
        self.field = field
        self.number = number


cdef class Engine:
    """One engine. `limits` has every name of LIMITS; `seed` (not 0) and `epoch` (below 2^21) come from the caller.

    Raises KeyError for a missing limit, MemoryError.
    """

    def __cinit__(self, limits, uint64_t seed, uint64_t epoch):
        core_init(&self.core, seed, epoch)
        defaults_set(&self.core, None, None, None, None)
        self._limit(limits)
        if scratch_open(&self.scratch) != OK or retention_open(&self.core) != OK:
            raise MemoryError("engine")

    def _limit(self, limits):
        cdef Limits* to = &self.core.limits
        to.memory = limits["memory"]
        to.job_size = limits["job_size"]
        to.queue_names = limits["queue_names"]
        to.parked = limits["parked"]
        to.completed = limits["completed"]
        to.results = min(limits["results"], limits["completed"])
        to.result_bytes = limits["result_bytes"]
        to.default_lease = limits["default_lease"]
        to.grace = limits["grace"]
        to.lost_workers = limits["lost_workers"]
        to.reply_size = limits["reply_size"]
        to.event_bytes = limits["event_bytes"]

    def __dealloc__(self):
        core_close(&self.core)
        scratch_close(&self.scratch)

    def set_defaults(self, timeout=None, max_attempts=None, backoff=None, ttl=None):
        """From now on pushes that leave out one of these options get this value of it; None: 0, as on the wire.

        ValueError and no change for a value that a push could not have.
        """
        defaults_set(&self.core, timeout, max_attempts, backoff, ttl)

    @property
    def defaults(self):
        """What `set_defaults` was given last, by name; None for what has no default."""
        return defaults_shown(&self.core)

    # --- time, durability -------------------------------------------------------------------------------------------

    def tick(self, uint64_t wall_ms, uint64_t mono_ms):
        """The time of what follows: wall clock for what users see, monotonic for deadlines. Both in ms."""
        engine_tick(&self.core, wall_ms, mono_ms)

    def run_due(self, uint32_t budget=1000):
        """Do due work, at most about `budget` jobs; whether more is due already."""
        return timers_run(&self.core, budget)

    @property
    def now(self):
        """Wall ms of the last tick."""
        return self.core.now

    @property
    def mono(self):
        """Monotonic ms of the last tick."""
        return self.core.mono

    @property
    def next_deadline(self):
        """Monotonic ms at which `run_due` should be called next, at the latest; None when nothing waits for time."""
        return None if self.core.next_deadline == <uint64_t>NEVER else self.core.next_deadline

    @property
    def next_punctual(self):
        """Likewise, but for what nobody notices: memory that is given back, names that are forgotten."""
        cdef uint64_t when = timers_punctual(&self.core)
        return None if when == <uint64_t>NEVER else when

    @property
    def epoch(self):
        """The number of this start in delivery tokens. It may be set until the first delivery."""
        return self.core.epoch

    @epoch.setter
    def epoch(self, uint64_t value):
        if self.core.deliveries_made:
            raise ValueError("tokens of another epoch were given out")
        self.core.epoch = value

    @property
    def recording(self):
        """Whether records are written for a store; without one each change counts as committed at once."""
        return self.core.recording

    @recording.setter
    def recording(self, bint value):
        self.core.recording = value

    @property
    def position(self):
        """Position of the last record."""
        return self.core.position

    @property
    def committed(self):
        """Position up to which replies may leave."""
        return self.core.committed

    def take_records(self):
        """The frames of records since the last call (see records.pyx). Raises MemoryError when one was lost."""
        cdef Core* core = &self.core
        cdef bytes frames
        record_frame_end(core)
        if core.records.failed:
            raise MemoryError("records were lost: nothing may be acknowledged any more")
        frames = copied(core.records.data, core.records.size)
        core.records.size = 0
        record_frames_taken(core)
        return frames

    @property
    def durability(self):
        """What the server promises, as an index of config.DURABILITIES."""
        return self.core.durability

    @durability.setter
    def durability(self, uint8_t value):
        self.core.durability = value

    @property
    def full(self):
        """Whether the store has no room, so that nothing is taken that adds data."""
        return bool(self.core.full)

    @full.setter
    def full(self, bint value):
        self.core.full = value

    def answer_synced(self):
        """The reply to the cold command that runs now waits for the disk, whatever the server promises."""
        self.core.answer_synced = True

    def hurry(self):
        """Ask the store to bring what it has to the disk now; it is told at the end of this event."""
        self.core.hurry = True

    @property
    def synced(self):
        """Position up to which the log is on disk; 0 while nobody records."""
        return self.core.synced

    def record_entry(self, uint8_t space, bytes key, bytes value, bint close=True):
        """Record a value that the server keeps beside the jobs; None: it is gone. Spaces are the caller's, from 1.

        Without `close` the records of the next command stand in the same frame: both are there after a crash, or none.
        """
        cdef Slice name = Slice(<const uint8_t*><char*>key, <uint32_t>len(key), 0)
        cdef Slice content
        if value is None:
            record_entry(&self.core, space, &name, NULL)
        else:
            content = Slice(<const uint8_t*><char*>value, <uint32_t>len(value), 0)
            record_entry(&self.core, space, &name, &content)
        if close:
            record_frame_end(&self.core)

    def commit(self, uint64_t position, synced=None):
        """The log is as durable as the server promises up to `position`, and on disk up to `synced` (None: likewise).

        Replies that showed no more than that may leave.
        """
        cdef Peer* peer = self.core.gated
        cdef uint64_t on_disk = position if synced is None else synced
        if position <= self.core.committed and on_disk <= self.core.synced:
            return
        self.core.committed = max(position, self.core.committed)
        self.core.synced = max(on_disk, self.core.synced)
        while peer != NULL:
            peer_mark(&self.core, peer)
            peer = peer.gated_next

    # --- commands without a connection -------------------------------------------------------------------------------

    def command(self, bytes frame, bint msgpack=False):
        """Run one hot command that no client sent; the whole reply. It leaves nothing behind but what it changed.

        For what the server itself pushes. Rejected when it is refused; ValueError for PULL and PULLB, whose jobs
        nobody would hold, and for commands of the cold tier.
        """
        cdef Peer peer
        cdef Request request
        cdef int status
        memset(&peer, 0, sizeof(peer))
        peer.format = format_of(msgpack)
        scratch_reset(&self.scratch)
        status = wire_scan(peer.format, &self.scratch, <const uint8_t*><char*>frame, <size_t>len(frame), &request)
        if request.op in (OP_PULL, OP_PULLB) or (status == OK and request.op in (OP_NONE, OP_COLD)):
            raise ValueError("not a command that the server may run by itself")
        if status == OK:
            status = hot_execute(&self.core, &peer, &request)
        try:
            if status != OK:
                field = "" if request.problem_field == NULL else (<bytes>request.problem_field).decode("ascii")
                raise Rejected(status, field, request.problem_number)
            if peer.out.failed:
                raise MemoryError("reply buffer")
            return copied(peer.out.data, peer.out.size)
        finally:
            peer_close(&self.core, &peer)   # off the lists of dirty and gated peers too

    # --- jobs --------------------------------------------------------------------------------------------------------

    def get_job(self, uint64_t id, bint msgpack, bint history=True):
        """(whole Job in that format, its state); (None, "unknown"), or (None, "completed") when only that is known.

        With `history` the Job shows how its attempts ended badly.
        """
        cdef Job* job = job_find(&self.core, id)
        if job == NULL:
            return None, "unknown"
        if job == COMPLETED():
            return None, "completed"
        return job_bytes(&self.core, job, msgpack, history), STATES[job.state]

    def get_state(self, uint64_t id):
        """One of STATES, or "unknown"."""
        cdef Job* job = job_find(&self.core, id)
        if job == NULL:
            return "unknown"
        return "completed" if job == COMPLETED() else STATES[job.state]

    def get_result(self, uint64_t id, bint msgpack):
        """The result in that format, or None: unknown job, none given, or no longer kept."""
        cdef Job* job = job_find(&self.core, id)
        cdef Format stored
        cdef WriteBuffer out
        if job == NULL or job == COMPLETED() or job.extra == NULL or job.extra.result == NULL:
            return None
        stored = format_of(job_is(job, JOB_RESULT_MSGPACK))
        if stored == format_of(msgpack):
            return copied(job.extra.result, job.extra.result_size)
        memset(&out, 0, sizeof(out))
        transcode(&out, job.extra.result, job.extra.result_size, stored)
        return taken(&out)

    def get_progress(self, uint64_t id):
        """(progress 0 to 100, message or None) of an active or a kept completed job, else None."""
        cdef Job* job = job_find(&self.core, id)
        if job == NULL or job == COMPLETED() or job.state not in (STATE_ACTIVE, STATE_COMPLETED):
            return None
        if job.extra == NULL or job.extra.message == NULL:
            return job.progress, None
        return job.progress, copied(job.extra.message, job.extra.message_size).decode("utf-8", "replace")

    # --- queues ------------------------------------------------------------------------------------------------------

    cdef int open_queue(self, str queue, Queue** out) except? -1000:
        cdef bytes name = queue.encode("utf-8", "surrogatepass")
        cdef Slice slice
        slice.ptr = <const uint8_t*><char*>name
        slice.size = <uint32_t>len(name)
        slice.flags = 0
        return queue_open(&self.core, &slice, out)

    cdef Queue* find_queue(self, str queue) except? NULL:
        cdef bytes name = queue.encode("utf-8", "surrogatepass")
        return queue_find(&self.core, <const uint8_t*><char*>name, <uint32_t>len(name))

    def pause(self, str queue):
        """Deliver nothing from the queue until it is resumed. OK or a queue-name Status."""
        cdef Queue* found
        cdef int status = self.open_queue(queue, &found)
        if status == OK and not found.paused:
            found.paused = True
            record_queue(&self.core, found)
            engine_done(&self.core)
        return status

    def resume(self, str queue):
        """Undo `pause`; parked pulls are served. OK or a queue-name Status."""
        cdef Queue* found
        cdef int status = self.open_queue(queue, &found)
        if status == OK and found.paused:
            found.paused = False
            record_queue(&self.core, found)
            queue_wants_service(&self.core, found)
            engine_done(&self.core)
        return status

    def is_paused(self, str queue):
        """Whether the queue is paused; an unknown one is not."""
        cdef Queue* found = self.find_queue(queue)
        return found != NULL and bool(found.paused)

    def count(self, str queue):
        """Jobs of the queue that are waiting or delayed."""
        cdef Queue* found = self.find_queue(queue)
        return 0 if found == NULL else queue_waiting(found) + found.delayed.count

    def queues(self):
        """One dict a queue, by name: name, waiting, delayed, active, failed, completed, paused, rate_limit and
        concurrency_limit (None: none), groups (None: nothing set).

        Cost: the queues.
        """
        cdef Queue* queue = self.core.first_queue
        found = []
        while queue != NULL:
            found.append({
                "name": copied(queue.text, queue.name.size).decode("utf-8", "replace"),
                "waiting": queue_waiting(queue), "delayed": queue.delayed.count, "active": queue.active.count,
                "failed": queue.dead.count, "completed": queue.completed, "paused": bool(queue.paused),
                "rate_limit": limit_of(queue.rate_limit), "concurrency_limit": limit_of(queue.concurrency_limit),
                "groups": group_settings(queue),
            })
            queue = queue.next
        return sorted(found, key=_by_name)

    def stats(self):
        """Counts over all queues: queued, processing, delayed, dlq, completed. Cost: the queues."""
        cdef Queue* queue = self.core.first_queue
        cdef uint64_t queued = 0, processing = 0, delayed = 0, dead = 0
        while queue != NULL:
            queued += queue_waiting(queue)
            processing += queue.active.count
            delayed += queue.delayed.count
            dead += queue.dead.count
            queue = queue.next
        return {"queued": queued, "processing": processing, "delayed": delayed, "dlq": dead,
                "completed": self.core.completed}

    def metrics(self):
        """Totals since the start: pushed, completed, failed; latency_ms, mean of the last 1000 jobs kept whole."""
        cdef Job* job = self.core.done.last
        cdef double total = 0
        cdef uint32_t count = 0
        while job != NULL and count < 1000:
            if job.deadline > job.created_at:   # of a completed job that field holds when it was
                total += <double>(job.deadline - job.created_at)
            count += 1
            job = job.place.links.prev
        return {"pushed": self.core.pushed, "completed": self.core.completed, "failed": self.core.failed,
                "latency_ms": total / count if count else 0.0}

    # --- shutdown, introspection -------------------------------------------------------------------------------------

    def close_pulls(self):
        """Answer every parked pull empty, and from now on every pull that finds nothing at once."""
        cdef Queue* queue = self.core.first_queue
        self.core.closing = True
        while queue != NULL:
            while queue.first_waiter != NULL:
                waiters_release(&self.core, queue.first_waiter.waiter.peer)
            queue = queue.next

    def memory(self):
        """What the core holds, for tests and metrics: used and mapped bytes, live objects, names, completed ids."""
        return {"used": self.core.memory.used, "mapped": self.core.memory.mapped,
                "objects": self.core.memory.objects, "queues": self.core.queue_count,
                "completed_ids": self.core.done_count, "completed_jobs": self.core.done.count,
                "expired": self.core.expired, "lost": self.core.lost, "timed_out": self.core.timed_out,
                "limbo": self.core.limbo.count}


cdef object limit_of(uint64_t limit):
    """A queue's limit, None when it has none."""
    return None if limit == <uint64_t>NO_LIMIT else limit


cdef object group_settings(const Queue* queue):
    """What is set of its groups; None when nothing is."""
    if not queue_groups_set(queue):
        return None
    return {"concurrency": queue.group_concurrency, "rate": limit_of(queue.group_rate), "fair": bool(queue.fair)}


def _by_name(info):
    return info["name"]
