"""A plain loop of write and sync: what the disk can do, to hold a journal against."""
from array import array

from flashq._bench.poller cimport fq_now_ns
from libc.errno cimport EINTR, errno
from libc.stdint cimport uint64_t
from libc.string cimport strerror

cdef extern from "flashq/diskio.h" nogil:
    int fq_sync_data(int fd)

cdef extern from "<unistd.h>" nogil:
    ssize_t pwrite(int fd, const void* data, size_t size, long offset)


cdef bint write_whole(int fd, const char* data, size_t size, uint64_t offset) noexcept nogil:
    cdef ssize_t done
    while size > 0:
        done = pwrite(fd, data, size, <long>offset)
        if done < 0 and errno == EINTR:
            continue
        if done <= 0:
            return False
        data += done
        size -= <size_t>done
        offset += <uint64_t>done
    return True


def synced_writes(int fd, bytes data not None, uint64_t offset, uint64_t count):
    """Write `data` so many times from `offset` on, and sync after each, as the journal does: ns that each took.

    OSError; the GIL is free meanwhile.
    """
    cdef object spent = array("Q", bytes(8 * count))
    cdef uint64_t[::1] ns = spent
    cdef const char* begin = data
    cdef size_t size = <size_t>len(data)
    cdef uint64_t i, started
    cdef int error = 0
    with nogil:
        for i in range(count):
            started = fq_now_ns()
            if not write_whole(fd, begin, size, offset + i * size):
                error = errno
                break
            error = fq_sync_data(fd)
            if error != 0:
                break
            ns[i] = fq_now_ns() - started
    if error != 0:
        raise OSError(error, strerror(error).decode())
    return spent
