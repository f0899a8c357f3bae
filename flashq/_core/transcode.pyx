"""A stored value into the other wire format, by way of Python objects: only for workers who speak another format."""
import msgpack
import orjson

from flashq._core.buffer cimport buffer_put
from flashq._core.request cimport MSGPACK
from flashq._core.status cimport NO_MEMORY, OK

cdef object _loads = orjson.loads
cdef object _dumps = orjson.dumps
cdef object _packb = msgpack.packb
cdef object _unpackb = msgpack.unpackb


cdef int transcode(WriteBuffer* out, const uint8_t* value, size_t size, Format source) noexcept with gil:
    cdef bytes result
    try:
        if source == MSGPACK:
            result = _dumps(_unpackb(value[:<Py_ssize_t>size]))
        else:
            result = _packb(_loads(value[:<Py_ssize_t>size]))
    except Exception:           # values were validated on the way in, so what is left is memory
        out.failed = True
        return NO_MEMORY
    buffer_put(out, <const char*>result, <size_t>len(result))
    return NO_MEMORY if out.failed else OK
