"""The loop: what came is settled, what may go is sent, until the run is done."""
from flashq._bench.poller cimport fq_now_ns, fq_poller, fq_poller_wait, fq_poller_want_write, fq_ready
from flashq._bench.replies cimport CLOSED, FINE, NO_MEMORY, SILENT, SOCKET_ERROR
from flashq._bench.traffic cimport DELIVER, MAX_REPLY, Blob, Conn, Run, blob_reserve, next_reply, refill, settle
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send(int fd, const void* buffer, size_t size, int flags)

cdef enum:
    READ_ROOM = 256 * 1024          # at least so much is free before a read
    WAIT_MS = 50                    # the stop flag and the patience are looked at this often


cdef int conn_read(Run* run, Conn* conn) noexcept nogil:
    """Take what came, and settle every whole reply of it."""
    cdef Blob* blob = &conn.input
    cdef const uint8_t* frame = NULL
    cdef size_t size = 0
    cdef ssize_t got
    cdef int fault
    if blob.end - blob.start > MAX_REPLY or not blob_reserve(blob, READ_ROOM):
        return NO_MEMORY
    got = recv(conn.fd, blob.data + blob.end, blob.cap - blob.end - 1, 0)
    if got <= 0:
        if got < 0 and (errno == EAGAIN or errno == EINTR):
            return FINE
        return CLOSED if got == 0 else SOCKET_ERROR
    blob.end += <size_t>got
    run.bytes_in += <uint64_t>got
    run.now_ns = run.heard_ns = fq_now_ns()
    while next_reply(run, conn, &frame, &size):
        fault = settle(run, conn, frame, size)
        if fault != FINE:
            run.wrong, run.wrong_size = frame, size
            return fault
    if blob.start == blob.end:
        blob.start = blob.end = 0
    return FINE


cdef ssize_t send_some(Run* run, Conn* conn) noexcept nogil:
    """One send: of the repeated frame straight from its shared copies, else of what was made for this connection."""
    cdef Blob* out = &conn.output
    cdef ssize_t sent
    cdef size_t size
    if conn.owed > 0:
        size = min(conn.owed, run.repeated.size - conn.frame_at)
        sent = send(conn.fd, run.repeated.data + conn.frame_at, size, 0)
        if sent > 0:
            conn.owed -= <size_t>sent
            conn.frame_at = (conn.frame_at + <size_t>sent) % run.frame.size
        return sent
    sent = send(conn.fd, out.data + out.start, out.end - out.start, 0)
    if sent > 0:
        out.start += <size_t>sent
        if out.start == out.end:
            out.start = out.end = 0
    return sent


cdef int conn_flush(Run* run, Conn* conn, fq_poller* poller) noexcept nogil:
    """Send until nothing is left or the socket is full; then wait for room."""
    cdef ssize_t sent
    cdef bint full = False
    while conn.owed > 0 or conn.output.end > conn.output.start:
        sent = send_some(run, conn)
        if sent < 0:
            if errno == EINTR:
                continue
            if errno != EAGAIN:
                return SOCKET_ERROR
            full = True
            break
        run.bytes_out += <uint64_t>sent
    if full != conn.wants_write:
        conn.wants_write = full
        if fq_poller_want_write(poller, conn.fd, conn.index, full) != 0:
            return SOCKET_ERROR
    return FINE


cdef int serve_ready(Run* run, fq_poller* poller, const fq_ready* ready) noexcept nogil:
    cdef Conn* conn = &run.conns[ready.index]
    cdef int fault = FINE
    if ready.readable:
        fault = conn_read(run, conn)
    if fault == FINE:
        fault = refill(run, conn)
    return fault if fault != FINE else conn_flush(run, conn, poller)


cdef bint finished(const Run* run) noexcept nogil:
    cdef const Conn* last = &run.conns[run.conn_count - 1]
    cdef uint32_t i
    if run.open > 0 or run.awaited > 0 or (last.paced and last.in_flight > 0):
        return False
    if run.left == 0:
        return True
    for i in range(run.conn_count):
        if run.conns[i].paced and (run.conn_count == 1 or run.work == DELIVER):
            return False
        if not run.conns[i].paced and not run.conns[i].dry and run.work != DELIVER:
            return False
    return True


cdef int wait_ms(const Run* run) noexcept nogil:
    """How long to sleep: not at all in the last millisecond before the paced connection is due."""
    cdef const Conn* last = &run.conns[run.conn_count - 1]
    if not last.paced or last.in_flight > 0 or run.awaited > 0:
        return WAIT_MS
    if last.due_ns <= run.now_ns:
        return 0
    return <int>min(<uint64_t>WAIT_MS, (last.due_ns - run.now_ns) // 1_000_000)


cdef int run_loop(Run* run, fq_poller* poller, fq_ready* ready) noexcept nogil:
    """Drive all connections until the work is done: FINE or the first Fault."""
    cdef Conn* last = &run.conns[run.conn_count - 1]
    cdef uint32_t i
    cdef int fault, count, at
    cdef fq_ready kick = fq_ready(0, False, True)
    for i in range(run.conn_count):
        kick.index = i
        fault = serve_ready(run, poller, &kick)
        if fault != FINE:
            return fault
    while not finished(run):
        count = fq_poller_wait(poller, ready, wait_ms(run))
        if count < 0:
            return SOCKET_ERROR
        run.now_ns = fq_now_ns()
        for at in range(count):
            fault = serve_ready(run, poller, &ready[at])
            if fault != FINE:
                return fault
        if run.stop or (last.paced and run.work != DELIVER and run.now_ns >= run.deadline_ns):
            run.left = 0
        if last.paced:
            kick.index = last.index
            fault = serve_ready(run, poller, &kick)
            if fault != FINE:
                return fault
        if run.now_ns > run.heard_ns + run.patience_ns and (run.open > 0 or run.awaited > 0 or last.in_flight > 0):
            return SILENT
    return FINE
