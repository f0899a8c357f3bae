"""The loop's end of the thread that writes the log: takes frames, tells how far they are safe, hands it segments."""
from flashq._core.buffer cimport buffer_close, buffer_put, buffer_shrink, buffer_swap
from flashq.storage.journal.diskio cimport (bell_answer, bell_close, bell_open, cond_open, cond_wait_until, exchange,
                                            go_direct, load, mono_ns, pthread_cond_destroy, pthread_cond_signal,
                                            pthread_join, pthread_mutex_destroy, pthread_mutex_init,
                                            pthread_mutex_lock, pthread_mutex_unlock, store, thread_start)
from flashq.storage.journal.logthread cimport (FAILED_ELSEWHERE, FAILED_SYNC, FAILED_WRITE, SLOTS, Batch, Log, Segment,
                                               log_enter, log_fail, log_main, log_write)
from flashq.storage.journal.plate cimport BLOCK, plate_close
from libc.stdint cimport UINT64_MAX, uint32_t
from libc.string cimport memset
from posix.unistd cimport close

import os

cdef enum:
    SWAPPED = 1 << 14           # frames from this size on are not copied: a swap of buffers costs less
    KEPT = 1 << 20              # bytes that a buffer may keep for the next frames
    TAIL_MOST = 1 << 30         # bytes copied onto one buffer: the size of a group has 32 bits

_ACTS = {FAILED_WRITE: "writing to", FAILED_SYNC: "syncing", FAILED_ELSEWHERE: "preparing the segment after"}


cdef void no_segment(Segment* segment) noexcept nogil:
    memset(segment, 0, sizeof(segment[0]))
    segment.fd = -1


cdef Segment new_segment(const Log* log, int fd, uint64_t number, uint64_t size, uint32_t salt) noexcept nogil:
    """To go on in. A write past the page cache is a detour unless it is synced at once."""
    cdef bint direct = log.each and size % BLOCK == 0 and go_direct(fd) == 0
    return Segment(fd, direct, salt, number, size, 0)


cdef void segment_close(Segment* segment) noexcept nogil:
    if segment.fd >= 0:
        close(segment.fd)
    segment.fd = -1


cdef void batch_close(Batch* batch) noexcept nogil:
    cdef uint32_t at
    for at in range(<uint32_t>SLOTS):
        buffer_close(&batch.buffers[at])


cdef class LogWriter(Sink):
    """Frames in, positions out. All methods are the loop's, but `hurry` and those of the keeper, which may come from
    any thread.

    With `each`, a group is synced before it is reported as written; else at most `sync_interval_ms` later. `most`
    bytes make a group; what came in one piece stays together all the same. After a write and sync that took at most
    `quick_ns` a caller with nothing else to do writes the next group itself.
    """

    def __cinit__(self, *_args, **_options):
        memset(&self.log, 0, sizeof(self.log))
        no_segment(&self.log.current)
        no_segment(&self.log.next)
        no_segment(&self.log.retired)
        self.log.bell[0] = self.log.bell[1] = -1
        if (pthread_mutex_init(&self.log.lock, NULL) != 0 or cond_open(&self.log.wake) != 0
                or cond_open(&self.log.need) != 0):
            raise MemoryError("locks of the log")

    def __init__(self, *, bint each, uint32_t sync_interval_ms, uint64_t most, uint64_t quick_ns):
        self.log.each = each
        self.log.interval = <uint64_t>sync_interval_ms * 1_000_000
        self.log.most = most
        self.log.quick = quick_ns
        self.log.sync_took = UINT64_MAX     # nobody knows yet

    def __dealloc__(self):
        if self.running:
            self.log.full = True    # nobody prepares segments any more
            self.join()
        segment_close(&self.log.current)
        segment_close(&self.log.next)
        segment_close(&self.log.retired)
        batch_close(&self.log.waiting)
        batch_close(&self.log.taken)
        buffer_close(&self.given)
        plate_close(&self.log.plate)
        bell_close(self.log.bell)
        pthread_mutex_destroy(&self.log.lock)
        pthread_cond_destroy(&self.log.wake)
        pthread_cond_destroy(&self.log.need)

    # --- the loop's side ---------------------------------------------------------------------------------------------

    def begin(self, int fd, uint64_t number, uint64_t size, uint32_t salt, uint64_t position):
        """Start the thread: the log goes on behind `position` in this segment, whose file it owns from here on.

        The descriptor that is readable when there is news.
        """
        cdef int error = bell_open(self.log.bell)
        if error != 0:
            raise OSError(error, os.strerror(error))
        self.log.current = new_segment(&self.log, fd, number, size, salt)
        self.log.current.base = position
        error = log_enter(&self.log)
        if error != 0:
            raise OSError(error, os.strerror(error))
        self.log.base = self.log.stated = self.log.written = self.log.durable = self.log.put_position = position
        error = thread_start(&self.log.thread, log_main, &self.log)
        if error != 0:
            raise OSError(error, os.strerror(error))
        self.running = True
        return self.log.bell[0]

    cdef int put(self, WriteBuffer* frames, uint64_t position) except -1:
        cdef Batch* waiting = &self.log.waiting
        cdef WriteBuffer* tail
        cdef size_t size = frames.size
        cdef bint fine = True
        if not self.running or load(&self.log.failed) != 0:
            frames.size = 0                     # nothing is reported any more, so nothing need be kept
            return 0
        pthread_mutex_lock(&self.log.lock)
        if waiting.count == 0 or (size >= <size_t>SWAPPED and waiting.count < <uint32_t>SLOTS):
            waiting.count += 1
            buffer_swap(frames, &waiting.buffers[waiting.count - 1])
        else:
            tail = &waiting.buffers[waiting.count - 1]
            fine = tail.size + size <= <size_t>TAIL_MOST
            if fine:
                buffer_put(tail, frames.data, size)
                fine = not tail.failed
                tail.failed = False
        if fine:
            waiting.last[waiting.count - 1] = position
            store(&self.log.put_bytes, self.log.put_bytes + size)
            store(&self.log.put_position, position)
        pthread_mutex_unlock(&self.log.lock)
        if not fine:
            raise MemoryError("no room for records on their way to the disk")
        frames.size = 0
        buffer_shrink(frames, KEPT)
        return 0

    cdef int wake(self) except -1:
        cdef bint idle
        pthread_mutex_lock(&self.log.lock)
        idle = self.log.idle
        self.log.idle = False           # it is as good as awake: the loop does not take this from it
        pthread_mutex_unlock(&self.log.lock)
        if idle:
            pthread_cond_signal(&self.log.wake)
        return 0

    cdef int write(self) except -1:
        cdef bint done
        if self.running:
            with nogil:
                done = log_write(&self.log)
            if done:
                self.told()
        return 0

    cdef uint64_t pending_bytes(self) noexcept nogil:
        return load(&self.log.put_bytes) - load(&self.log.done_bytes)

    def append(self, bytes records, uint64_t position, *, bint idle=False):
        """Take whole frames, the last of which ends the log at `position`.

        `idle`: the caller has nothing else to do. If the disk is quick it is the caller who writes and syncs them.
        """
        self.given.size = 0
        buffer_put(&self.given, <const char*>records, <size_t>len(records))
        if self.given.failed:
            buffer_close(&self.given)
            raise MemoryError("records on their way to the disk")
        self.put(&self.given, position)
        if idle:
            self.write()
        else:
            self.wake()

    def told(self):
        """There is news: for a derived class."""

    def hear(self):
        """There is news, by the descriptor that became readable."""
        bell_answer(self.log.bell[0])
        exchange(&self.log.rung, 0)
        self.told()

    def news(self):
        """(position written, position durable, whether the log has failed)."""
        return load(&self.log.written), load(&self.log.durable), load(&self.log.failed) != 0

    def hurry(self):
        """Sync what was put so far as soon as it is written, not only after the interval."""
        pthread_mutex_lock(&self.log.lock)
        store(&self.log.hurry_to, self.log.put_position)
        pthread_mutex_unlock(&self.log.lock)
        pthread_cond_signal(&self.log.wake)

    def finish(self):
        """Write and sync what was put, unless there is no space for it; end the segment and the thread."""
        if self.running:
            self.join()
            segment_close(&self.log.current)

    cdef int join(self) except -1:
        pthread_mutex_lock(&self.log.lock)
        self.log.closing = True
        pthread_mutex_unlock(&self.log.lock)
        pthread_cond_signal(&self.log.wake)
        with nogil:
            pthread_join(self.log.thread, NULL)
        self.running = False
        return 0

    @property
    def put_position(self):
        """Position of the last record that was put."""
        return self.log.put_position

    @property
    def written(self):
        """Position up to which the log is written: a crash of this process alone loses nothing before it."""
        return load(&self.log.written)

    @property
    def durable(self):
        """Position up to which the log is on disk."""
        return load(&self.log.durable)

    @property
    def waiting_bytes(self):
        """Bytes put and not yet written."""
        return self.pending_bytes()

    @property
    def log_bytes(self):
        """Bytes written to segments since the start, headers of groups included."""
        return load(&self.log.log_bytes)

    @property
    def segment(self):
        """(number of the segment that is written to, position of the last record before it)."""
        cdef Segment current
        pthread_mutex_lock(&self.log.lock)
        current = self.log.current
        pthread_mutex_unlock(&self.log.lock)
        return current.number, current.base

    @property
    def failure(self):
        """(errno, what was being done) of what ended the log; None while it is fine."""
        cdef int error = <int>load(&self.log.failed)
        if error == 0:
            return None
        return error, f"{_ACTS[load(&self.log.failure)]} segment {self.log.current.number}"

    # --- the keeper's side -------------------------------------------------------------------------------------------

    def offer(self, int fd, uint64_t number, uint64_t size, uint32_t salt):
        """The segment to go on in. The descriptor of one offered before that was not used comes back; else None."""
        cdef Segment before
        cdef Segment offered = new_segment(&self.log, fd, number, size, salt)
        pthread_mutex_lock(&self.log.lock)
        before = self.log.next
        self.log.next = offered
        pthread_mutex_unlock(&self.log.lock)
        pthread_cond_signal(&self.log.wake)
        return None if before.fd < 0 else before.fd

    def take_retired(self):
        """The descriptor of the segment that the log has left; None when it has not."""
        cdef Segment retired
        pthread_mutex_lock(&self.log.lock)
        retired = self.log.retired
        no_segment(&self.log.retired)
        pthread_mutex_unlock(&self.log.lock)
        return None if retired.fd < 0 else retired.fd

    def wanted_size(self, uint64_t usual):
        """Bytes of the segment that is to be offered, `usual` or some more blocks; 0: one is there."""
        cdef uint64_t wanted
        pthread_mutex_lock(&self.log.lock)
        wanted = max((self.log.wanted + BLOCK - 1) // BLOCK * BLOCK, usual)
        if self.log.next.fd >= 0 and self.log.next.size >= self.log.wanted:
            wanted = 0
        pthread_mutex_unlock(&self.log.lock)
        return wanted

    def tell_full(self, bint full):
        """Whether there is no space for another segment: `finish` then does not wait for one."""
        pthread_mutex_lock(&self.log.lock)
        self.log.full = full
        pthread_mutex_unlock(&self.log.lock)
        pthread_cond_signal(&self.log.wake)

    def fail(self, int error):
        """Report nothing as durable any more: a segment could not be prepared, for another reason than space."""
        log_fail(&self.log, error)

    def poke(self):
        """Let `await_need` return."""
        pthread_mutex_lock(&self.log.lock)
        self.log.poked = True
        pthread_mutex_unlock(&self.log.lock)
        pthread_cond_signal(&self.log.need)

    def await_need(self, double seconds):
        """Sleep until a segment is wanted or was left, until `poke`, or for `seconds`; a negative number: for ever."""
        cdef uint64_t until = UINT64_MAX
        if seconds >= 0:
            until = mono_ns() + <uint64_t>(seconds * 1e9)
        with nogil:
            pthread_mutex_lock(&self.log.lock)
            while not self.log.poked and self.log.retired.fd < 0 and mono_ns() < until:
                if seconds < 0 and (self.log.next.fd < 0 or self.log.wanted > self.log.next.size):
                    break
                cond_wait_until(&self.log.need, &self.log.lock, until)
            self.log.poked = False
            pthread_mutex_unlock(&self.log.lock)
