"""Producers send the same frame again and again with another payload, which is the last thing in it.

A scan is a function of the bytes: where all of them before the payload are those of the last such frame, so are the
fields they stand for. Only the payload is new, and is validated as ever. Whatever else comes goes the long way.
"""
from flashq._core.fieldtable cimport request_reset
from flashq._core.json_grammar cimport Reader, value_skip
from flashq._core.request cimport BIT_CMD, BIT_DATA, BIT_QUEUE, JSON, OP_PUSH, Slice
from flashq._core.scratch cimport SHAPE_BYTES, Shape
from flashq._core.status cimport OK
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy

cdef enum:
    TOP_DEPTH = 1               # containers around a field's value: the request
    FIELDS = (1 << BIT_CMD) | (1 << BIT_QUEUE) | (1 << BIT_DATA)


cdef bint shape_scan(Scratch* scratch, const uint8_t* frame, size_t size, Request* request) noexcept nogil:
    cdef const Shape* shape = &scratch.shape
    cdef const uint8_t* data = frame + shape.size
    cdef const uint8_t* last = frame + size - 1
    cdef const uint8_t* end
    cdef Reader reader
    if shape.size == 0 or size <= shape.size + 1 or memcmp(frame, shape.prefix, shape.size) != 0:
        return False
    reader = Reader(frame + size, NULL, OK, 0)
    end = value_skip(&reader, data, TOP_DEPTH)
    if end != last or last[0] != c'}' or data[0] == c'n':
        return False                        # more fields, null, or an error that the long way words
    request_reset(request, scratch)
    request.format = JSON
    request.op = OP_PUSH
    request.item.given = request.item.seen = FIELDS
    request.item.data = Slice(data, <uint32_t>(end - data), reader.flags)
    request.queue = Slice(frame + shape.queue_at, shape.queue_size, 0)
    request.cmd = Slice(frame + shape.cmd_at, shape.cmd_size, 0)
    return True


cdef inline bint inside(const Slice* slice, const uint8_t* frame, const uint8_t* end) noexcept nogil:
    return frame <= slice.ptr and slice.ptr < end


cdef void shape_learn(Scratch* scratch, const uint8_t* frame, size_t size, const Request* request) noexcept nogil:
    cdef const uint8_t* data = request.item.data.ptr
    if request.op != OP_PUSH or request.item.given != FIELDS or request.item.seen != FIELDS:
        return
    if data - frame > SHAPE_BYTES or data + request.item.data.size + 1 != frame + size:
        return
    if not inside(&request.queue, frame, data) or not inside(&request.cmd, frame, data):
        return                              # unescaped elsewhere
    scratch.shape.size = <uint32_t>(data - frame)
    memcpy(scratch.shape.prefix, frame, scratch.shape.size)
    scratch.shape.queue_at = <uint32_t>(request.queue.ptr - frame)
    scratch.shape.queue_size = request.queue.size
    scratch.shape.cmd_at = <uint32_t>(request.cmd.ptr - frame)
    scratch.shape.cmd_size = request.cmd.size
