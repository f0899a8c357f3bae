"""A load generator: encoded requests out, every reply checked, many connections in one thread without the GIL."""
from array import array

cimport cython
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc
from flashq._bench.histogram cimport Histogram
from flashq._bench.loop cimport run_loop
from flashq._bench.poller cimport (fq_now_ns, fq_poller, fq_poller_add, fq_poller_close, fq_poller_open, fq_ready,
                                   fq_thread_cpu_ns)
from flashq._bench.replies cimport FINE, SOCKET_ERROR
from flashq._bench.traffic cimport MARK_DIGITS, Conn, Frame, Run, Slot, Work, send_frame, slot_add
from libc.errno cimport errno
from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t
from libc.string cimport memset, strerror
from posix.unistd cimport close

cdef enum:
    REPEATED_BYTES = 256 * 1024     # of the frame's copies, so that a deep pipeline goes out in one send
    MAX_DEPTH = 10_000

FAULTS = {
    -1: "not a reply of the protocol",
    -2: "the server refused",
    -3: "the reply lacks what the command returns",
    -4: "the number of ids or jobs differs from what was asked",
    -5: "another job's id, or ids that do not increase",
    -6: "a job that is not as it was pushed",
    -7: "more ids than were asked for",
    -8: "a reply to no request",
    -9: "the echo differs from what was sent",
    -10: "the server closed the connection",
    -11: "socket error",
    -12: "no reply in time",
    -13: "out of memory",
    -14: "a job that this run did not push: the queue was not empty, or others use it",
}


class BenchError(Exception):
    """A reply was wrong, or did not come; the text says which and shows it."""


cdef Py_ssize_t copies(Py_ssize_t depth, Py_ssize_t size):
    """How often to repeat the frame: the whole pipeline, or what fits."""
    return max(1, min(depth, REPEATED_BYTES // max(1, size)))


cdef Frame borrow(bytes data):
    return Frame(data, <size_t>len(data))


@cython.final
cdef class Outcome:
    """What one run did; `items` are jobs (ECHO: messages), nanoseconds and bytes as named."""
    cdef readonly uint64_t requests, items, wall_ns, cpu_ns, bytes_in, bytes_out, id_sum, last_id
    cdef readonly Histogram latency, probe
    cdef readonly object ids

    def __cinit__(self):
        self.latency = Histogram()
        self.probe = Histogram()


@cython.final
cdef class Generator:
    """Connections that one run after the other drives. Owns the structs and, from the sockets given, their descriptors.

    One thread may be in `run`; others may read `items` and call `stop` meanwhile.
    """
    cdef Run run_
    cdef fq_poller poller
    cdef fq_ready* ready            # owned
    cdef bint running
    cdef object broken

    def __cinit__(self, sockets, bint binary=False):
        cdef uint32_t i
        sockets = list(sockets)
        if not 1 <= len(sockets) <= 10_000:
            raise ValueError("1 to 10000 connections")
        self.run_.conn_count = <uint32_t>len(sockets)
        self.run_.binary = binary
        self.run_.conns = <Conn*>PyMem_RawCalloc(self.run_.conn_count, sizeof(Conn))
        self.ready = <fq_ready*>PyMem_RawCalloc(self.run_.conn_count, sizeof(fq_ready))
        if self.run_.conns == NULL or self.ready == NULL:
            raise MemoryError("connections")
        if fq_poller_open(&self.poller, self.run_.conn_count) != 0:
            raise OSError(errno, "poller")
        for i in range(self.run_.conn_count):
            sockets[i].setblocking(False)
            self.run_.conns[i].index = i
            self.run_.conns[i].fd = sockets[i].detach()
            if fq_poller_add(&self.poller, self.run_.conns[i].fd, i) != 0:
                raise OSError(errno, "poller")

    def __dealloc__(self):
        cdef uint32_t i
        self.close_all()
        PyMem_RawFree(self.ready)
        if self.run_.conns != NULL:
            for i in range(self.run_.conn_count):
                PyMem_RawFree(self.run_.conns[i].input.data)
                PyMem_RawFree(self.run_.conns[i].output.data)
                PyMem_RawFree(self.run_.conns[i].slots)
        PyMem_RawFree(self.run_.conns)

    cdef void close_all(self) noexcept:
        """Close the poller and every descriptor, once; one is 0 when it was never taken over."""
        cdef uint32_t i
        fq_poller_close(&self.poller)
        if self.run_.conns == NULL:
            return
        for i in range(self.run_.conn_count):
            if self.run_.conns[i].fd > 0:
                close(self.run_.conns[i].fd)
                self.run_.conns[i].fd = 0

    def close(self):
        """Close the connections; ValueError while a run is under way."""
        if self.running:
            raise ValueError("a run is under way")
        self.broken = "the generator is closed"
        self.close_all()

    @property
    def items(self):
        """Jobs of the run so far."""
        return self.run_.items

    def stop(self):
        """Begin no further request; the run under way, or else the next one, ends when those in flight are answered."""
        self.run_.stop = True

    def run(self, Work work, bytes frame not None=b"", *, uint64_t count=0, double seconds=60.0, uint32_t depth=1,
            uint32_t batch=1, bytes job_tail not None=b"", bytes id_head not None=b"", bytes id_tail not None=b"",
            given=None, uint64_t keep=0, uint64_t keep_every=1, bytes probe not None=b"", double rate=0.0,
            double patience=10.0, marks=None, uint32_t marks_each=1, uint64_t first_number=0):
        """Do `work` until `count` requests (0: no such end) or `seconds` are over, or all pulls run dry; the Outcome.

        `given`: array("Q") of ids. `keep`: how many ids to hand back. `probe`: a frame for the last connection alone,
        `rate` times a second at most. `marks`: array("I") of the places in a push frame where ten digits stand, in
        order; `marks_each` of them get the same number, from `first_number` on, in every copy of the frame. Raises
        BenchError at the first wrong reply; then the connections are unusable.
        """
        cdef bytes repeated = frame * copies(depth, len(frame))
        cdef const uint64_t[::1] ids
        cdef const uint32_t[::1] places
        cdef int fault
        cdef uint64_t cpu_ns
        cdef object kept = array("Q", bytes(8 * keep))
        cdef uint64_t[::1] kept_ids
        if self.running or self.broken:
            raise BenchError(self.broken or "a run is under way")
        if not 1 <= depth <= MAX_DEPTH or batch < 1 or seconds <= 0 or (probe and rate <= 0) or keep_every < 1:
            raise ValueError("depth, batch, seconds, rate or keep_every out of range")
        self.reset(work, depth, batch)
        self.run_.frame, self.run_.repeated, self.run_.probe = borrow(frame), borrow(repeated), borrow(probe)
        self.run_.id_head, self.run_.id_tail = borrow(id_head), borrow(id_tail)
        self.run_.shape.tail, self.run_.shape.size = job_tail, <size_t>len(job_tail)
        self.run_.left = count if count else UINT64_MAX
        if work == Work.BY_ID or work == Work.GET_BY_ID:
            ids = given
            self.run_.given = &ids[0] if len(ids) else NULL
            self.run_.left = <uint64_t>len(ids)
        if marks:
            if work not in (Work.PUSH, Work.PUSHB) or marks_each < 1 or max(marks) + MARK_DIGITS > len(frame):
                raise ValueError("marks are places in a push frame")
            places = marks
            self.run_.marks, self.run_.mark_count = &places[0], <uint32_t>len(places)
            self.run_.marks_each, self.run_.number = marks_each, first_number
        if keep:
            kept_ids = kept
            self.run_.kept, self.run_.kept_cap, self.run_.keep_every = &kept_ids[0], keep, keep_every
        self.reserve()
        self.pace(work, bool(probe), rate, seconds, patience)
        self.running = True
        try:
            with nogil:
                cpu_ns = fq_thread_cpu_ns()
                fault = run_loop(&self.run_, &self.poller, self.ready)
                cpu_ns = fq_thread_cpu_ns() - cpu_ns
            if fault != FINE:
                self.broken = self.explain(fault)
                raise BenchError(self.broken)
            return self.outcome(cpu_ns, kept)
        finally:
            self.running = False
            self.run_.stop = False
            PyMem_RawFree(self.run_.reply.ids)
            self.run_.reply.ids = NULL

    cdef int reset(self, Work work, uint32_t depth, uint32_t batch) except -1:
        """Empty the counters of the last run; connections and their buffers stay."""
        cdef Conn* conns = self.run_.conns
        cdef uint32_t count = self.run_.conn_count
        cdef bint binary = self.run_.binary
        cdef bint stop = self.run_.stop
        memset(&self.run_, 0, sizeof(Run))
        self.run_.conns, self.run_.conn_count, self.run_.binary = conns, count, binary
        self.run_.stop = stop
        self.run_.work, self.run_.depth, self.run_.batch = work, depth, batch
        return 0

    cdef int reserve(self) except -1:
        """Room for the ids of one reply, and each connection's slots."""
        cdef Conn* conn
        cdef uint32_t i
        self.run_.reply.ids_cap = self.run_.batch
        self.run_.reply.ids = <uint64_t*>PyMem_RawMalloc(self.run_.batch * sizeof(uint64_t))
        if self.run_.reply.ids == NULL:
            raise MemoryError("ids")
        for i in range(self.run_.conn_count):
            conn = &self.run_.conns[i]
            PyMem_RawFree(conn.slots)
            conn.slots = <Slot*>PyMem_RawCalloc(self.run_.depth + 1, sizeof(Slot))
            if conn.slots == NULL:
                raise MemoryError("slots")
            conn.first_slot, conn.in_flight, conn.last_id, conn.frame_at = 0, 0, 0, 0
            conn.scanned, conn.dry, conn.paced, conn.work = 0, False, False, self.run_.work
        return 0

    cdef int pace(self, Work work, bint probing, double rate, double seconds, double patience) except -1:
        """Set the clocks; DELIVER's worker already waits when its producer begins."""
        cdef Conn* last = &self.run_.conns[self.run_.conn_count - 1]
        self.run_.now_ns = self.run_.heard_ns = self.run_.begun_ns = fq_now_ns()
        self.run_.deadline_ns = self.run_.now_ns + <uint64_t>(seconds * 1e9)
        self.run_.patience_ns = <uint64_t>(patience * 1e9)
        self.run_.interval_ns = <uint64_t>(1e9 / rate) if rate > 0 else 0
        if work == Work.DELIVER and (self.run_.conn_count != 2 or not probing):
            raise ValueError("DELIVER takes two connections, and the push as its probe")
        if not probing:
            return 0
        last.paced = True
        last.due_ns = self.run_.now_ns
        if work != Work.DELIVER:
            last.work = Work.ECHO if work == Work.ECHO else Work.FIXED
            return 0
        last.work, self.run_.conns[0].work = Work.PUSH, Work.PULL
        last.due_ns += self.run_.interval_ns
        slot_add(&self.run_, &self.run_.conns[0])
        if not send_frame(&self.run_.conns[0], self.run_.frame):
            raise MemoryError("frame")
        return 0

    cdef object explain(self, int fault):
        """The text of a BenchError."""
        text = FAULTS[fault]
        if fault == SOCKET_ERROR:
            return f"{text}: {strerror(errno).decode()}"
        if self.run_.wrong == NULL:
            return text
        shown = (<const char*>self.run_.wrong)[:min(<Py_ssize_t>self.run_.wrong_size, 300)]
        return f"{text}: {shown!r}"

    cdef Outcome outcome(self, uint64_t cpu_ns, object kept):
        cdef Outcome result = Outcome()
        cdef Run* run = &self.run_
        result.wall_ns = run.heard_ns - run.begun_ns        # to the last reply
        result.cpu_ns = cpu_ns
        result.requests, result.items, result.id_sum, result.last_id = run.requests, run.items, run.id_sum, run.last_id
        result.bytes_in, result.bytes_out = run.bytes_in, run.bytes_out
        result.latency.buckets, result.probe.buckets = run.latency, run.probed
        result.ids = kept[:<Py_ssize_t>run.kept_count]
        return result
