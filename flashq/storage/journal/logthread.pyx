"""The thread that writes the log, and never takes the GIL: buffers in, the loop's bell out."""
from flashq._core.buffer cimport buffer_swap
from flashq.storage.journal.crc32c cimport crc32c
from flashq.storage.journal.diskio cimport (bell_ring, cond_wait_until, exchange, go_cached, iovec, load, mono_ns,
                                            pthread_cond_signal, pthread_mutex_lock, pthread_mutex_unlock,
                                            signals_off, signals_on, store, sync_data, write_all)
from flashq.storage.journal.logformat cimport END_MAGIC, GROUP_HEAD, GROUP_MAGIC, SEGMENT_HEAD, GroupHead, head_crc
from flashq.storage.journal.plate cimport copy_and_sum, plate_open, plate_room, plate_write, plate_write_room
from libc.errno cimport EINVAL
from libc.stdint cimport UINT64_MAX
from libc.string cimport memcpy
from posix.signal cimport sigset_t

cdef enum Task:
    TASK_NONE = 0
    TASK_WRITE = 1
    TASK_SYNC = 2
    TASK_MARK = 3               # state that all is durable, so that damage to it is found
    TASK_END = 4

cdef enum:
    MARK_NS = 50_000_000        # after the last group


cdef void ring(Log* log) noexcept nogil:
    if exchange(&log.rung, 1) == 0:
        bell_ring(log.bell[1])


cdef bint fail(Log* log, int error, Failure failure) noexcept nogil:
    """The first failure is the one that is told. Always False."""
    if load(&log.failed) == 0:
        store(&log.failure, failure)
        store(&log.failed, <uint64_t>error)
    ring(log)
    return False


cdef void log_fail(Log* log, int error) noexcept nogil:
    pthread_mutex_lock(&log.lock)
    fail(log, error, FAILED_ELSEWHERE)
    pthread_mutex_unlock(&log.lock)
    pthread_cond_signal(&log.wake)


cdef Task task_now(const Log* log, uint64_t now, uint64_t* due) noexcept nogil:
    """What is to be done; when there is nothing, `due` says when to look again."""
    due[0] = UINT64_MAX
    if log.failed:
        return TASK_END
    if log.waiting.count:
        return TASK_WRITE
    if log.base > log.durable:
        if log.closing or log.hurry_to > log.durable or now >= log.sync_due:
            return TASK_SYNC
        due[0] = log.sync_due
    elif log.closing:
        return TASK_END
    elif log.stated < log.base:
        if now >= log.touched + MARK_NS:
            return TASK_MARK
        due[0] = log.touched + MARK_NS
    return TASK_NONE


cdef void take(Log* log) noexcept nogil:
    """Buffers for one group, out of those that wait."""
    cdef Batch* waiting = &log.waiting
    cdef Batch* taken = &log.taken
    cdef uint64_t bytes = 0
    cdef uint32_t at, count = 0
    while count < waiting.count and (count == 0 or bytes + waiting.buffers[count].size <= log.most):
        bytes += waiting.buffers[count].size
        taken.last[count] = waiting.last[count]
        buffer_swap(&waiting.buffers[count], &taken.buffers[count])
        count += 1
    for at in range(count, waiting.count):
        waiting.last[at - count] = waiting.last[at]
        buffer_swap(&waiting.buffers[at - count], &waiting.buffers[at])
    waiting.count -= count
    taken.count = count


cdef Task await_task(Log* log) noexcept nogil:
    cdef Task task
    pthread_mutex_lock(&log.lock)
    while True:
        log.due = UINT64_MAX
        # While it is lent nothing of what the thread owns may be looked at: the loop writes to it, without the lock.
        task = TASK_NONE if log.lent else task_now(log, mono_ns(), &log.due)
        if task != TASK_NONE:
            break
        log.idle = True
        cond_wait_until(&log.wake, &log.lock, log.due)
        log.idle = False
    if task == TASK_WRITE:
        take(log)
    pthread_mutex_unlock(&log.lock)
    return task


cdef bint sync(Log* log) noexcept nogil:
    """All that was written is durable; False when that failed."""
    cdef uint64_t began = mono_ns()
    cdef int error = sync_data(log.current.fd)
    log.sync_took = log.write_took + mono_ns() - began
    if error != 0:
        return fail(log, error, FAILED_SYNC)
    store(&log.durable, log.base)
    ring(log)
    return True


cdef int log_enter(Log* log) noexcept nogil:
    cdef int error = 0
    log.offset = SEGMENT_HEAD
    if log.current.direct:
        error = plate_open(&log.plate, log.current.fd, SEGMENT_HEAD)
    if error == EINVAL:             # not on this file system, though it took the flag
        log.current.direct = False
        error = go_cached(log.current.fd)
    return error


cdef bint rotate(Log* log, uint64_t need) noexcept nogil:
    """Go on in the next segment, once there is one with room for `need` bytes; False: there will be none."""
    cdef int error
    # Synced first, so that nothing in a later segment is there without all before it.
    if log.base > log.durable and not sync(log):
        return False
    need += SEGMENT_HEAD + GROUP_HEAD
    pthread_mutex_lock(&log.lock)
    while log.next.fd < 0 or log.next.size < need:
        if log.failed or (log.closing and log.full):
            pthread_mutex_unlock(&log.lock)
            return False
        log.wanted = need
        pthread_cond_signal(&log.need)
        cond_wait_until(&log.wake, &log.lock, UINT64_MAX)
    log.wanted = 0
    log.retired, log.current = log.current, log.next
    log.current.base = log.base
    log.next.fd = -1
    pthread_cond_signal(&log.need)
    pthread_mutex_unlock(&log.lock)
    error = log_enter(log)
    return error == 0 or fail(log, error, FAILED_WRITE)


cdef bint has_room(const Log* log, uint64_t need) noexcept nogil:
    """Whether a group of `need` bytes fits, with room behind it for the end of the segment."""
    return log.offset + need + GROUP_HEAD <= log.current.size


cdef uint32_t sum_of(const iovec* parts, int count, uint32_t crc) noexcept nogil:
    cdef int part
    for part in range(count):
        crc = crc32c(crc, parts[part].iov_base, parts[part].iov_len)
    return crc


cdef int put_group(Log* log, GroupHead* head, iovec* parts, int count, uint64_t last) noexcept nogil:
    """Write what stands in parts[1:] as one group; 0 or errno."""
    cdef uint64_t began
    cdef int part, error
    cdef char* room = NULL
    head.number = log.current.number
    head.base = log.base
    head.last = last
    head.durable = log.durable
    head.size = 0
    for part in range(1, count):
        head.size += <uint32_t>parts[part].iov_len
    if log.current.direct:
        room = plate_room(&log.plate, GROUP_HEAD + head.size)
    if room != NULL:
        head.payload_crc = copy_and_sum(room + GROUP_HEAD, parts + 1, count - 1, log.current.salt)
    else:
        head.payload_crc = sum_of(parts + 1, count - 1, log.current.salt)
    head.head_crc = head_crc(head, log.current.salt)
    parts[0].iov_base, parts[0].iov_len = head, <size_t>GROUP_HEAD
    began = mono_ns()
    if room != NULL:
        memcpy(room, head, GROUP_HEAD)
        error = plate_write_room(&log.plate, log.current.fd, GROUP_HEAD + head.size)
    elif log.current.direct:
        error = plate_write(&log.plate, log.current.fd, parts, count)
    else:
        error = write_all(log.current.fd, parts, count, log.offset)
    log.write_took = mono_ns() - began
    if error == 0:
        log.offset += GROUP_HEAD + head.size
        store(&log.log_bytes, log.log_bytes + GROUP_HEAD + head.size)
    return error


cdef bint write_taken(Log* log) noexcept nogil:
    """What was taken as one group; in the mode that waits for the disk also a sync. False when either failed."""
    cdef iovec[SLOTS + 1] parts
    cdef GroupHead head
    cdef uint64_t bytes = 0, hurry_to, now
    cdef uint32_t at
    cdef int error
    cdef bint first = log.base == log.durable       # of those that the next sync is for
    for at in range(log.taken.count):
        parts[at + 1].iov_base, parts[at + 1].iov_len = log.taken.buffers[at].data, log.taken.buffers[at].size
        bytes += log.taken.buffers[at].size
    if not has_room(log, GROUP_HEAD + bytes) and not rotate(log, GROUP_HEAD + bytes):
        return False
    head.magic = <uint32_t>GROUP_MAGIC
    error = put_group(log, &head, parts, <int>log.taken.count + 1, log.taken.last[log.taken.count - 1])
    if error != 0:
        return fail(log, error, FAILED_WRITE)
    for at in range(log.taken.count):
        log.taken.buffers[at].size = 0
    log.base = head.last
    log.stated = max(log.stated, head.durable)
    store(&log.done_bytes, log.done_bytes + bytes)
    store(&log.written, log.base)
    log.touched = now = mono_ns()
    if log.each:
        return sync(log)
    ring(log)
    if first:
        log.sync_due = now + log.interval
    hurry_to = load(&log.hurry_to)
    return (now < log.sync_due and (hurry_to <= log.durable or hurry_to > log.base)) or sync(log)


cdef bint may_lend(const Log* log) noexcept nogil:
    """Whether all that waits can be written by another thread in the place of this one, which sleeps."""
    cdef uint64_t bytes = 0
    cdef uint32_t at
    for at in range(log.waiting.count):
        bytes += log.waiting.buffers[at].size
    return (log.idle and log.each and log.sync_took <= log.quick and bytes != 0 and bytes <= log.most
            and not log.closing and not log.failed and has_room(log, GROUP_HEAD + bytes))


cdef bint log_write(Log* log) noexcept nogil:
    """Write and sync what waits in the thread of the caller, if the disk is quick; else wake the log's thread for it.

    True: there is news, without a ring of the bell. A signal waits meanwhile, as it never comes to the thread either.
    """
    cdef uint64_t rung
    cdef sigset_t signals
    cdef bint lent, wake
    pthread_mutex_lock(&log.lock)
    lent = wake = may_lend(log)
    log.lent = lent
    if lent:
        take(log)
    pthread_mutex_unlock(&log.lock)
    if lent:
        rung = exchange(&log.rung, 1)
        signals_off(&signals)
        write_taken(log)
        signals_on(&signals)
        exchange(&log.rung, rung)
        pthread_mutex_lock(&log.lock)
        log.lent = False
        wake = log.due == UINT64_MAX        # else it wakes by itself, and looks when to state what is durable now
        pthread_mutex_unlock(&log.lock)
    if wake or not lent:
        pthread_cond_signal(&log.wake)
    return lent


cdef bint mark(Log* log, int magic) noexcept nogil:
    """A group without payload, which states that everything is durable: a marker, or the end of the segment."""
    cdef iovec[1] parts
    cdef GroupHead head
    cdef int error
    if magic == GROUP_MAGIC and not has_room(log, GROUP_HEAD) and not rotate(log, GROUP_HEAD):
        return False
    head.magic = <uint32_t>magic
    error = put_group(log, &head, parts, 1, log.base)
    if error != 0:
        return fail(log, error, FAILED_WRITE)
    if not sync(log):
        return False
    log.stated = log.durable
    return True


cdef void* log_main(void* given) noexcept nogil:
    cdef Log* log = <Log*>given
    cdef Task task = TASK_NONE
    cdef bint fine = True
    while fine and task != TASK_END:
        task = await_task(log)
        if task == TASK_WRITE:
            fine = write_taken(log)
        elif task == TASK_SYNC:
            fine = sync(log)
        elif task == TASK_MARK:
            fine = mark(log, GROUP_MAGIC)
    if load(&log.failed) == 0:
        mark(log, END_MAGIC)
    return NULL
