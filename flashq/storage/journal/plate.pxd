"""Writes past the page cache, in whole blocks out of one aligned buffer. Owner of a Plate: the Log."""
from flashq.storage.journal.diskio cimport iovec
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    BLOCK = 4096                # bytes: no disk in use wants coarser places, sizes and addresses than these
    PLATE = 1 << 21             # bytes of the buffer: a large page, which the system hands to the disk as one piece

cdef struct Plate:
    char* data                  # owned; NULL = none yet
    uint64_t at                 # where in the file it begins: a whole number of blocks
    size_t used                 # bytes; between two writes less than a block

cdef int plate_open(Plate* plate, int fd, size_t used) noexcept nogil
# ^ at the start of a file, of whose first block `used` bytes are to stay. 0 or errno; EINVAL: it cannot be written so
cdef void plate_close(Plate* plate) noexcept nogil
cdef int plate_write(Plate* plate, int fd, const iovec* parts, int count) noexcept nogil
# ^ `parts` behind what was written before. 0 or errno; after an error it is of no more use
# The same in pieces: room for `size` bytes behind what was written before, or NULL; they are filled in, and written.
cdef char* plate_room(Plate* plate, size_t size) noexcept nogil
cdef int plate_write_room(Plate* plate, int fd, size_t size) noexcept nogil
cdef uint32_t copy_and_sum(char* to, const iovec* parts, int count, uint32_t crc) noexcept nogil
# ^ the checksum goes on over what was copied while that is still at hand
