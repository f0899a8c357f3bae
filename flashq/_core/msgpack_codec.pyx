"""MessagePack: frames into a Request, replies into a WriteBuffer. What is refused: see msgpack_reader."""
from flashq._core.buffer cimport WriteBuffer, buffer_done, buffer_room
from flashq._core.bytes cimport load_be16, store_be16, store_be32
from flashq._core.fieldtable cimport request_check, request_reset
from flashq._core.job cimport (JOB_LIFO, JOB_REMOVE_ON_COMPLETE, JOB_REMOVE_ON_FAIL, STATE_ACTIVE, STATE_COMPLETED,
                               STATE_DELAYED, STATE_FAILED, STATE_WAITING, Extra, Job, Relations, job_is)
from flashq._core.msgpack_failing cimport msgpack_failing_keys, msgpack_failing_put, msgpack_failing_room
from flashq._core.msgpack_fields cimport fields_read, id_list
from flashq._core.msgpack_reader cimport Reader, value_skip
from flashq._core.msgpack_tokens cimport (SHAPE_MAP, Token, put_array, put_bool, put_byte, put_bytes, put_int32,
                                          put_key, put_nil, put_text, put_uint, token_read)
from flashq._core.request cimport MSGPACK, Request, Slice
from flashq._core.scratch cimport Scratch
from flashq._core.state cimport Queue
from flashq._core.status cimport BAD_MSGPACK, NOT_OBJECT, OK
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset


# -- frames ---------------------------------------------------------------------------------------------------

cdef int _frame_read(Reader* reader, Request* request) noexcept nogil:
    cdef Token token
    cdef int status
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    if body == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_MAP:
        status = value_skip(reader)
        return NOT_OBJECT if status == OK else status
    reader.at = body
    status = fields_read(reader, request, &request.item, token.number)
    if status == OK and reader.at != reader.end:
        return BAD_MSGPACK
    return status


cdef int msgpack_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil:
    cdef Reader reader = Reader(frame, frame + size, 0, -1, False)
    cdef int status
    request_reset(request, scratch)
    request.format = MSGPACK
    status = _frame_read(&reader, request)
    if status == OK:
        return request_check(request)
    request.problem_number = <uint64_t>(reader.at - frame)
    request.problem_item = -1
    return status


cdef int msgpack_id_list(const Slice* value, uint64_t* out, uint32_t cap) noexcept nogil:
    cdef const uint8_t* stop = NULL
    return id_list(value.ptr, value.ptr + value.size, out, cap, &stop)


cdef int msgpack_validate(const uint8_t* value, size_t size) noexcept nogil:
    cdef Reader reader = Reader(value, value + size, 0, -1, False)
    cdef int status = value_skip(&reader)
    if status == OK and reader.at != reader.end:
        return BAD_MSGPACK
    return status


# -- replies --------------------------------------------------------------------------------------------------

cdef enum:
    FRAME_HEAD = 4              # big-endian length, patched when the map is complete
    REPLY_ROOM = 64             # frame head, map header, ok, success, one short key and two numbers
    JOB_ROOM = 1024             # a Job without its texts and raw values: keys 440, 34 values of up to 9 bytes
    NUMBER_ROOM = 9
    KIND_ROOM = 32              # of `name` and `version` without the name's text
    TEXT_ROOM = 5               # header of a str or array

cdef inline uint32_t _req_id_room(const Slice* req_id) noexcept nogil:
    return req_id.size + 6 + TEXT_ROOM


cdef inline uint8_t* _reply_open(uint8_t* out, const Slice* req_id, uint8_t keys) noexcept nogil:
    """Head of a frame, header of a map with `keys` keys after reqId, ok and success, and these three."""
    out += FRAME_HEAD
    if req_id.ptr == NULL and req_id.size == 0:
        out = put_byte(out, <uint8_t>(0x82 + keys))
    else:
        out = put_key(put_byte(out, <uint8_t>(0x83 + keys)), "reqId")
        out = put_text(out, req_id.ptr, req_id.size)
    out = put_bool(put_key(out, "ok"), True)
    return put_bool(put_key(out, "success"), True)


cdef inline void _reply_close(WriteBuffer* out, uint8_t* start, const uint8_t* end) noexcept nogil:
    store_be32(start, <uint32_t>(end - start - FRAME_HEAD))
    buffer_done(out, end)


cdef void msgpack_reply_ok(WriteBuffer* out, const Slice* req_id) noexcept nogil:
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + _req_id_room(req_id))
    if start != NULL:
        _reply_close(out, start, _reply_open(start, req_id, 0))


cdef void msgpack_reply_id(WriteBuffer* out, const Slice* req_id, uint64_t id) noexcept nogil:
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + _req_id_room(req_id))
    if start != NULL:
        _reply_close(out, start, put_uint(put_key(_reply_open(start, req_id, 1), "id"), id))


cdef void msgpack_reply_count(WriteBuffer* out, const Slice* req_id, uint64_t count) noexcept nogil:
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + _req_id_room(req_id))
    cdef uint8_t* at
    if start == NULL:
        return
    at = put_array(put_key(_reply_open(start, req_id, 2), "ids"), 1)
    at = put_uint(put_key(put_uint(at, count), "count"), count)
    _reply_close(out, start, at)


cdef void msgpack_reply_no_job(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + _req_id_room(req_id))
    cdef uint8_t* at
    if start == NULL:
        return
    at = _reply_open(start, req_id, 2 if many else 1)
    if many:
        at = put_array(put_key(at, "jobs"), 0)
    _reply_close(out, start, put_nil(put_key(at, "job")))


cdef void msgpack_reply_ids(WriteBuffer* out, const Slice* req_id, const uint64_t* ids, uint32_t count) noexcept nogil:
    cdef size_t room = REPLY_ROOM + _req_id_room(req_id) + <size_t>count * NUMBER_ROOM
    cdef uint8_t* start = buffer_room(out, room)
    cdef uint8_t* at
    cdef uint32_t i
    if start == NULL:
        return
    at = _reply_open(start, req_id, 1)
    at = put_array(put_key(at, "ids"), count)
    for i in range(count):
        at = put_uint(at, ids[i])
    _reply_close(out, start, at)


cdef void msgpack_cancelled(WriteBuffer* out, const Job* job) noexcept nogil:
    cdef const Queue* queue = <const Queue*>job.queue
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + 2 * NUMBER_ROOM + TEXT_ROOM + queue.name.size)
    cdef uint8_t* at
    if start == NULL:
        return
    at = put_key(put_key(put_byte(start + FRAME_HEAD, 0x84), "event"), "cancel")
    at = put_uint(put_key(at, "id"), job.id)
    at = put_text(put_key(at, "queue"), queue.text, queue.name.size)
    _reply_close(out, start, put_uint(put_key(at, "token"), job.delivery.token))


# -- jobs -----------------------------------------------------------------------------------------------------

cdef size_t msgpack_jobs_begin(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    """The mark is the start of the frame, or with `many` the array's count, which holds the way back until the end."""
    cdef uint8_t* start = buffer_room(out, REPLY_ROOM + _req_id_room(req_id))
    cdef size_t mark = out.size
    cdef uint8_t* at
    if start == NULL:
        return mark
    at = _reply_open(start, req_id, 1)
    if many:
        at = put_byte(put_key(at, "jobs"), 0xDC) + 2
        store_be16(at - 2, <uint16_t>(at - 2 - start))
        mark += <size_t>(at - 2 - start)
    else:
        at = put_key(at, "job")
    buffer_done(out, at)
    return mark


cdef void msgpack_jobs_next(WriteBuffer* out, uint32_t index) noexcept nogil:
    pass                            # nothing stands between the elements of an array


cdef void msgpack_jobs_end(WriteBuffer* out, size_t mark, bint many, uint32_t count) noexcept nogil:
    cdef uint8_t* start
    if out.failed:
        return
    start = out.data + mark
    if many:
        start -= load_be16(out.data + mark)
        store_be16(out.data + mark, <uint16_t>count)
    _reply_close(out, start, out.data + out.size)


cdef struct Block:              # keys and values that are the same in most jobs
    uint8_t[192] bytes
    uint32_t size

cdef Extra NO_EXTRA             # all zero: what a job without rare fields has
cdef Relations NO_RELATIONS
cdef Block PLAIN_MIDDLE         # of a job without rare fields, progress and flags
cdef Block PLAIN_TAIL           # of a job without rare fields that is not completed


cdef inline uint8_t* _optional_put(uint8_t* at, const uint8_t* text, uint32_t size) noexcept nogil:
    return put_nil(at) if text == NULL else put_text(at, text, size)


cdef inline uint8_t* _list_put(uint8_t* at, const Slice* raw) noexcept nogil:
    return put_bytes(at, raw.ptr, raw.size) if raw.size else put_array(at, 0)


cdef inline const Relations* _relations(const Extra* extra) noexcept nogil:
    return &NO_RELATIONS if extra.relations == NULL else extra.relations


cdef uint8_t* _middle_put(uint8_t* at, const Job* job, const Extra* extra, const JobParts* parts) noexcept nogil:
    """From ttl up to the key last_heartbeat."""
    cdef const Relations* relations = _relations(extra)
    at = put_uint(put_key(at, "ttl"), extra.ttl)
    at = put_uint(put_key(at, "timeout"), extra.timeout)
    at = put_key(at, "unique_key")
    if relations.unique_text == NULL:
        at = put_nil(at)
    else:
        at = put_text(at, relations.unique_text + relations.key_at, relations.unique_size - relations.key_at)
    at = _list_put(put_key(at, "depends_on"), &parts.depends_on)
    at = put_uint(put_key(at, "progress"), job.progress)
    at = _optional_put(put_key(at, "progress_msg"), extra.message, extra.message_size)
    at = _list_put(put_key(at, "tags"), &parts.tags)
    at = put_bool(put_key(at, "lifo"), job_is(job, JOB_LIFO))
    at = put_bool(put_key(at, "remove_on_complete"), job_is(job, JOB_REMOVE_ON_COMPLETE))
    at = put_bool(put_key(at, "remove_on_fail"), job_is(job, JOB_REMOVE_ON_FAIL))
    return put_key(at, "last_heartbeat")


cdef uint8_t* _tail_put(uint8_t* at, const Job* job, const Extra* extra) noexcept nogil:
    """From stall_timeout up to the key state."""
    cdef const Relations* relations = _relations(extra)
    cdef uint32_t i
    at = put_uint(put_key(at, "stall_timeout"), extra.stall_timeout)
    at = put_uint(put_key(at, "stall_count"), extra.stall_count)
    at = put_key(at, "parent_id")
    at = put_uint(at, relations.parent_id) if relations.parent_id else put_nil(at)
    at = put_array(put_key(at, "children_ids"), relations.children_count)
    for i in range(relations.children_count):
        at = put_uint(at, relations.children[i])
    at = put_uint(put_key(at, "children_completed"), relations.children_completed)
    at = _optional_put(put_key(at, "custom_id"), extra.custom_id, extra.custom_id_size)
    at = put_uint(put_key(at, "keep_completed_age"), relations.keep_age)
    at = put_uint(put_key(at, "keep_completed_count"), relations.keep_count)
    at = put_uint(put_key(at, "completed_at"), job.deadline if job.state == STATE_COMPLETED else 0)
    at = _optional_put(put_key(at, "group_id"), relations.group, relations.group_size)
    return put_key(at, "state")


cdef inline uint8_t* _state_put(uint8_t* at, uint8_t state) noexcept nogil:
    if state == STATE_ACTIVE:
        return put_key(at, "active")
    if state == STATE_WAITING:
        return put_key(at, "waiting")
    if state == STATE_DELAYED:
        return put_key(at, "delayed")
    if state == STATE_COMPLETED:
        return put_key(at, "completed")
    return put_key(at, "failed") if state == STATE_FAILED else put_key(at, "waiting-children")


cdef inline uint8_t* _head_put(uint8_t* at, const Job* job, const Slice* queue, const Slice* data,
                               uint16_t more) noexcept nogil:
    """Header of a map of 34 keys and `more`, and those up to backoff, which hardly any two jobs share."""
    at[0] = 0xDE
    store_be16(at + 1, <uint16_t>(34 + more))
    at = put_uint(put_key(at + 3, "id"), job.id)
    at = put_text(put_key(at, "queue"), queue.ptr, queue.size)
    at = put_key(at, "data")
    at = put_bytes(at, data.ptr, data.size) if data.size else put_nil(at)
    at = put_int32(put_key(at, "priority"), job.priority)
    at = put_uint(put_key(at, "created_at"), job.created_at)
    at = put_uint(put_key(at, "run_at"), job.run_at)
    at = put_uint(put_key(at, "started_at"), 0 if job.delivery == NULL else job.delivery.started_at)
    at = put_uint(put_key(at, "attempts"), job.attempts)
    at = put_uint(put_key(at, "max_attempts"), job.max_attempts)
    return put_uint(put_key(at, "backoff"), job.backoff)


cdef inline bint _is_plain(const Job* job, const Slice* tags) noexcept nogil:
    return (job.extra == NULL and tags.size == 0 and job.progress == 0
            and not job_is(job, JOB_LIFO | JOB_REMOVE_ON_COMPLETE | JOB_REMOVE_ON_FAIL))


cdef size_t _rare_room(const Extra* extra) noexcept nogil:
    cdef const Relations* relations = _relations(extra)
    cdef size_t texts = 2 * <size_t>extra.message_size + extra.custom_id_size + 6 * TEXT_ROOM
    texts += relations.name_size + KIND_ROOM
    return texts + relations.unique_size + relations.group_size + NUMBER_ROOM * <size_t>relations.children_count


cdef void msgpack_job(WriteBuffer* out, const Job* job, const JobParts* parts) noexcept nogil:
    cdef const Extra* extra = &NO_EXTRA
    cdef size_t sizes = <size_t>parts.queue.size + parts.data.size + parts.tags.size + parts.depends_on.size
    cdef bint failing = job.state == STATE_FAILED
    cdef uint16_t more = 0
    cdef uint8_t* at
    if job.extra != NULL:
        extra = job.extra
        failing |= extra.failing != NULL
        sizes += _rare_room(extra)
        more = _kind_keys(_relations(extra))
    if failing:
        sizes += msgpack_failing_room(job, parts.history)
        more += msgpack_failing_keys(job, parts.history)
    at = buffer_room(out, JOB_ROOM + sizes)
    if at == NULL:
        return
    at = _head_put(at, job, &parts.queue, &parts.data, more)
    if _is_plain(job, &parts.tags):
        at = put_bytes(at, PLAIN_MIDDLE.bytes, PLAIN_MIDDLE.size)
    else:
        at = _middle_put(at, job, extra, parts)
    at = put_uint(at, extra.last_heartbeat if job.delivery == NULL else job.delivery.last_heartbeat)
    if job.extra == NULL and job.state != STATE_COMPLETED:
        at = put_bytes(at, PLAIN_TAIL.bytes, PLAIN_TAIL.size)
    else:
        at = _tail_put(at, job, extra)
    at = _state_put(at, job.state)
    at = _optional_put(put_key(at, "progress_message"), extra.message, extra.message_size)
    at = put_key(at, "token")
    if job.state == STATE_ACTIVE and job.delivery != NULL:
        at = put_uint(at, job.delivery.token)
    else:
        at = put_nil(at)
    if extra.relations != NULL:
        at = _kind_put(at, extra.relations)
    if failing:
        at = msgpack_failing_put(at, job, parts.history)
    buffer_done(out, at)


cdef inline uint16_t _kind_keys(const Relations* relations) noexcept nogil:
    return <uint16_t>((relations.name != NULL) + (relations.version != 0))


cdef uint8_t* _kind_put(uint8_t* at, const Relations* relations) noexcept nogil:
    """`name` and `version`, where they were given."""
    if relations.name != NULL:
        at = put_text(put_key(at, "name"), relations.name, relations.name_size)
    if relations.version:
        at = put_uint(put_key(at, "version"), relations.version)
    return at


cdef void _blocks_fill() noexcept nogil:
    """The blocks come from the functions that write every other job, so that the two cannot differ."""
    cdef Job job
    cdef JobParts none
    memset(&none, 0, sizeof(none))
    memset(&job, 0, sizeof(Job))
    PLAIN_MIDDLE.size = <uint32_t>(_middle_put(PLAIN_MIDDLE.bytes, &job, &NO_EXTRA, &none) - PLAIN_MIDDLE.bytes)
    PLAIN_TAIL.size = <uint32_t>(_tail_put(PLAIN_TAIL.bytes, &job, &NO_EXTRA) - PLAIN_TAIL.bytes)


_blocks_fill()
