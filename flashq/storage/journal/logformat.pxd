"""The groups of the log, as they stand in a segment behind its header. `format.py` describes the files."""
from flashq.storage.journal.crc32c cimport crc32c
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    SEGMENT_HEAD = 64           # bytes
    GROUP_HEAD = 48             # bytes
    GROUP_MAGIC = 0x31475146    # "FQG1"
    END_MAGIC = 0x31455146      # "FQE1"

cdef struct GroupHead:          # little-endian, as it stands on disk
    uint32_t magic
    uint32_t size               # of the payload: whole frames; 0 = a marker
    uint64_t number             # of the segment: stale bytes of a file used again have another one
    uint64_t base               # position of the last record before
    uint64_t last               # position of the last record in it
    uint64_t durable            # position up to which the log was durable when this was written
    uint32_t payload_crc
    uint32_t head_crc           # of what stands before it

# Both checksums begin with the salt of the segment, so that no payload can hold what looks like a group.
cdef inline uint32_t head_crc(const GroupHead* head, uint32_t salt) noexcept nogil:
    return crc32c(salt, head, GROUP_HEAD - 4)

cdef inline bint head_is(const GroupHead* head, uint64_t number, uint32_t salt) noexcept nogil:
    """Whether it is the head of a group or an end of this segment."""
    return ((head.magic == <uint32_t>GROUP_MAGIC or head.magic == <uint32_t>END_MAGIC) and head.number == number
            and head.head_crc == head_crc(head, salt))
