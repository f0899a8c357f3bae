"""What one connection of a run says and hears: requests begun, replies cut from the stream, checked and followed up."""
from cpython.mem cimport PyMem_RawRealloc
from flashq._bench.histogram cimport buckets_add
from flashq._bench.json_replies cimport json_reply
from flashq._bench.msgpack_replies cimport msgpack_reply
from flashq._bench.replies cimport (FINE, FOREIGN_JOB, MISSING, NO_MEMORY, SEEN_ID, SEEN_IDS, SEEN_JOB, SEEN_JOBS,
                                    UNEXPECTED, WRONG_COUNT, WRONG_ECHO, WRONG_ID)
from flashq._bench.traffic cimport (BY_ID, DELIVER, ECHO, FIXED, GET_BY_ID, MARK_DIGITS, MAX_REPLY, PULL, PULL_ACK,
                                    PULLB_ACKB, PUSH, PUSHB, Blob, Conn, Frame, Run, Slot)
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove


# --- buffers

cdef bint blob_reserve(Blob* blob, size_t room) noexcept nogil:
    """Make `room` bytes free behind `end`; False when memory is short, then nothing has changed."""
    cdef size_t cap, used = blob.end - blob.start
    cdef void* data
    if blob.cap - blob.end >= room:
        return True
    if blob.start > 0:
        memmove(blob.data, blob.data + blob.start, used)
        blob.start = 0
        blob.end = used
        if blob.cap - used >= room:
            return True
    cap = 2 * blob.cap + room
    data = PyMem_RawRealloc(blob.data, cap)
    if data == NULL:
        return False
    blob.data = <uint8_t*>data
    blob.cap = cap
    return True


cdef inline void blob_put(Blob* blob, const void* data, size_t size) noexcept nogil:
    """Append; the room was reserved."""
    memcpy(blob.data + blob.end, data, size)
    blob.end += size


cdef void put_decimal(Blob* blob, uint64_t value) noexcept nogil:
    cdef uint8_t[20] digits
    cdef uint32_t at = 20
    while True:
        at -= 1
        digits[at] = <uint8_t>(c"0" + value % 10)
        value = value // 10
        if value == 0:
            break
    blob_put(blob, &digits[at], 20 - at)


cdef void put_big_endian(Blob* blob, uint8_t code, uint64_t value, uint32_t size) noexcept nogil:
    cdef uint8_t[9] raw
    cdef uint32_t i
    raw[0] = code
    for i in range(size):
        raw[1 + i] = <uint8_t>(value >> (8 * (size - 1 - i)))
    blob_put(blob, raw, size + 1)


cdef void put_msgpack_id(Blob* blob, uint64_t id) noexcept nogil:
    if id < 0x80:
        blob_put(blob, &id, 1)
    elif id >> 32:
        put_big_endian(blob, 0xCF, id, 8)
    else:
        put_big_endian(blob, 0xCE, id, 4)


# --- requests

cdef Slot* slot_add(Run* run, Conn* conn) noexcept nogil:
    """The place of one more request in flight; there is always one more than the depth."""
    cdef Slot* slot = &conn.slots[(conn.first_slot + conn.in_flight) % (run.depth + 1)]
    conn.in_flight += 1
    slot.sent_ns = run.now_ns
    slot.expected = 0
    slot.acks = False
    return slot


cdef bint send_with_ids(Run* run, Conn* conn, const uint64_t* ids, uint32_t count, bint many) noexcept nogil:
    """Write the request of `id_head` with these ids; False when memory is short."""
    cdef Blob* out = &conn.output
    cdef size_t begin, size
    cdef uint32_t i
    cdef uint8_t[4] length
    if not blob_reserve(out, run.id_head.size + run.id_tail.size + 21 * <size_t>count + 16):
        return False
    begin = out.end
    if run.binary:
        out.end += 4
    blob_put(out, run.id_head.data, run.id_head.size)
    if run.binary and many:
        put_big_endian(out, 0xDD, count, 4)
    for i in range(count):
        if run.binary:
            put_msgpack_id(out, ids[i])
            continue
        if i > 0:
            blob_put(out, b",", 1)
        put_decimal(out, ids[i])
    blob_put(out, run.id_tail.data, run.id_tail.size)
    if run.binary:
        size = out.end - begin - 4
        for i in range(4):
            length[i] = <uint8_t>(size >> (24 - 8 * i))
        memcpy(out.data + begin, length, 4)
    return True


cdef bint send_frame(Conn* conn, Frame frame) noexcept nogil:
    if not blob_reserve(&conn.output, frame.size):
        return False
    blob_put(&conn.output, frame.data, frame.size)
    return True


cdef bint send_numbered(Run* run, Conn* conn) noexcept nogil:
    """The frame, each of its jobs with the next number; False when memory is short."""
    cdef uint8_t* digits
    cdef uint64_t rest
    cdef uint32_t i, digit
    if not send_frame(conn, run.frame):
        return False
    for i in range(run.mark_count):
        digits = conn.output.data + conn.output.end - run.frame.size + run.marks[i]
        rest = run.number + i // run.marks_each
        for digit in range(<uint32_t>MARK_DIGITS):
            digits[MARK_DIGITS - 1 - digit] = <uint8_t>(c"0" + rest % 10)
            rest = rest // 10
    run.number += run.mark_count // run.marks_each
    return True


cdef int begin_request(Run* run, Conn* conn) noexcept nogil:
    """One more request of the run's work on this connection."""
    cdef Slot* slot = slot_add(run, conn)
    run.left -= 1
    run.open += 1
    if conn.work == BY_ID or conn.work == GET_BY_ID:
        slot.expected = run.given[run.given_next]
        run.given_next += 1
        return FINE if send_with_ids(run, conn, &slot.expected, 1, False) else NO_MEMORY
    if run.mark_count:
        return FINE if send_numbered(run, conn) else NO_MEMORY
    if conn.work in (ECHO, FIXED, PUSH, PUSHB, PULL):
        conn.owed += run.frame.size
        return FINE
    return FINE if send_frame(conn, run.frame) else NO_MEMORY


cdef int begin_paced(Run* run, Conn* conn) noexcept nogil:
    """The probe's next request, or DELIVER's next push, when its time has come."""
    cdef uint64_t late
    if conn.in_flight > 0 or run.now_ns < conn.due_ns:
        return FINE
    if run.work == DELIVER:
        if run.left == 0 or run.awaited > 0:
            return FINE
        run.left -= 1
        run.awaited = 2
        # A push held up by the one before it counts from when it was due: a stall must not hide the jobs it delays.
        late = run.now_ns - conn.due_ns
        run.pushed_ns = conn.due_ns if late > run.interval_ns else run.now_ns
    elif run.left == 0 and run.open == 0 and run.conn_count > 1:
        return FINE
    elif run.conn_count == 1:
        if run.left == 0:
            return FINE
        run.left -= 1
    slot_add(run, conn)
    conn.due_ns += run.interval_ns
    if run.work != DELIVER and conn.due_ns + run.interval_ns < run.now_ns:
        conn.due_ns = run.now_ns        # a probe does not make up for what it missed
    return FINE if send_frame(conn, run.probe) else NO_MEMORY


cdef int refill(Run* run, Conn* conn) noexcept nogil:
    """Begin what this connection may begin now."""
    cdef int fault
    if conn.paced:
        return begin_paced(run, conn)
    if run.work == DELIVER:
        return FINE
    if run.now_ns >= run.deadline_ns or run.stop:
        run.left = 0
    while run.left > 0 and conn.in_flight < run.depth and not conn.dry:
        fault = begin_request(run, conn)
        if fault != FINE:
            return fault
    return FINE


# --- replies

cdef int note_ids(Run* run, Conn* conn, uint32_t count, const uint64_t* ids, bint increasing) noexcept nogil:
    """Sum the ids of pushed or pulled jobs, keep a sample, and see that pushed ones increase."""
    cdef uint32_t i
    for i in range(count):
        if increasing and ids[i] <= conn.last_id:
            return WRONG_ID
        conn.last_id = ids[i]
        run.id_sum += ids[i]
        if run.kept_cap > 0 and run.ids_seen % run.keep_every == 0 and run.kept_count < run.kept_cap:
            run.kept[run.kept_count] = ids[i]
            run.kept_count += 1
        run.ids_seen += 1
    run.last_id = max(run.last_id, conn.last_id)
    return FINE


cdef int acknowledge(Run* run, Conn* conn) noexcept nogil:
    """ACK or ACKB for the jobs of the reply just read."""
    cdef uint32_t count = run.reply.ids_count
    cdef Slot* slot = slot_add(run, conn)
    slot.acks = True
    slot.expected = count
    return FINE if send_with_ids(run, conn, run.reply.ids, count, run.work == PULLB_ACKB) else NO_MEMORY


cdef int settle_acks(Run* run, Conn* conn, Slot slot) noexcept nogil:
    if run.work == PULLB_ACKB:
        if not run.reply.seen & SEEN_IDS:
            return MISSING
        if run.reply.ids_count != 1 or run.reply.ids[0] != slot.expected:
            return WRONG_COUNT
    elif run.work == DELIVER:
        run.awaited -= 1
        return FINE                     # counted at its delivery
    run.items += slot.expected
    return FINE


cdef int settle_pull(Run* run, Conn* conn) noexcept nogil:
    """The jobs of a pull: acknowledged, or the connection has run dry."""
    cdef uint32_t count = run.reply.ids_count
    cdef int fault
    if not run.reply.seen & (SEEN_JOBS if conn.work == PULLB_ACKB else SEEN_JOB):
        return MISSING
    if count > run.batch:
        return WRONG_COUNT
    fault = note_ids(run, conn, count, run.reply.ids, False)
    if fault != FINE:
        return fault
    if run.work == DELIVER:
        return settle_delivery(run, conn)
    if count == 0:
        conn.dry = True
    elif conn.work == PULL:
        run.items += 1
    else:
        run.open += 1
        return acknowledge(run, conn)
    return FINE


cdef int settle_delivery(Run* run, Conn* conn) noexcept nogil:
    """DELIVER's worker: the job is here; acknowledge it, and wait for the next."""
    cdef int fault
    if run.reply.ids_count != 1 or run.awaited != 2:
        return FOREIGN_JOB if run.reply.ids_count else MISSING
    buckets_add(&run.latency, run.now_ns - run.pushed_ns)
    run.awaited -= 1
    run.items += 1
    fault = acknowledge(run, conn)
    if run.now_ns >= run.deadline_ns or run.stop:
        run.left = 0
    if fault != FINE or run.left == 0:
        return fault
    slot_add(run, conn)
    return FINE if send_frame(conn, run.frame) else NO_MEMORY


cdef int settle_known(Run* run, Conn* conn, Slot slot) noexcept nogil:
    """A reply with ok: true, against the request in `slot`."""
    if slot.acks:
        return settle_acks(run, conn, slot)
    if conn.work == PULL or conn.work == PULL_ACK or conn.work == PULLB_ACKB:
        return settle_pull(run, conn)
    run.items += 0 if conn.paced else (run.batch if conn.work == PUSHB else 1)
    if conn.work == PUSH:
        return note_ids(run, conn, 1, &run.reply.id, True) if run.reply.seen & SEEN_ID else MISSING
    if conn.work == PUSHB:
        if run.reply.ids_count != run.batch:
            return WRONG_COUNT if run.reply.seen & SEEN_IDS else MISSING
        return note_ids(run, conn, run.batch, run.reply.ids, True)
    if conn.work == GET_BY_ID:
        if run.reply.ids_count != 1:
            return MISSING
        return FINE if run.reply.ids[0] == slot.expected else WRONG_ID
    return FINE


cdef int settle(Run* run, Conn* conn, const uint8_t* frame, size_t size) noexcept nogil:
    """Check one reply against its request and do what follows from it."""
    cdef Slot slot
    cdef int fault
    if conn.in_flight == 0:
        return UNEXPECTED
    slot = conn.slots[conn.first_slot]
    conn.first_slot = (conn.first_slot + 1) % (run.depth + 1)
    conn.in_flight -= 1
    run.requests += 1
    if conn.paced:
        buckets_add(&run.probed, run.now_ns - slot.sent_ns)
    elif run.work != DELIVER:
        run.open -= 1
        buckets_add(&run.latency, run.now_ns - slot.sent_ns)
    if run.work == ECHO:
        run.items += 0 if conn.paced and run.conn_count > 1 else 1
        return FINE if memcmp(frame, (run.probe if conn.paced else run.frame).data, size) == 0 else WRONG_ECHO
    run.reply.seen = 0
    run.reply.ids_count = 0
    if run.binary:
        fault = msgpack_reply(frame, size, &run.shape, &run.reply)
    else:
        fault = json_reply(frame, size, &run.shape, &run.reply)
    return fault if fault != FINE else settle_known(run, conn, slot)


cdef bint next_reply(Run* run, Conn* conn, const uint8_t** frame, size_t* size) noexcept nogil:
    """The next whole reply of the input, framing excluded (an echo whole); False when it is not all there."""
    cdef Blob* blob = &conn.input
    cdef const uint8_t* at = blob.data + blob.start
    cdef const uint8_t* line_end
    cdef size_t have = blob.end - blob.start
    if run.work == ECHO:
        frame[0], size[0] = at, (run.probe if conn.paced else run.frame).size
        if have < size[0]:
            return False
        blob.start += size[0]
        return True
    if run.binary:
        size[0] = (<size_t>at[0] << 24 | <size_t>at[1] << 16 | <size_t>at[2] << 8 | at[3]) if have >= 4 else MAX_REPLY
        if have < 4 or have - 4 < size[0]:
            return False
        frame[0] = at + 4
        blob.start += 4 + size[0]
        return True
    line_end = <const uint8_t*>memchr(at + conn.scanned, c"\n", have - conn.scanned) if have > conn.scanned else NULL
    if line_end == NULL:
        conn.scanned = have
        return False
    conn.scanned = 0
    frame[0], size[0] = at, <size_t>(line_end - at)
    blob.start += size[0] + 1
    return True
