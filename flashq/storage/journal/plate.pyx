"""Writes past the page cache.

A small group and its sync take less time so: the system neither copies it into its cache nor looks there for what is to
be written. The disk takes whole blocks only, so the last one is written again with each group behind it. What stood in
it is written as it was, so that a write that is torn there changes nothing of it.
"""
from flashq.storage.journal.crc32c cimport crc32c
from flashq.storage.journal.diskio cimport new_blocks, read_start, write_blocks
from libc.errno cimport ENOMEM
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove, memset

cdef enum:
    AT_HAND = 8192              # bytes that the processor's nearest cache holds twice


cdef int plate_open(Plate* plate, int fd, size_t used) noexcept nogil:
    if plate.data == NULL:
        plate.data = <char*>new_blocks(PLATE)
        if plate.data == NULL:
            return ENOMEM
    plate.at = 0
    plate.used = used
    return read_start(fd, plate.data, BLOCK)


cdef void plate_close(Plate* plate) noexcept nogil:
    free(plate.data)
    plate.data = NULL


cdef int empty(Plate* plate, int fd) noexcept nogil:
    """Write it, with zeros up to the end of the last block, which stays unless it is full."""
    cdef size_t whole = plate.used / BLOCK * BLOCK
    cdef size_t padded = (plate.used + BLOCK - 1) / BLOCK * BLOCK
    cdef int error
    memset(plate.data + plate.used, 0, padded - plate.used)
    error = write_blocks(fd, plate.data, padded, BLOCK, plate.at)
    plate.at += whole
    plate.used -= whole
    memmove(plate.data, plate.data + whole, plate.used)
    return error


cdef char* plate_room(Plate* plate, size_t size) noexcept nogil:
    return NULL if size > <size_t>PLATE - plate.used else plate.data + plate.used


cdef int plate_write_room(Plate* plate, int fd, size_t size) noexcept nogil:
    plate.used += size
    return empty(plate, fd)


cdef uint32_t copy_and_sum(char* to, const iovec* parts, int count, uint32_t crc) noexcept nogil:
    cdef int part
    cdef size_t done, piece
    for part in range(count):
        done = 0
        while done < parts[part].iov_len:
            piece = min(parts[part].iov_len - done, <size_t>AT_HAND)
            memcpy(to, <const char*>parts[part].iov_base + done, piece)
            crc = crc32c(crc, to, piece)
            to += piece
            done += piece
    return crc


cdef int plate_write(Plate* plate, int fd, const iovec* parts, int count) noexcept nogil:
    cdef int part, error
    cdef size_t done, piece
    for part in range(count):
        done = 0
        while done < parts[part].iov_len:
            piece = min(parts[part].iov_len - done, <size_t>PLATE - plate.used)
            memcpy(plate.data + plate.used, <const char*>parts[part].iov_base + done, piece)
            plate.used += piece
            done += piece
            if plate.used == <size_t>PLATE:
                error = empty(plate, fd)
                if error != 0:
                    return error
    return empty(plate, fd) if plate.used else 0
