"""JSON replies, written in place: one check for room a job, then only moves. Keys stand in the wire's order."""
from flashq._core.buffer cimport buffer_done, buffer_put, buffer_room
from flashq._core.job cimport (
    JOB_LIFO, JOB_REMOVE_ON_COMPLETE, JOB_REMOVE_ON_FAIL, STATE_ACTIVE, STATE_COMPLETED, STATE_DELAYED, STATE_FAILED,
    STATE_WAITING, Extra, Relations, job_is,
)
from flashq._core.json_failing cimport json_failing_put, json_failing_room
from flashq._core.json_write cimport (
    ESCAPE_ROOM, NUMBER_ROOM, bytes_put, i64_put, literal_put, stamp_put, text_escape, u64_put,
)
from flashq._core.state cimport Queue
from libc.stdint cimport uint8_t

cdef enum:
    HEAD_ROOM = 128             # constant text of a reply around what it carries
    JOB_ROOM = 1400             # constant text and every number of a Job object; a test fills all of it
    KIND_ROOM = 64              # of `name` and `version` without the name's text


# -- whole replies --------------------------------------------------------------------------------------------

cdef inline uint8_t* _head(WriteBuffer* out, const Slice* req_id, size_t more) noexcept nogil:
    """The beginning that all replies share, with room for `more` bytes and a closing; NULL when there is no memory."""
    cdef uint8_t* p = buffer_room(out, HEAD_ROOM + req_id.size + more)
    if p == NULL:
        return NULL
    if req_id.ptr == NULL:
        return literal_put(p, b'{"ok":true,"success":true')
    p = literal_put(p, b'{"reqId":"')
    p = bytes_put(p, req_id.ptr, req_id.size)
    return literal_put(p, b'","ok":true,"success":true')


cdef inline void _close(WriteBuffer* out, uint8_t* p) noexcept nogil:
    buffer_done(out, literal_put(p, b'}\n'))


cdef void json_reply_ok(WriteBuffer* out, const Slice* req_id) noexcept nogil:
    cdef uint8_t* p = _head(out, req_id, 0)
    if p != NULL:
        _close(out, p)


cdef void json_reply_id(WriteBuffer* out, const Slice* req_id, uint64_t id) noexcept nogil:
    cdef uint8_t* p = _head(out, req_id, NUMBER_ROOM)
    if p != NULL:
        _close(out, u64_put(literal_put(p, b',"id":'), id))


cdef void json_reply_count(WriteBuffer* out, const Slice* req_id, uint64_t count) noexcept nogil:
    cdef uint8_t* p = _head(out, req_id, 2 * NUMBER_ROOM)
    if p != NULL:
        p = u64_put(literal_put(p, b',"ids":['), count)
        _close(out, u64_put(literal_put(p, b'],"count":'), count))


cdef void json_reply_no_job(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    cdef uint8_t* p = _head(out, req_id, 0)
    if p != NULL:
        _close(out, literal_put(p, b',"jobs":[],"job":null') if many else literal_put(p, b',"job":null'))


cdef void json_reply_ids(WriteBuffer* out, const Slice* req_id, const uint64_t* ids, uint32_t count) noexcept nogil:
    cdef uint8_t* p = _head(out, req_id, (NUMBER_ROOM + 1) * <size_t>count)
    cdef uint32_t i
    if p == NULL:
        return
    p = literal_put(p, b',"ids":[')
    for i in range(count):
        p = u64_put(_comma(p, i), ids[i])
    _close(out, literal_put(p, b']'))


cdef void json_cancelled(WriteBuffer* out, const Job* job) noexcept nogil:
    cdef const Queue* queue = <const Queue*>job.queue
    cdef uint8_t* p = buffer_room(out, HEAD_ROOM + 2 * NUMBER_ROOM + queue.name.size)
    if p == NULL:
        return
    p = u64_put(literal_put(p, b'{"event":"cancel","id":'), job.id)
    p = bytes_put(literal_put(p, b',"queue":"'), queue.text, queue.name.size)   # its letters need no escape
    _close(out, u64_put(literal_put(p, b'","token":'), job.delivery.token))


cdef inline uint8_t* _comma(uint8_t* p, uint32_t index) noexcept nogil:
    """A comma before every element but the first."""
    p[0] = c','
    return p + (index != 0)


# -- jobs -----------------------------------------------------------------------------------------------------

cdef size_t json_jobs_begin(WriteBuffer* out, const Slice* req_id, bint many) noexcept nogil:
    cdef size_t mark = out.size
    cdef uint8_t* p = _head(out, req_id, 0)
    if p != NULL:
        buffer_done(out, literal_put(p, b',"jobs":[') if many else literal_put(p, b',"job":'))
    return mark


cdef void json_jobs_next(WriteBuffer* out, uint32_t index) noexcept nogil:
    if index:
        buffer_put(out, b',', 1)


cdef void json_jobs_end(WriteBuffer* out, size_t mark, bint many, uint32_t count) noexcept nogil:
    """`mark` and `count` are for the other codec, which goes back to fill them in."""
    cdef uint8_t* p = buffer_room(out, HEAD_ROOM)
    if p != NULL:
        _close(out, literal_put(p, b']') if many else p)


cdef size_t _rare_room(const Extra* extra) noexcept nogil:
    cdef size_t texts = 2 * <size_t>extra.message_size + extra.custom_id_size
    cdef size_t room = 0
    if extra.relations != NULL:
        texts += extra.relations.unique_size + extra.relations.group_size + extra.relations.name_size
        room = KIND_ROOM + (NUMBER_ROOM + 1) * <size_t>extra.relations.children_count
    return texts * ESCAPE_ROOM + room


cdef void json_job(WriteBuffer* out, const Job* job, const JobParts* parts) noexcept nogil:
    cdef const Slice* queue = &parts.queue
    cdef const Slice* data = &parts.data
    cdef size_t room = JOB_ROOM + queue.size * ESCAPE_ROOM + data.size + parts.tags.size + parts.depends_on.size
    cdef bint failing = job.state == STATE_FAILED
    cdef uint8_t* p
    if job.extra != NULL:
        room += _rare_room(job.extra)
        failing |= job.extra.failing != NULL
    if failing:
        room += json_failing_room(job, parts.history)
    p = buffer_room(out, room)
    if p == NULL:
        return
    p = u64_put(literal_put(p, b'{"id":'), job.id)
    p = literal_put(p, b',"queue":"')
    p = text_escape(p, queue.ptr, queue.size)
    p = literal_put(p, b'","data":')
    p = bytes_put(p, data.ptr, data.size) if data.size else literal_put(p, b'null')
    p = _numbers_put(p, job)
    p = _common_put(p, job) if _is_common(job, &parts.tags) else _rare_put(p, job, parts)
    p = _state_put(literal_put(p, b',"state":'), job.state)
    p = _message_put(literal_put(p, b',"progress_message":'), job.extra)
    p = literal_put(p, b',"token":')
    if job.state == STATE_ACTIVE and job.delivery != NULL:
        p = u64_put(p, job.delivery.token)
    else:
        p = literal_put(p, b'null')
    if job.extra != NULL and job.extra.relations != NULL:
        p = _kind_put(p, job.extra.relations)
    if failing:
        p = json_failing_put(p, job, parts.history)
    buffer_done(out, literal_put(p, b'}'))


cdef uint8_t* _kind_put(uint8_t* p, const Relations* relations) noexcept nogil:
    """`name` and `version`, where they were given."""
    if relations.name != NULL:
        p = text_escape(literal_put(p, b',"name":"'), relations.name, relations.name_size)
        p = literal_put(p, b'"')
    if relations.version:
        p = u64_put(literal_put(p, b',"version":'), relations.version)
    return p


cdef inline uint8_t* _numbers_put(uint8_t* p, const Job* job) noexcept nogil:
    """From `priority` to `backoff`."""
    p = i64_put(literal_put(p, b',"priority":'), job.priority)
    p = stamp_put(literal_put(p, b',"created_at":'), job.created_at)
    p = stamp_put(literal_put(p, b',"run_at":'), job.run_at)
    p = stamp_put(literal_put(p, b',"started_at":'), job.delivery.started_at if job.delivery != NULL else 0)
    p = u64_put(literal_put(p, b',"attempts":'), job.attempts)
    p = u64_put(literal_put(p, b',"max_attempts":'), job.max_attempts)
    return u64_put(literal_put(p, b',"backoff":'), job.backoff)


cdef inline bint _is_common(const Job* job, const Slice* tags) noexcept nogil:
    return job.extra == NULL and tags.size == 0 and job.state != STATE_COMPLETED


cdef inline uint8_t* _common_put(uint8_t* p, const Job* job) noexcept nogil:
    """From `ttl` to `group_id` of a job without rare fields, in constants but for three values."""
    p = literal_put(p, b',"ttl":0,"timeout":0,"unique_key":null,"depends_on":[],"progress":')
    p = u64_put(p, job.progress)
    if job.flags & (JOB_LIFO | JOB_REMOVE_ON_COMPLETE | JOB_REMOVE_ON_FAIL):
        p = _flags_put(literal_put(p, b',"progress_msg":null,"tags":[]'), job)
    else:
        p = literal_put(p, b',"progress_msg":null,"tags":[],"lifo":false,"remove_on_complete":false,'
                           b'"remove_on_fail":false')
    p = stamp_put(literal_put(p, b',"last_heartbeat":'), _heartbeat(job))
    return literal_put(
        p,
        b',"stall_timeout":0,"stall_count":0,"parent_id":null,"children_ids":[],"children_completed":0,'
        b'"custom_id":null,"keep_completed_age":0,"keep_completed_count":0,"completed_at":0,"group_id":null',
    )


cdef Extra NO_EXTRA             # all zero: what a job without rare fields has
cdef Relations NO_RELATIONS


cdef inline uint8_t* _list_put(uint8_t* p, const Slice* raw) noexcept nogil:
    return bytes_put(p, raw.ptr, raw.size) if raw.size else literal_put(p, b'[]')


cdef uint8_t* _family_put(uint8_t* p, const Relations* relations) noexcept nogil:
    """From `parent_id` to `children_completed`."""
    cdef uint32_t i
    p = literal_put(p, b',"parent_id":')
    p = u64_put(p, relations.parent_id) if relations.parent_id else literal_put(p, b'null')
    p = literal_put(p, b',"children_ids":[')
    for i in range(relations.children_count):
        p = u64_put(_comma(p, i), relations.children[i])
    return u64_put(literal_put(p, b'],"children_completed":'), relations.children_completed)


cdef uint8_t* _rare_put(uint8_t* p, const Job* job, const JobParts* parts) noexcept nogil:
    """From `ttl` to `group_id` of any job."""
    cdef const Extra* extra = &NO_EXTRA if job.extra == NULL else job.extra
    cdef const Relations* relations = &NO_RELATIONS if extra.relations == NULL else extra.relations
    p = u64_put(literal_put(p, b',"ttl":'), extra.ttl)
    p = u64_put(literal_put(p, b',"timeout":'), extra.timeout)
    p = _key_put(literal_put(p, b',"unique_key":'), relations)
    p = _list_put(literal_put(p, b',"depends_on":'), &parts.depends_on)
    p = u64_put(literal_put(p, b',"progress":'), job.progress)
    p = _message_put(literal_put(p, b',"progress_msg":'), extra)
    p = _list_put(literal_put(p, b',"tags":'), &parts.tags)
    p = _flags_put(p, job)
    p = stamp_put(literal_put(p, b',"last_heartbeat":'), _heartbeat(job))
    p = u64_put(literal_put(p, b',"stall_timeout":'), extra.stall_timeout)
    p = u64_put(literal_put(p, b',"stall_count":'), extra.stall_count)
    p = literal_put(_family_put(p, relations), b',"custom_id":')
    p = _text_put(p, extra.custom_id, extra.custom_id_size)
    p = u64_put(literal_put(p, b',"keep_completed_age":'), relations.keep_age)
    p = u64_put(literal_put(p, b',"keep_completed_count":'), relations.keep_count)
    p = literal_put(p, b',"completed_at":')
    p = u64_put(p, job.deadline if job.state == STATE_COMPLETED else 0)     # then that field holds when it was
    return _text_put(literal_put(p, b',"group_id":'), relations.group, relations.group_size)


cdef inline uint8_t* _key_put(uint8_t* p, const Relations* relations) noexcept nogil:
    if relations.unique_text == NULL:
        return literal_put(p, b'null')
    return _text_put(p, relations.unique_text + relations.key_at, relations.unique_size - relations.key_at)


cdef inline uint8_t* _state_put(uint8_t* p, uint8_t state) noexcept nogil:
    if state == STATE_ACTIVE:
        return literal_put(p, b'"active"')
    if state == STATE_WAITING:
        return literal_put(p, b'"waiting"')
    if state == STATE_DELAYED:
        return literal_put(p, b'"delayed"')
    if state == STATE_COMPLETED:
        return literal_put(p, b'"completed"')
    return literal_put(p, b'"failed"') if state == STATE_FAILED else literal_put(p, b'"waiting-children"')


cdef inline uint64_t _heartbeat(const Job* job) noexcept nogil:
    if job.delivery != NULL:
        return job.delivery.last_heartbeat
    return job.extra.last_heartbeat if job.extra != NULL else 0


cdef uint8_t* _flags_put(uint8_t* p, const Job* job) noexcept nogil:
    p = _bool_put(literal_put(p, b',"lifo":'), job_is(job, JOB_LIFO))
    p = _bool_put(literal_put(p, b',"remove_on_complete":'), job_is(job, JOB_REMOVE_ON_COMPLETE))
    return _bool_put(literal_put(p, b',"remove_on_fail":'), job_is(job, JOB_REMOVE_ON_FAIL))


cdef inline uint8_t* _bool_put(uint8_t* p, bint value) noexcept nogil:
    return literal_put(p, b'true') if value else literal_put(p, b'false')


cdef inline uint8_t* _message_put(uint8_t* p, const Extra* extra) noexcept nogil:
    return literal_put(p, b'null') if extra == NULL else _text_put(p, extra.message, extra.message_size)


cdef uint8_t* _text_put(uint8_t* p, const uint8_t* text, uint32_t size) noexcept nogil:
    """A string, or null when there is none."""
    if text == NULL:
        return literal_put(p, b'null')
    p[0] = c'"'
    p = text_escape(p + 1, text, size)
    p[0] = c'"'
    return p + 1
