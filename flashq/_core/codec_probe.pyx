"""Both codecs as seen from Python, for tests and perf/micro; the server never imports it.

Every function takes the codec first: False for JSON, True for MessagePack. The bench_ functions run their loops in C
and return nothing; the caller holds the clock.
"""
from flashq._core.buffer cimport WriteBuffer, buffer_close
from flashq._core.fieldtable cimport TABLE, CommandDef, FieldDef, command_find, field_find
from flashq._core.job cimport (
    ENDED_WORKER_LOST, JOB_LIFO, JOB_REMOVE_ON_COMPLETE, JOB_REMOVE_ON_FAIL, Delivery, Extra, Job,
)
from flashq._core.json_codec cimport (
    json_job, json_jobs_begin, json_jobs_end, json_jobs_next, json_reply_count, json_reply_id, json_reply_ids,
    json_reply_no_job, json_reply_ok, json_scan, json_validate,
)
from flashq._core.msgpack_codec cimport (
    msgpack_job, msgpack_jobs_begin, msgpack_jobs_end, msgpack_jobs_next, msgpack_reply_count, msgpack_reply_id,
    msgpack_reply_ids, msgpack_reply_no_job, msgpack_reply_ok, msgpack_scan, msgpack_validate,
)
from flashq._core.rawlist cimport number_list as read_numbers, text_list as read_texts
from flashq._core.request cimport (
    JSON, KIND_BOOL, KIND_CMD, KIND_I32, KIND_IDS, KIND_ID_LIST, KIND_ITEMS, KIND_RAW, KIND_REQ_ID,
    KIND_RETRY, KIND_STR, KIND_TAGS, MAX_BATCH, MILLION, MSGPACK, JobParts, PushItem, Request, RetryGiven, Slice,
)
from flashq._core.retry cimport retry_type_name
from flashq._core.scratch cimport Scratch, scratch_open
from flashq._core.status cimport NOT_OBJECT, OK
from flashq._core.transcode cimport transcode as transcode_value
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect

cdef enum:
    GUARDED = 1 << 20           # frames up to this size end where an unreadable page begins
    PAGE = 1 << 16              # a multiple of every page size in use

cdef uint8_t* _guarded = NULL   # the end of the readable part; kept for the life of the process
cdef Scratch _scratch


cdef int _open() except -1:
    global _guarded
    cdef void* room = mmap(NULL, GUARDED + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if room == MAP_FAILED or mprotect(<uint8_t*>room + GUARDED, PAGE, PROT_NONE) != 0 or scratch_open(&_scratch) != 0:
        raise MemoryError
    _guarded = <uint8_t*>room + GUARDED
    return 0


_open()


cdef const uint8_t* _placed(bytes value) except NULL:
    """The bytes of `value`, if they fit where reading past their end into another page faults."""
    cdef size_t size = <size_t>len(value)
    if size > GUARDED:
        return value
    memcpy(_guarded - size, <const char*>value, size)
    return _guarded - size


# -- scanning -------------------------------------------------------------------------------------------------

def scan(bint msgpack, bytes frame):
    """Everything a scan left behind, values by canonical name; those of bad fields are left out.

    After an error of grammar no value is read: the scan ended somewhere in the middle.
    """
    cdef Request r
    cdef const uint8_t* start = _placed(frame)
    cdef int status = _scan(msgpack, start, <size_t>len(frame), &r)
    cdef uint32_t i
    cdef bint whole = status == OK or status < NOT_OBJECT
    found = _item(&r.item, whole)
    found.update(
        status=status, op=<int>r.op, format=<int>r.format, req_id=_text(&r.req_id),
        problem_field=None if r.problem_field == NULL else (<bytes>r.problem_field).decode(),
        problem_number=r.problem_number, problem_item=r.problem_item,
        item_count=r.item_count, id_count=r.id_count, token_count=r.token_count,
        items=[_item(&r.items[i], True) for i in range(min(r.item_count, <uint32_t>MAX_BATCH))] if status == 0 else [],
    )
    return found


cdef int _scan(bint msgpack, const uint8_t* frame, size_t size, Request* r) noexcept nogil:
    return msgpack_scan(&_scratch, frame, size, r) if msgpack else json_scan(&_scratch, frame, size, r)


cdef dict _item(const PushItem* item, bint whole):
    """One item of PUSHB, or the fields of a request; the values only when it is `whole`."""
    cdef int bit
    cdef const FieldDef* field
    cdef const Slice* text
    found = {"given": set(), "seen": set(), "bad": set(), "outside": set(), "fields": {}, "flags": {}}
    for bit in range(64):
        field = &TABLE.fields[TABLE.slots[bit]]
        if not item.given >> bit & 1:
            continue
        name = (<bytes>field.canonical).decode()
        for mask, label in ((item.given, "given"), (item.seen, "seen"), (item.bad, "bad"), (item.outside, "outside")):
            if mask >> bit & 1:
                found[label].add(name)
        if not whole or not (item.seen & ~item.bad) >> bit & 1 or field.kind == KIND_ITEMS:
            continue
        found["fields"][name] = _value(<const uint8_t*>item + field.offset, field)
        if field.kind == KIND_RAW or field.kind == KIND_TAGS or field.kind == KIND_ID_LIST:
            text = <const Slice*>(<const uint8_t*>item + field.offset)
            found["flags"][name] = text.flags
    return found


cdef object _value(const uint8_t* place, const FieldDef* field):
    cdef uint32_t i, count
    cdef const uint64_t* numbers
    if field.kind in (KIND_STR, KIND_CMD, KIND_REQ_ID, KIND_RAW, KIND_TAGS, KIND_ID_LIST):
        return _text(<const Slice*>place)
    if field.kind == KIND_I32:
        return (<const int64_t*>place)[0]
    if field.kind == KIND_BOOL:
        return bool((<const uint64_t*>place)[0])
    if field.kind == KIND_RETRY:
        return _policy(<const RetryGiven*>place)
    if field.kind == KIND_IDS:
        numbers = (<const uint64_t**>place)[0]
        count = (<const uint32_t*>(place + sizeof(void*)))[0]
        return [numbers[i] for i in range(min(count, <uint32_t>MAX_BATCH))]
    return (<const uint64_t*>place)[0]


cdef dict _policy(const RetryGiven* given):
    return {"type": (<bytes>retry_type_name(given.policy.type)).decode(), "delay": given.policy.delay,
            "max": given.policy.max, "jitter": <double>given.policy.jitter / MILLION}


cdef object _text(const Slice* text):
    return None if text.ptr == NULL else text.ptr[:text.size]


def validate(bint msgpack, bytes value):
    """The status of one stored value."""
    cdef const uint8_t* start = _placed(value)
    cdef size_t size = <size_t>len(value)
    return msgpack_validate(start, size) if msgpack else json_validate(start, size)


def text_list(bint msgpack, bytes value, uint32_t cap):
    """(how many texts the list has, the first `cap` of them); at most 100 of them."""
    cdef Slice[100] out
    cdef Slice given = Slice(_placed(value), <uint32_t>len(value), 0)
    cdef bytearray room = bytearray(len(value))
    cdef uint32_t i, count
    if cap > 100:
        raise ValueError("too many")
    count = read_texts(MSGPACK if msgpack else JSON, &given, <uint8_t*><char*>room, out, cap)
    return count, [_text(&out[i]) for i in range(min(count, cap))]


def number_list(bint msgpack, bytes value, uint32_t cap):
    """Likewise of a list of numbers."""
    cdef uint64_t[100] out
    cdef Slice given = Slice(_placed(value), <uint32_t>len(value), 0)
    cdef uint32_t i, count
    if cap > 100:
        raise ValueError("too many")
    count = read_numbers(MSGPACK if msgpack else JSON, &given, out, cap)
    return count, [out[i] for i in range(min(count, cap))]


def field_info(str name):
    """What the field table says of a name, or None."""
    cdef bytes text = name.encode()
    cdef const FieldDef* field = field_find(text, <size_t>len(text))
    if field == NULL:
        return None
    return {"name": (<bytes>field.canonical).decode(), "kind": field.kind, "bit": field.bit, "limit": field.limit,
            "in_item": bool(field.in_item), "offset": field.offset, "other": bool(field.other)}


def command_info(str name):
    """What the field table says of a command, or None."""
    cdef bytes text = name.encode()
    cdef const CommandDef* command = command_find(text, <size_t>len(text))
    if command == NULL:
        return None
    return {"op": command.op, "takes": _names(command.takes), "required": _names(command.required)}


cdef set _names(uint64_t mask):
    cdef int bit
    return {(<bytes>TABLE.fields[TABLE.slots[bit]].canonical).decode() for bit in range(64) if mask >> bit & 1}


# -- replies --------------------------------------------------------------------------------------------------

cdef class _Reply:
    """A buffer to write one reply into, and the reqId to begin it with."""
    cdef WriteBuffer out
    cdef Slice req_id
    cdef bytes kept

    def __cinit__(self, req_id):
        self.kept = req_id
        if req_id is not None:
            self.req_id = _slice(self.kept)

    def __dealloc__(self):
        buffer_close(&self.out)

    cdef bytes take(self):
        if self.out.failed:
            raise MemoryError
        return self.out.data[:<Py_ssize_t>self.out.size]


cdef Slice _slice(bytes text):
    """Empty for None; borrowed from `text`."""
    return Slice(NULL, 0, 0) if text is None else Slice(<const uint8_t*>text, <uint32_t>len(text), 0)


def reply_ok(bint msgpack, req_id):
    reply = _Reply(req_id)
    (msgpack_reply_ok if msgpack else json_reply_ok)(&reply.out, &reply.req_id)
    return reply.take()


def reply_id(bint msgpack, req_id, uint64_t id):
    reply = _Reply(req_id)
    (msgpack_reply_id if msgpack else json_reply_id)(&reply.out, &reply.req_id, id)
    return reply.take()


def reply_count(bint msgpack, req_id, uint64_t count):
    reply = _Reply(req_id)
    (msgpack_reply_count if msgpack else json_reply_count)(&reply.out, &reply.req_id, count)
    return reply.take()


def reply_no_job(bint msgpack, req_id, bint many):
    reply = _Reply(req_id)
    (msgpack_reply_no_job if msgpack else json_reply_no_job)(&reply.out, &reply.req_id, many)
    return reply.take()


def reply_ids(bint msgpack, req_id, list ids):
    """At most 1000 of them."""
    cdef uint64_t[1000] numbers
    cdef uint32_t i, count = <uint32_t>len(ids)
    if count > 1000:
        raise ValueError("too many")
    for i in range(count):
        numbers[i] = ids[i]
    reply = _Reply(req_id)
    (msgpack_reply_ids if msgpack else json_reply_ids)(&reply.out, &reply.req_id, numbers, count)
    return reply.take()


cdef class JobProbe:
    """A Job with its side structs, from keyword arguments in the words of struct Job."""
    cdef Job job
    cdef Extra extra
    cdef Delivery delivery
    cdef JobParts parts
    cdef dict values            # keeps the bytes alive that the structs borrow

    def __cinit__(self, **values):
        self.values = values
        cdef Job* job = &self.job
        job.id, job.priority = values.get("id", 1), values.get("priority", 0)
        job.created_at, job.run_at = values.get("created_at", 0), values.get("run_at", 0)
        job.attempts, job.max_attempts = values.get("attempts", 0), values.get("max_attempts", 0)
        job.backoff, job.progress = values.get("backoff", 0), values.get("progress", 0)
        job.state, job.deadline = values.get("state", 0), values.get("deadline", 0)
        job.reason = ENDED_WORKER_LOST
        job.flags |= <uint8_t>(JOB_LIFO if values.get("lifo") else 0)
        job.flags |= <uint8_t>(JOB_REMOVE_ON_COMPLETE if values.get("remove_on_complete") else 0)
        job.flags |= <uint8_t>(JOB_REMOVE_ON_FAIL if values.get("remove_on_fail") else 0)
        self.parts.queue = _slice(values.get("queue", b"q"))
        self.parts.data = _slice(values.get("data"))
        self.parts.tags = _slice(values.get("tags"))
        if "delivery" in values:
            self.deliver(values["delivery"])
        if "extra" in values:
            self.enrich(values["extra"])

    cdef int deliver(self, dict values) except -1:
        self.job.delivery = &self.delivery
        self.delivery.token = values["token"]
        self.delivery.started_at = values["started_at"]
        self.delivery.last_heartbeat = values["last_heartbeat"]
        return 0

    cdef int enrich(self, dict values) except -1:
        cdef Extra* extra = &self.extra
        cdef Slice text
        self.job.extra = extra
        extra.ttl, extra.timeout = values.get("ttl", 0), values.get("timeout", 0)
        extra.stall_timeout, extra.stall_count = values.get("stall_timeout", 0), values.get("stall_count", 0)
        extra.last_heartbeat = values.get("last_heartbeat", 0)
        text = _slice(values.get("message"))
        extra.message, extra.message_size = <uint8_t*>text.ptr, text.size
        text = _slice(values.get("custom_id"))
        extra.custom_id, extra.custom_id_size = <uint8_t*>text.ptr, text.size
        return 0

    cdef void write(self, bint msgpack, WriteBuffer* out) noexcept nogil:
        if msgpack:
            msgpack_job(out, &self.job, &self.parts)
        else:
            json_job(out, &self.job, &self.parts)


def reply_jobs(bint msgpack, req_id, bint many, list jobs):
    """The reply of PULL or PULLB with these JobProbes."""
    cdef JobProbe job
    cdef uint32_t i
    cdef size_t mark
    reply = _Reply(req_id)
    mark = (msgpack_jobs_begin if msgpack else json_jobs_begin)(&reply.out, &reply.req_id, many)
    for i, job in enumerate(jobs):
        (msgpack_jobs_next if msgpack else json_jobs_next)(&reply.out, i)
        job.write(msgpack, &reply.out)
    (msgpack_jobs_end if msgpack else json_jobs_end)(&reply.out, mark, many, <uint32_t>len(jobs))
    return reply.take()


def transcode(bint msgpack, bytes value):
    """`value`, of the codec named first, in the other format; None when refused."""
    reply = _Reply(None)
    status = transcode_value(&reply.out, value, <size_t>len(value), MSGPACK if msgpack else JSON)
    return reply.take() if status == 0 else None


# -- loops for perf/micro -------------------------------------------------------------------------------------

def bench_scan(bint msgpack, bytes frame, uint64_t loops):
    """Scan the frame so many times; ValueError when it is refused."""
    cdef Request r
    cdef const uint8_t* start = frame
    cdef size_t size = <size_t>len(frame)
    cdef uint64_t _i
    cdef int status = 0
    for _i in range(loops):
        status |= _scan(msgpack, start, size, &r)
    if status:
        raise ValueError(f"status {status}")


def bench_job(bint msgpack, JobProbe job, uint64_t loops):
    """Write the Job so many times, a thousand to a buffer."""
    reply = _Reply(None)
    cdef uint64_t i
    for i in range(loops):
        if i % 1000 == 0:
            reply.out.size = 0
        job.write(msgpack, &reply.out)
