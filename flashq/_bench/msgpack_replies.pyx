"""Reading a MessagePack reply. Every value is walked to its end, which also proves its structure.

As in JSON, the first fields of a Job are compared with the bytes that were pushed.
"""
from flashq._bench.replies cimport (FINE, MALFORMED, REFUSED, SEEN_COUNT, SEEN_ID, SEEN_IDS, SEEN_JOB, SEEN_JOBS,
                                    SEEN_OK, WRONG_JOB, Bytes, JobShape, Reply, key_seen, note_id)
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp


cdef inline uint64_t big_endian(Bytes at, uint32_t size) noexcept nogil:
    cdef uint64_t value = 0
    cdef uint32_t i
    for i in range(size):
        value = value << 8 | at[i]
    return value


cdef bint msgpack_number(Bytes* at, Bytes end, uint64_t* out) noexcept nogil:
    cdef uint32_t size = 0
    cdef uint8_t code
    if at[0] >= end:
        return False
    code = at[0][0]
    if 0xCC <= code <= 0xCF:
        size = <uint32_t>1 << (code - 0xCC)
    elif code > 0x7F:
        return False
    if end - at[0] <= size:
        return False
    out[0] = big_endian(at[0] + 1, size) if size else code
    at[0] += 1 + size
    return True


cdef Bytes msgpack_skip(Bytes at, Bytes end, uint64_t values) noexcept nogil:
    """Past that many values; NULL when they do not end."""
    cdef uint64_t body
    cdef uint8_t code
    while values > 0:
        if at >= end:
            return NULL
        values -= 1
        code = at[0]
        at += 1
        if code <= 0x7F or code >= 0xE0 or code == 0xC0 or code == 0xC2 or code == 0xC3:
            continue
        if code <= 0x8F:
            values += 2 * <uint64_t>(code & 15)
        elif code <= 0x9F:
            values += code & 15
        elif code <= 0xBF:
            at += code & 31
        elif 0xCA <= code <= 0xD3:
            at += msgpack_scalar_size(code)
        elif 0xD9 <= code:
            body = <uint64_t>1 << ((code - 0xD9) % 3) if code <= 0xDB else <uint64_t>2 << ((code - 0xDC) & 1)
            if <uint64_t>(end - at) < body:
                return NULL
            at += body
            body = big_endian(at - body, <uint32_t>body)
            if code <= 0xDB:
                if <uint64_t>(end - at) < body:
                    return NULL
                at += body
            else:
                values += body if code <= 0xDD else 2 * body
        else:
            return NULL                 # bin, ext: not of this protocol
    return at if at <= end else NULL


cdef inline uint32_t msgpack_scalar_size(uint8_t code) noexcept nogil:
    if code <= 0xCB:
        return 4 if code == 0xCA else 8
    return <uint32_t>1 << ((code - 0xCC) & 3)


cdef bint msgpack_header(Bytes* at, Bytes end, uint8_t fixed, uint8_t wide, uint64_t* count) noexcept nogil:
    """The header of an array (0x90, 0xDC) or a map (0x80, 0xDE)."""
    cdef uint32_t size
    if at[0] >= end:
        return False
    if at[0][0] & 0xF0 == fixed:
        count[0] = at[0][0] & 15
        at[0] += 1
        return True
    size = <uint32_t>2 << (at[0][0] - wide) if at[0][0] == wide or at[0][0] == wide + 1 else <uint32_t>0
    if size == 0 or end - at[0] <= size:
        return False
    count[0] = big_endian(at[0] + 1, size)
    at[0] += 1 + size
    return True


cdef int msgpack_ids(Bytes* at, Bytes end, Reply* reply) noexcept nogil:
    cdef uint64_t count = 0, id = 0
    cdef int fault
    if not msgpack_header(at, end, 0x90, 0xDC, &count):
        return MALFORMED
    while count > 0:
        if not msgpack_number(at, end, &id):
            return MALFORMED
        fault = note_id(reply, id)
        if fault != FINE:
            return fault
        count -= 1
    return FINE


cdef int msgpack_job(Bytes* at, Bytes end, const JobShape* shape, Reply* reply) noexcept nogil:
    """One whole Job."""
    cdef uint64_t pairs = 0, id = 0
    if not msgpack_header(at, end, 0x80, 0xDE, &pairs) or pairs < 4:
        return WRONG_JOB
    if end - at[0] < 3 or memcmp(at[0], b"\xA2id", 3) != 0:
        return WRONG_JOB
    at[0] += 3
    if not msgpack_number(at, end, &id):
        return WRONG_JOB
    if <size_t>(end - at[0]) < shape.size or memcmp(at[0], shape.tail, shape.size) != 0:
        return WRONG_JOB
    at[0] = msgpack_skip(at[0] + shape.size, end, 2 * (pairs - 4))      # read: id, queue, data, priority
    return note_id(reply, id) if at[0] != NULL else MALFORMED


cdef int msgpack_jobs(Bytes* at, Bytes end, const JobShape* shape, Reply* reply) noexcept nogil:
    cdef uint64_t count = 0
    cdef int fault
    if not msgpack_header(at, end, 0x90, 0xDC, &count):
        return MALFORMED
    while count > 0:
        fault = msgpack_job(at, end, shape, reply)
        if fault != FINE:
            return fault
        count -= 1
    return FINE


cdef int msgpack_value(uint32_t key, Bytes* at, Bytes end, const JobShape* shape, Reply* reply) noexcept nogil:
    """The value of a top-level key."""
    if at[0] >= end:
        return MALFORMED
    if key == SEEN_OK and at[0][0] != 0xC3:
        return REFUSED
    if key == SEEN_IDS:
        return msgpack_ids(at, end, reply)
    if key == SEEN_ID or key == SEEN_COUNT:
        return FINE if msgpack_number(at, end, &reply.id if key == SEEN_ID else &reply.count) else MALFORMED
    if key == SEEN_JOBS:
        return msgpack_jobs(at, end, shape, reply)
    if key == SEEN_JOB and at[0][0] != 0xC0:
        return msgpack_job(at, end, shape, reply)
    at[0] = msgpack_skip(at[0], end, 1)
    return FINE if at[0] != NULL else MALFORMED


cdef int msgpack_reply(Bytes frame, size_t size, const JobShape* shape, Reply* reply) noexcept nogil:
    cdef Bytes at = frame
    cdef Bytes end = frame + size
    cdef uint64_t pairs = 0, name_size
    cdef uint32_t key
    cdef int fault
    if not msgpack_header(&at, end, 0x80, 0xDE, &pairs):
        return MALFORMED
    while pairs > 0:
        if at >= end or at[0] & 0xE0 != 0xA0:               # every key of the protocol is shorter than 32 bytes
            return MALFORMED
        name_size = at[0] & 31
        if <uint64_t>(end - at) <= name_size:
            return MALFORMED
        key = key_seen(at + 1, name_size)
        at += 1 + name_size
        reply.seen |= key
        fault = msgpack_value(key, &at, end, shape, reply)
        if fault != FINE:
            return fault
        pairs -= 1
    if at != end:
        return MALFORMED
    return FINE if reply.seen & SEEN_OK else REFUSED
