"""JSON on the wire: one pass over a frame that leaves slices of it in a Request. The replies: json_reply."""
from flashq._core.fieldtable cimport TABLE, FieldDef, choice_find, field_find, item_reset, request_check, request_reset
from flashq._core.json_grammar cimport Reader, reader_fail, space_skip, text_rest, text_unescape, value_skip, word_skip
from flashq._core.json_number cimport Number, number_read, number_skip
from flashq._core.json_retry cimport json_retry
from flashq._core.json_shape cimport shape_learn, shape_scan
from flashq._core.request cimport (
    BIT_ID, JSON, KIND_BOOL, KIND_CHOICE, KIND_CMD, KIND_I32, KIND_IDS, KIND_ID_LIST, KIND_ITEMS, KIND_PROGRESS,
    KIND_RAW, KIND_REQ_ID, KIND_RETRY, KIND_STR, KIND_TAGS, MAX_BATCH, MAX_REQ_ID, PushItem, RetryGiven,
)
from flashq._core.scan cimport scan_digits, scan_text
from flashq._core.scratch cimport scratch_reset, scratch_text
from flashq._core.status cimport BAD_SYNTAX, NO_MEMORY, NOT_OBJECT, OK
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memchr

cdef enum:
    TOP_DEPTH = 1               # containers around a field's value: the request
    ITEM_DEPTH = 3              # the request, `jobs`, the item
    FAST_DIGITS = 18            # always below 2^63

cdef struct Scan:
    Reader r                    # first: a Scan* is where the grammar's functions want a Reader*
    Scratch* scratch
    Request* request
    size_t frame_size
    PushItem* into              # whose fields are being read
    int depth
    int32_t item                # index in `jobs`, -1 at the top


# -- scanning -------------------------------------------------------------------------------------------------

cdef int json_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil:
    cdef Scan s
    cdef const uint8_t* p
    cdef int status
    scratch_reset(scratch)
    if shape_scan(scratch, frame, size, request):
        return OK
    request_reset(request, scratch)
    request.format = JSON
    s.r = Reader(frame + size, NULL, OK, 0)
    s.scratch, s.request, s.frame_size = scratch, request, size
    s.into, s.depth, s.item = &request.item, TOP_DEPTH, -1
    p = space_skip(&s.r, frame)
    if p < s.r.end and p[0] == c'{':
        p = object_scan(&s, p + 1)
    else:
        p = value_skip(&s.r, p, 0)
        s.r.status = NOT_OBJECT if p != NULL else s.r.status
    if p != NULL:
        p = space_skip(&s.r, p)
        if p != s.r.end:
            reader_fail(&s.r, p, BAD_SYNTAX)
    if s.r.status == OK:
        status = request_check(request)
        if status == OK:
            shape_learn(scratch, frame, size, request)
        return status
    request.problem_item = -1
    request.problem_number = <uint64_t>(s.r.where - frame) if s.r.where != NULL else 0
    return s.r.status


cdef int json_validate(const uint8_t* value, size_t size) noexcept nogil:
    cdef Reader r = Reader(value + size, NULL, OK, 0)
    cdef const uint8_t* p = value_skip(&r, value, 0)
    if p != NULL and p != r.end:
        return BAD_SYNTAX
    return r.status


cdef const uint8_t* object_scan(Scan* s, const uint8_t* p) noexcept nogil:
    """The fields of s.into, from past the opening brace to past the closing one."""
    item_reset(s.into)
    p = space_skip(&s.r, p)
    if p < s.r.end and p[0] == c'}':
        return p + 1
    while True:
        p = member_scan(s, p)
        if p == NULL:
            return NULL
        p = space_skip(&s.r, p)
        if p == s.r.end or p[0] != c',' and p[0] != c'}':
            return reader_fail(&s.r, p, BAD_SYNTAX)
        if p[0] == c'}':
            return p + 1
        p = space_skip(&s.r, p + 1)


cdef inline const uint8_t* member_scan(Scan* s, const uint8_t* p) noexcept nogil:
    cdef const FieldDef* field
    cdef Slice name
    if p == s.r.end or p[0] != c'"':
        return reader_fail(&s.r, p, BAD_SYNTAX)
    p = text_take(s, p + 1, &name)
    if p == NULL:
        return NULL
    p = space_skip(&s.r, p)
    if p == s.r.end or p[0] != c':':
        return reader_fail(&s.r, p, BAD_SYNTAX)
    p = space_skip(&s.r, p + 1)
    field = field_find(name.ptr, name.size)
    if field == NULL or s.item >= 0 and not field.in_item:
        return value_skip(&s.r, p, s.depth)
    return field_scan(s, p, field)


cdef const uint8_t* text_take(Scan* s, const uint8_t* p, Slice* out) noexcept nogil:
    """The text of a string from past its opening quote: a slice of the frame, or of the scratch if it has escapes."""
    cdef const uint8_t* start = p
    cdef uint8_t* room
    p = scan_text(p, s.r.end)
    if p < s.r.end and p[0] == c'"':
        out[0] = Slice(start, <uint32_t>(p - start), 0)
        return p + 1
    p = text_rest(&s.r, p)
    if p == NULL:
        return NULL
    out[0] = Slice(start, <uint32_t>(p - start) - 1, 0)
    if memchr(start, c'\\', out.size) == NULL:
        return p
    room = scratch_text(s.scratch, s.frame_size)
    if room == NULL:
        return reader_fail(&s.r, start, NO_MEMORY)
    out.ptr = room
    out.size = <uint32_t>(text_unescape(start, p - 1, room) - room)
    s.scratch.text_used += out.size
    return p


# -- fields ---------------------------------------------------------------------------------------------------

cdef const uint8_t* field_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    """One known field: its value into its place and its bit into the masks. Only a grammar error stops the scan."""
    cdef uint64_t bit = <uint64_t>1 << field.bit
    if s.into.given & bit:
        if s.request.duplicate == NULL:
            s.request.duplicate = field.canonical
            s.request.problem_item = s.item
        return value_skip(&s.r, p, s.depth)
    s.into.given |= bit
    if p < s.r.end and p[0] == c'n':
        return word_skip(&s.r, p)
    if field.kind == KIND_RAW:
        p = raw_scan(s, p, <Slice*>place(s, field))
        s.into.seen |= bit if p != NULL else 0
        return p
    if field.kind == KIND_STR or field.kind == KIND_CMD or field.kind == KIND_REQ_ID:
        return string_scan(s, p, field)
    if field.kind == KIND_TAGS or field.kind == KIND_ID_LIST:
        return checked_scan(s, p, field)
    if field.kind == KIND_BOOL:
        return bool_scan(s, p, field)
    if field.kind == KIND_RETRY:
        return retry_scan(s, p, field)
    if field.kind == KIND_CHOICE:
        return choice_scan(s, p, field)
    if field.kind == KIND_ITEMS or field.kind == KIND_IDS:
        return list_scan(s, p, field)
    return number_scan(s, p, field)


cdef inline uint8_t* place(Scan* s, const FieldDef* field) noexcept nogil:
    return <uint8_t*>s.into + field.offset


cdef inline void field_bad(Scan* s, const FieldDef* field, bint outside) noexcept nogil:
    s.into.bad |= <uint64_t>1 << field.bit
    s.into.outside |= <uint64_t>outside << field.bit


cdef inline const uint8_t* raw_scan(Scan* s, const uint8_t* p, Slice* out) noexcept nogil:
    cdef const uint8_t* start = p
    s.r.flags = 0
    p = value_skip(&s.r, p, s.depth)
    if p != NULL:
        out[0] = Slice(start, <uint32_t>(p - start), s.r.flags)
    return p


cdef const uint8_t* string_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    cdef const uint8_t* start = p + 1
    cdef Slice* out = <Slice*>place(s, field)
    if p == s.r.end or p[0] != c'"':
        return mistyped_scan(s, p, field)
    p = text_take(s, start, out)
    if p == NULL:
        return NULL
    if field.kind == KIND_REQ_ID:                   # echoed as it came, escapes and all
        out[0] = Slice(start, <uint32_t>(p - start) - 1, 0)
        if out.size > MAX_REQ_ID:
            out[0] = Slice(NULL, 0, 0)
            field_bad(s, field, True)
            return p
    elif field.limit and out.size > field.limit:
        field_bad(s, field, True)
        return p
    s.into.seen |= <uint64_t>1 << field.bit
    return p


cdef const uint8_t* mistyped_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    """A value of another shape: bad for this field, perhaps good for the one that shares its name."""
    field_bad(s, field, False)
    if field.other and s.item < 0:
        return field_scan(s, p, &TABLE.fields[field.other - 1])
    return value_skip(&s.r, p, s.depth)


cdef const uint8_t* bool_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    if p == s.r.end or p[0] != c't' and p[0] != c'f':
        field_bad(s, field, False)
        return value_skip(&s.r, p, s.depth)
    (<uint64_t*>place(s, field))[0] = p[0] == c't'
    s.into.seen |= <uint64_t>1 << field.bit
    return word_skip(&s.r, p)


cdef const uint8_t* choice_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    cdef Slice text
    cdef int index
    if p == s.r.end or p[0] != c'"':
        return mistyped_scan(s, p, field)
    p = text_take(s, p + 1, &text)
    if p == NULL:
        return NULL
    index = choice_find(field, text.ptr, text.size)
    if index < 0:
        field_bad(s, field, False)
        return p
    (<uint64_t*>place(s, field))[0] = <uint64_t>index
    s.into.seen |= <uint64_t>1 << field.bit
    return p


cdef const uint8_t* retry_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    cdef RetryGiven* out = <RetryGiven*>place(s, field)
    cdef Slice value
    if p == s.r.end or p[0] != c'{':
        return mistyped_scan(s, p, field)
    p = raw_scan(s, p, &value)
    if p == NULL:
        return NULL
    if field.other:                                 # what is good for this field is bad for the other of its name
        field_bad(s, &TABLE.fields[field.other - 1], False)
    json_retry(&value, out)
    if out.wrong:
        field_bad(s, field, True)
    else:
        s.into.seen |= <uint64_t>1 << field.bit
    return p


cdef const uint8_t* checked_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    """A list of strings or ids, kept as its bytes if it looks right."""
    cdef Slice value
    cdef int ids
    cdef bint good
    p = raw_scan(s, p, &value)
    if p == NULL:
        return NULL
    if field.kind == KIND_TAGS:
        good = is_text_list(value.ptr, p)
    else:
        ids = json_id_list(&value, NULL, 0)
        if ids > <int64_t>field.limit:
            field_bad(s, field, True)
            return p
        good = ids >= 0
    (<Slice*>place(s, field))[0] = value
    if good:
        s.into.seen |= <uint64_t>1 << field.bit
    else:
        field_bad(s, field, False)
    return p


cdef bint is_text_list(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Of a valid value: whether it is an array of strings only."""
    cdef Reader r = Reader(end, NULL, OK, 0)
    if p[0] != c'[':
        return False
    while p[0] != c']':
        p = space_skip(&r, p + 1)                   # past the bracket or a comma
        if p[0] == c'"':
            p = space_skip(&r, value_skip(&r, p, 0))
        elif p[0] != c']':
            return False
    return True


cdef int json_id_list(const Slice* value, uint64_t* out, uint32_t cap) noexcept nogil:
    cdef const uint8_t* p = value.ptr
    cdef const uint8_t* end = value.ptr + value.size
    cdef const uint8_t* stop
    cdef Reader r = Reader(end, NULL, OK, 0)
    cdef Number number
    cdef uint32_t count = 0
    if p[0] != c'[':
        return -1
    while p[0] != c']':
        p = space_skip(&r, p + 1)                   # past the bracket or a comma
        if p[0] == c']':
            break
        if p[0] != c'-' and not c'0' <= p[0] <= c'9':
            return -1
        stop = number_skip(&r, p)
        number_read(p, stop, &number)
        if number.negative or number.fraction or number.value > INT64_MAX:
            return -1
        if count < cap:
            out[count] = number.value
        count += 1
        p = space_skip(&r, stop)
    return <int>count


# -- numbers and lists ----------------------------------------------------------------------------------------

cdef const uint8_t* number_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    cdef uint64_t limit = field.limit
    cdef Number number
    if p == s.r.end or p[0] != c'-' and not c'0' <= p[0] <= c'9':
        field_bad(s, field, False)
        return value_skip(&s.r, p, s.depth)
    if field.bit == BIT_ID:
        s.request.id_text = p
    p = number_take(s, p, &number)
    if p == NULL:
        return NULL
    if field.kind == KIND_I32 and number.negative:
        limit += 1
    elif number.negative:
        limit = 0
    if number.value > limit or number.fraction and (field.kind != KIND_PROGRESS or number.negative):
        field_bad(s, field, True)
        return p
    if number.negative:
        number.value = 0 - number.value
    (<uint64_t*>place(s, field))[0] = number.value
    s.into.seen |= <uint64_t>1 << field.bit
    return p


cdef inline const uint8_t* number_take(Scan* s, const uint8_t* p, Number* out) noexcept nogil:
    """The number at `p`: a digit or a minus sign stands there."""
    cdef const uint8_t* start = p
    cdef const uint8_t* end = scan_digits(p, s.r.end)
    cdef uint64_t value = 0
    if 0 < end - p <= FAST_DIGITS and p[0] != c'0' and end < s.r.end and (end[0] == c',' or end[0] | 0x20 == c'}'):
        while p < end:
            value = value * 10 + p[0] - c'0'
            p += 1
        out[0] = Number(value, False, False)
        return p
    p = number_skip(&s.r, p)
    if p != NULL:
        number_read(start, p, out)
    return p


cdef const uint8_t* list_scan(Scan* s, const uint8_t* p, const FieldDef* field) noexcept nogil:
    """Items or ids into their array, all of them counted, also those past the limit."""
    cdef uint32_t* count = <uint32_t*>(place(s, field) + sizeof(void*))
    cdef void* array = (<void**>place(s, field))[0]
    cdef uint32_t i = 0
    if p == s.r.end or p[0] != c'[':
        field_bad(s, field, False)
        return value_skip(&s.r, p, s.depth)
    s.into.seen |= <uint64_t>1 << field.bit
    p = space_skip(&s.r, p + 1)
    if p < s.r.end and p[0] == c']':
        return p + 1
    while True:
        if field.kind == KIND_ITEMS:
            p = item_scan(s, p, field, <PushItem*>array, i)
        else:
            p = id_scan(s, p, field, <uint64_t*>array + min(i, <uint32_t>MAX_BATCH))
        i += 1
        if p == NULL:
            return NULL
        p = space_skip(&s.r, p)
        if p == s.r.end or p[0] != c',' and p[0] != c']':
            return reader_fail(&s.r, p, BAD_SYNTAX)
        if p[0] == c']':
            count[0] = i
            return p + 1
        p = space_skip(&s.r, p + 1)


cdef inline const uint8_t* item_scan(Scan* s, const uint8_t* p, const FieldDef* field, PushItem* items,
                                     uint32_t i) noexcept nogil:
    if p == s.r.end or p[0] != c'{':
        field_bad(s, field, False)
        return value_skip(&s.r, p, TOP_DEPTH + 1)
    s.into, s.depth, s.item = &items[min(i, <uint32_t>MAX_BATCH)], ITEM_DEPTH, <int32_t>i
    p = object_scan(s, p + 1)
    s.into, s.depth, s.item = &s.request.item, TOP_DEPTH, -1
    return p


cdef inline const uint8_t* id_scan(Scan* s, const uint8_t* p, const FieldDef* field, uint64_t* out) noexcept nogil:
    cdef Number number
    if p == s.r.end or p[0] != c'-' and not c'0' <= p[0] <= c'9':
        field_bad(s, field, False)
        return value_skip(&s.r, p, TOP_DEPTH + 1)
    p = number_take(s, p, &number)
    if p == NULL:
        return NULL
    if number.value > field.limit or number.fraction or number.negative:
        field_bad(s, field, True)
    out[0] = number.value
    return p
