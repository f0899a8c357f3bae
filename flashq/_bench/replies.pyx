"""One reply read from Python, for tests."""
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from flashq._bench.json_replies cimport json_reply
from flashq._bench.msgpack_replies cimport msgpack_reply
from flashq._bench.replies cimport JobShape, Reply
from libc.stdint cimport uint32_t, uint64_t


def read_reply(bytes frame not None, bint binary, bytes job_tail not None=b"", uint32_t room=1000):
    """(fault, keys seen, id, count, ids) of one reply; see `Fault` and `Seen`."""
    cdef JobShape shape = JobShape(job_tail, <size_t>len(job_tail))
    cdef Reply reply = Reply(0, 0, 0, NULL, room, 0)
    cdef int fault
    cdef uint32_t i
    reply.ids = <uint64_t*>PyMem_RawMalloc((<size_t>room + 1) * sizeof(uint64_t))
    if reply.ids == NULL:
        raise MemoryError("ids")
    try:
        if binary:
            fault = msgpack_reply(frame, <size_t>len(frame), &shape, &reply)
        else:
            fault = json_reply(frame, <size_t>len(frame), &shape, &reply)
        return fault, reply.seen, reply.id, reply.count, [reply.ids[i] for i in range(reply.ids_count)]
    finally:
        PyMem_RawFree(reply.ids)
