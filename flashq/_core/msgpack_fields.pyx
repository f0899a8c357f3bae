"""The fields of a MessagePack request, each into its place in the Request.

What is merely wrong for its field sets a bit, and the scan goes on, so that the reply can carry the reqId that may
stand behind it; only what is no MessagePack, or no value that may be stored, ends it.
"""
from flashq._core.fieldtable cimport TABLE, FieldDef, choice_find, field_find, item_reset
from flashq._core.msgpack_reader cimport Reader, loose_skip, text_check, value_skip
from flashq._core.msgpack_retry cimport msgpack_retry
from flashq._core.msgpack_tokens cimport (SHAPE_ARRAY, SHAPE_FLOAT, SHAPE_MAP, SHAPE_STR, SHAPE_UINT,
                                          Token, token_read)
from flashq._core.request cimport (
    BIT_ID, KIND_BOOL, KIND_CHOICE, KIND_CMD, KIND_I32, KIND_ID_LIST, KIND_IDS, KIND_ITEMS, KIND_PROGRESS, KIND_RAW,
    KIND_REQ_ID, KIND_RETRY, KIND_STR, KIND_TAGS, KIND_U64, MAX_BATCH, MAX_REQ_ID, PushItem, Request, RetryGiven, Slice,
)
from flashq._core.status cimport BAD_MSGPACK, BAD_UTF8, OK
from libc.stdint cimport INT32_MIN, INT64_MAX, int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    NIL = 0xC0

cdef struct IdList:             # how Request lays out an array and its count
    uint64_t* at
    uint32_t count


cdef inline uint64_t _bit(const FieldDef* field) noexcept nogil:
    return <uint64_t>1 << field.bit


cdef inline void* _place(PushItem* item, const FieldDef* field) noexcept nogil:
    """Where the field's value goes; a Request begins with its item, so that this serves both."""
    return <uint8_t*>item + field.offset


cdef inline void _mark_bad(PushItem* item, const FieldDef* field, bint outside) noexcept nogil:
    item.bad |= _bit(field)
    if outside:
        item.outside |= _bit(field)


cdef int _refuse(Reader* reader, PushItem* item, const FieldDef* field, bint outside) noexcept nogil:
    """Pass the value at the reader, which the field cannot take."""
    _mark_bad(item, field, outside)
    return loose_skip(reader)


cdef inline void _slice_keep(PushItem* item, const FieldDef* field, const uint8_t* ptr, size_t size) noexcept nogil:
    cdef Slice* slice = <Slice*>_place(item, field)
    slice.ptr = ptr
    slice.size = <uint32_t>size
    slice.flags = 0
    item.seen |= _bit(field)


cdef inline bint _is_number(const Token* token) noexcept nogil:
    return SHAPE_UINT <= token.shape <= SHAPE_FLOAT


cdef inline bint _number_take(const Token* token, uint8_t kind, uint64_t limit, int64_t* out) noexcept nogil:
    """The number of a token, when it lies in the range of its kind; fractions only of KIND_PROGRESS, rounded down."""
    cdef int64_t lowest = INT32_MIN if kind == KIND_I32 else 0
    if token.shape == SHAPE_FLOAT:
        if not <double>lowest <= token.real < 9223372036854775808.0:            # NaN fails as well
            return False
        out[0] = <int64_t>token.real
        if <double>out[0] != token.real and kind != KIND_PROGRESS:
            return False
    elif token.shape == SHAPE_UINT and token.number > <uint64_t>INT64_MAX:
        return False
    else:
        out[0] = <int64_t>token.number
    return lowest <= out[0] and (out[0] < 0 or <uint64_t>out[0] <= limit)


cdef int _number_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef Token token
    cdef int64_t number = 0
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    if body == NULL:
        return BAD_MSGPACK
    if not _is_number(&token):
        return _refuse(reader, item, field, False)
    reader.at = body
    if _number_take(&token, field.kind, field.limit, &number):
        (<int64_t*>_place(item, field))[0] = number
        item.seen |= _bit(field)
    else:
        _mark_bad(item, field, True)
    return OK


cdef int _bool_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    if reader.at[0] != 0xC2 and reader.at[0] != 0xC3:
        return _refuse(reader, item, field, False)
    (<uint64_t*>_place(item, field))[0] = reader.at[0] - 0xC2
    item.seen |= _bit(field)
    reader.at += 1
    return OK


cdef int _text_read(Reader* reader, Request* request, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef uint64_t limit = MAX_REQ_ID if field.kind == KIND_REQ_ID else field.limit
    cdef Token token
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    if body == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_STR and field.other and reader.item < 0:
        _mark_bad(item, field, False)                           # perhaps good for the field that shares its name
        return _field_read(reader, request, item, &TABLE.fields[field.other - 1])
    if token.shape != SHAPE_STR:
        return _refuse(reader, item, field, False)
    if limit and token.number > limit:
        return _refuse(reader, item, field, True)
    if text_check(reader, body, token.number) != OK:
        return BAD_UTF8
    _slice_keep(item, field, body, token.number)
    reader.at = body + token.number
    return OK


cdef int _raw_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef const uint8_t* start = reader.at
    cdef int status = value_skip(reader)
    if status == OK:
        _slice_keep(item, field, start, <size_t>(reader.at - start))
    return status


cdef int _tags_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef const uint8_t* start = reader.at
    cdef const uint8_t* at
    cdef Token token
    cdef uint64_t left
    at = token_read(start, reader.end, &token)
    if at == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_ARRAY:
        return _refuse(reader, item, field, False)
    left = token.number
    while left:
        reader.at = at
        at = token_read(at, reader.end, &token)
        if at == NULL:
            return BAD_MSGPACK
        if token.shape != SHAPE_STR:
            reader.at = start
            return _refuse(reader, item, field, False)
        if text_check(reader, at, token.number) != OK:
            return BAD_UTF8
        at += token.number
        left -= 1
    reader.at = at
    _slice_keep(item, field, start, <size_t>(at - start))
    return OK


cdef int _ids_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    """An array of ids; those past the batch limit are counted and checked, and share the last place."""
    cdef IdList* list = <IdList*>_place(item, field)
    cdef Token token
    cdef int64_t number = 0
    cdef uint32_t count, i
    cdef int status
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    if body == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_ARRAY:
        return _refuse(reader, item, field, False)
    reader.at = body
    reader.depth += 1
    count = <uint32_t>token.number
    for i in range(count):
        body = token_read(reader.at, reader.end, &token)
        if body == NULL:
            return BAD_MSGPACK
        if not _is_number(&token):
            status = _refuse(reader, item, field, False)
            if status != OK:
                return status
            continue
        reader.at = body
        if _number_take(&token, KIND_U64, INT64_MAX, &number):
            list.at[min(i, <uint32_t>MAX_BATCH)] = <uint64_t>number
        else:
            _mark_bad(item, field, True)
    reader.depth -= 1
    list.count = count
    item.seen |= _bit(field)
    return OK


cdef int id_list(const uint8_t* at, const uint8_t* end, uint64_t* out, uint32_t cap,
                 const uint8_t** stop) noexcept nogil:
    """The u64s of the array at `at`; how many, -1 when it is none, -2 when it is cut off. `stop`: behind it."""
    cdef Token token
    cdef int64_t number = 0
    cdef uint64_t count, i
    at = token_read(at, end, &token)
    if at == NULL:
        return -2
    if token.shape != SHAPE_ARRAY:
        return -1
    count = token.number
    for i in range(count):
        at = token_read(at, end, &token)
        if at == NULL:
            return -2
        if not _is_number(&token) or not _number_take(&token, KIND_U64, INT64_MAX, &number):
            return -1
        if i < cap:
            out[i] = <uint64_t>number
    stop[0] = at
    return <int>count


cdef int _id_list_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef const uint8_t* start = reader.at
    cdef const uint8_t* stop = NULL
    cdef int count = id_list(start, reader.end, NULL, 0, &stop)
    if count == -2:
        return BAD_MSGPACK
    if count == -1:
        return _refuse(reader, item, field, False)
    reader.at = stop
    if count > <int64_t>field.limit:
        _mark_bad(item, field, True)
        return OK
    _slice_keep(item, field, start, <size_t>(stop - start))
    return OK


cdef int _retry_read(Reader* reader, Request* request, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef const uint8_t* start = reader.at
    cdef RetryGiven* out = <RetryGiven*>_place(item, field)
    cdef Token token
    cdef int status
    if token_read(start, reader.end, &token) == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_MAP and field.other and reader.item < 0:
        _mark_bad(item, field, False)                           # perhaps good for the field that shares its name
        return _field_read(reader, request, item, &TABLE.fields[field.other - 1])
    if token.shape != SHAPE_MAP:
        return _refuse(reader, item, field, False)
    status = value_skip(reader)
    if status != OK:
        return status
    if field.other:                                             # what is good for this field is bad for the other
        _mark_bad(item, &TABLE.fields[field.other - 1], False)
    msgpack_retry(start, reader.at, out)
    if out.wrong:
        _mark_bad(item, field, True)
    else:
        item.seen |= _bit(field)
    return OK


cdef int _choice_read(Reader* reader, PushItem* item, const FieldDef* field) noexcept nogil:
    cdef Token token
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    cdef int index
    if body == NULL:
        return BAD_MSGPACK
    index = choice_find(field, body, token.number) if token.shape == SHAPE_STR else -1
    if index < 0:
        return _refuse(reader, item, field, False)
    (<uint64_t*>_place(item, field))[0] = <uint64_t>index
    item.seen |= _bit(field)
    reader.at = body + token.number
    return OK


cdef int _items_read(Reader* reader, Request* request, const FieldDef* field) noexcept nogil:
    """The jobs of PUSHB; those past the batch limit are counted and checked, and share the last place."""
    cdef Token token
    cdef uint32_t count, i
    cdef PushItem* item
    cdef int status
    cdef const uint8_t* body = token_read(reader.at, reader.end, &token)
    if body == NULL:
        return BAD_MSGPACK
    if token.shape != SHAPE_ARRAY:
        return _refuse(reader, &request.item, field, False)
    reader.at = body
    count = <uint32_t>token.number
    reader.depth += 1
    for i in range(count):
        body = token_read(reader.at, reader.end, &token)
        if body == NULL:
            return BAD_MSGPACK
        item = &request.items[min(i, <uint32_t>MAX_BATCH)]
        item_reset(item)
        if token.shape == SHAPE_MAP:
            reader.at, reader.item = body, <int32_t>i
            status = fields_read(reader, request, item, token.number)
            reader.item = -1
        else:
            status = _refuse(reader, &request.item, field, False)
        if status != OK:
            return status
    reader.depth -= 1
    request.item_count = count
    request.item.seen |= _bit(field)
    return OK


cdef int _value_read(Reader* reader, Request* request, PushItem* item, const FieldDef* field) noexcept nogil:
    """The value of a known field, which is not nil, into its place."""
    cdef uint8_t kind = field.kind
    if kind == KIND_RAW:
        return _raw_read(reader, item, field)
    if kind == KIND_STR or kind == KIND_REQ_ID or kind == KIND_CMD:
        return _text_read(reader, request, item, field)
    if kind == KIND_BOOL:
        return _bool_read(reader, item, field)
    if kind == KIND_TAGS:
        return _tags_read(reader, item, field)
    if kind == KIND_ID_LIST:
        return _id_list_read(reader, item, field)
    if kind == KIND_IDS:
        return _ids_read(reader, item, field)
    if kind == KIND_ITEMS:
        return _items_read(reader, request, field)
    if kind == KIND_RETRY:
        return _retry_read(reader, request, item, field)
    if kind == KIND_CHOICE:
        return _choice_read(reader, item, field)
    if field.bit == BIT_ID:
        request.id_text = reader.at
    return _number_read(reader, item, field)


cdef int _field_read(Reader* reader, Request* request, PushItem* item, const FieldDef* field) noexcept nogil:
    """A known field, with the reader at its value, of which there is at least a byte."""
    if item.given & _bit(field):
        if request.duplicate == NULL:
            request.duplicate = field.canonical
            request.problem_item = reader.item
        return loose_skip(reader)
    item.given |= _bit(field)
    if reader.at[0] == NIL:
        reader.at += 1
        return OK
    return _value_read(reader, request, item, field)


cdef int fields_read(Reader* reader, Request* request, PushItem* item, uint64_t pairs) noexcept nogil:
    cdef const FieldDef* field
    cdef const uint8_t* name
    cdef Token key
    cdef int status = OK
    reader.depth += 1
    while pairs and status == OK:
        pairs -= 1
        name = token_read(reader.at, reader.end, &key)
        if name == NULL or key.shape != SHAPE_STR:
            return BAD_MSGPACK
        if text_check(reader, name, key.number) != OK:
            return BAD_UTF8
        reader.at = name + key.number
        if reader.at == reader.end:
            return BAD_MSGPACK
        field = field_find(name, key.number)
        if field == NULL or (reader.item >= 0 and not field.in_item):
            status = loose_skip(reader)
        else:
            status = _field_read(reader, request, item, field)
    reader.depth -= 1
    return status
