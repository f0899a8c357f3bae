"""Reading a server's replies, to check each of them: grammar, ok, ids, counts, and the payload of every job."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

ctypedef const uint8_t* Bytes    # a cursor into a reply

cdef enum Fault:                # what was wrong with a run; texts in loadgen.FAULTS
    FINE = 0
    MALFORMED = -1              # not a reply of the protocol
    REFUSED = -2                # ok is not true
    MISSING = -3                # the key that answers the command is not there
    WRONG_COUNT = -4            # ids, jobs or count differ from what was asked
    WRONG_ID = -5               # another job's id, or ids that do not increase
    WRONG_JOB = -6              # a job that does not start with its id, queue, payload and priority as pushed
    TOO_MANY = -7               # more ids or jobs than there is room for
    UNEXPECTED = -8             # a reply to nothing
    WRONG_ECHO = -9
    CLOSED = -10
    SOCKET_ERROR = -11          # errno says which
    SILENT = -12                # no reply within the patience
    NO_MEMORY = -13
    FOREIGN_JOB = -14           # DELIVER: a job that this run did not push

cdef enum Seen:                 # keys that the reply had
    SEEN_OK = 1
    SEEN_ID = 2
    SEEN_IDS = 4
    SEEN_JOB = 8
    SEEN_JOBS = 16
    SEEN_COUNT = 32

cdef struct JobShape:           # the bytes that follow each job's id: queue, data, priority
    const uint8_t* tail         # borrowed
    size_t size

cdef struct Reply:
    uint32_t seen               # Seen
    uint64_t id
    uint64_t count
    uint64_t* ids               # borrowed room: ids of the reply, or of its jobs
    uint32_t ids_cap
    uint32_t ids_count

cdef inline uint32_t key_seen(Bytes key, size_t size) noexcept nogil:
    """Which of the keys that matter this is, 0 for all others."""
    if size == 2 and key[0] == c"o" and key[1] == c"k":
        return SEEN_OK
    if size == 2 and key[0] == c"i" and key[1] == c"d":
        return SEEN_ID
    if size == 3 and memcmp(key, b"ids", 3) == 0:
        return SEEN_IDS
    if size == 3 and memcmp(key, b"job", 3) == 0:
        return SEEN_JOB
    if size == 4 and memcmp(key, b"jobs", 4) == 0:
        return SEEN_JOBS
    return SEEN_COUNT if size == 5 and memcmp(key, b"count", 5) == 0 else 0

cdef inline int note_id(Reply* reply, uint64_t id) noexcept nogil:
    if reply.ids_count == reply.ids_cap:
        return TOO_MANY
    reply.ids[reply.ids_count] = id
    reply.ids_count += 1
    return FINE
