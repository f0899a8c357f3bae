"""Reading a JSON reply. A cursor never passes `end`, where the framing's LF stands as a sentinel.

The generator must cost clearly less than the server, so a Job is not parsed: after its id its queue, payload and
priority are compared with the bytes that were pushed, and the rest is skipped.
"""
from flashq._bench.replies cimport (FINE, MALFORMED, REFUSED, SEEN_COUNT, SEEN_ID, SEEN_IDS, SEEN_JOB, SEEN_JOBS,
                                    SEEN_OK, WRONG_JOB, Bytes, JobShape, Reply, key_seen, note_id)
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr, memcmp


cdef inline bint json_number(Bytes* at, uint64_t* out) noexcept nogil:
    cdef Bytes p = at[0]
    cdef uint64_t value = 0
    while c"0" <= p[0] <= c"9":
        value = value * 10 + (p[0] - c"0")
        p += 1
    if p == at[0]:
        return False
    out[0] = value
    at[0] = p
    return True


cdef Bytes json_string_end(Bytes at, Bytes end) noexcept nogil:
    """Past the closing quote of the string whose first character is at `at`; NULL without one."""
    while at < end:
        if at[0] == c'"':
            return at + 1
        at += 2 if at[0] == c"\\" else 1
    return NULL


cdef Bytes json_skip(Bytes at, Bytes end) noexcept nogil:
    """Past one value; NULL when it does not end."""
    cdef uint32_t depth = 0
    while at < end:
        if at[0] == c'"':
            at = json_string_end(at + 1, end)
            if at == NULL or depth == 0:
                return at
            continue
        if at[0] == c"{" or at[0] == c"[":
            depth += 1
        elif depth == 0 and (at[0] == c"," or at[0] == c"}"):
            return at
        elif at[0] == c"}" or at[0] == c"]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return NULL


cdef int json_ids(Bytes* at, Reply* reply) noexcept nogil:
    cdef uint64_t id = 0
    cdef int fault
    if at[0][0] != c"[":
        return MALFORMED
    at[0] += 1
    if at[0][0] == c"]":
        at[0] += 1
        return FINE
    while True:
        if not json_number(at, &id):
            return MALFORMED
        fault = note_id(reply, id)
        if fault != FINE:
            return fault
        at[0] += 1
        if (at[0] - 1)[0] == c"]":
            return FINE
        if (at[0] - 1)[0] != c",":
            return MALFORMED


cdef int json_job(Bytes* at, Bytes end, const JobShape* shape, Reply* reply) noexcept nogil:
    """The head of one Job; leaves `at` behind its priority."""
    cdef uint64_t id = 0
    if end - at[0] < 6 or memcmp(at[0], b'{"id":', 6) != 0:
        return WRONG_JOB
    at[0] += 6
    if not json_number(at, &id):
        return WRONG_JOB
    if <size_t>(end - at[0]) < shape.size or memcmp(at[0], shape.tail, shape.size) != 0:
        return WRONG_JOB
    at[0] += shape.size
    return note_id(reply, id)


cdef int json_jobs(Bytes at, Bytes end, const JobShape* shape, Reply* reply) noexcept nogil:
    """All jobs of the reply, to its end: behind its payload a Job of ours holds no brace, so the next one is a job.

    That search (memchr) is what keeps 1000 jobs of some 550 bytes cheap; keys that follow the jobs are not read.
    """
    cdef int fault
    while at != NULL:
        fault = json_job(&at, end, shape, reply)
        if fault != FINE:
            return fault
        at = <Bytes>memchr(at, c"{", <size_t>(end - at))
    return FINE


cdef int json_reply(Bytes frame, size_t size, const JobShape* shape, Reply* reply) noexcept nogil:
    cdef Bytes at = frame + 1
    cdef Bytes end = frame + size
    cdef Bytes name_end
    cdef uint32_t key
    cdef int fault
    if size < 2 or frame[0] != c"{" or (end - 1)[0] != c"}":
        return MALFORMED
    while True:
        name_end = <Bytes>memchr(at + 1, c'"', <size_t>(end - at - 1)) if at[0] == c'"' else NULL
        if name_end == NULL or name_end[1] != c":":
            return MALFORMED
        key = key_seen(at + 1, <size_t>(name_end - at - 1))
        at = name_end + 2
        reply.seen |= key
        if (key == SEEN_JOB and at[0] == c"{") or (key == SEEN_JOBS and at[0] == c"[" and at[1] == c"{"):
            fault = json_jobs(at + (key == SEEN_JOBS), end, shape, reply)
            return fault if fault != FINE or reply.seen & SEEN_OK else REFUSED
        fault = json_value(key, &at, end, reply)
        if fault != FINE:
            return fault
        at += 1
        if at == end and (at - 1)[0] == c"}":
            return FINE if reply.seen & SEEN_OK else REFUSED
        if at >= end or (at - 1)[0] != c",":
            return MALFORMED


cdef int json_value(uint32_t key, Bytes* at, Bytes end, Reply* reply) noexcept nogil:
    """The value of a top-level key, jobs excepted."""
    if key == SEEN_OK and at[0][0] != c"t":
        return REFUSED
    if key == SEEN_IDS:
        return json_ids(at, reply)
    if key == SEEN_ID or key == SEEN_COUNT:
        return FINE if json_number(at, &reply.id if key == SEEN_ID else &reply.count) else MALFORMED
    at[0] = json_skip(at[0], end)
    return FINE if at[0] != NULL else MALFORMED
