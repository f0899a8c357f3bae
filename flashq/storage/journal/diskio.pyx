"""What Python's own `os` lacks of the calls in include/flashq/diskio.h."""
import os


def reserve_more(int fd, uint64_t offset, uint64_t size):
    """Reserve room for bytes of a file, which stays as long as it is. OSError when the disk has none."""
    cdef int error
    with nogil:
        error = reserve_more_(fd, offset, size)
    if error != 0:
        raise OSError(error, os.strerror(error))


def give_back(int fd, uint64_t offset, uint64_t size):
    """Give bytes of a file that nobody reads back to the disk, where it can do that."""
    with nogil:
        give_back_(fd, offset, size)
