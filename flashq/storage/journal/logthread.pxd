"""The thread that writes the log: what it shares with the loop and with the keeper of segments. Owner: LogWriter."""
from flashq._core.buffer cimport WriteBuffer
from flashq.storage.journal.diskio cimport pthread_cond_t, pthread_mutex_t, pthread_t
from flashq.storage.journal.plate cimport Plate
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    SLOTS = 8                   # buffers on their way from the loop to the thread

cdef enum Failure:
    FAILED_WRITE = 1
    FAILED_SYNC = 2
    FAILED_ELSEWHERE = 3        # told by log_fail

cdef struct Segment:
    int fd                      # owned; -1 = none
    bint direct                 # it is written past the page cache
    uint32_t salt
    uint64_t number
    uint64_t size               # bytes of the file, all reserved
    uint64_t base               # position of the last record before it, once it is written to

cdef struct Batch:              # frames in the order they came
    WriteBuffer[SLOTS] buffers  # owned; those from `count` on are empty and wait to be used again
    uint64_t[SLOTS] last        # position of the last record of each
    uint32_t count

cdef struct Log:
    # set before the thread starts
    bint each                   # sync each group before it is reported
    uint64_t interval           # else: ns after which what was written is synced
    uint64_t most               # bytes of a group; only a single buffer may have more
    uint64_t quick              # ns: after a write and sync that took no longer the loop may do them for the thread
    int[2] bell                 # owned; rung for the loop
    pthread_t thread
    # under `lock`
    pthread_mutex_t lock
    pthread_cond_t wake         # the thread has something to do
    pthread_cond_t need         # the keeper has something to do
    Batch waiting
    Segment next                # where the log goes on
    Segment retired             # where it went on from: the keeper takes it before it offers another `next`
    uint64_t wanted             # bytes of the segment that the thread waits for; 0 = it does not
    uint64_t hurry_to           # position that is to be synced at once
    bint idle                   # the thread sleeps, and nobody has woken it: who gives it work must do so
    bint lent                   # the loop writes in its place: it goes on sleeping
    uint64_t due                # ns until when it sleeps
    bint closing
    bint full                   # there is no space for another segment
    bint poked                  # the keeper is wanted for something else
    # the thread's own; the loop's while it is lent
    Batch taken
    Segment current
    Plate plate                 # owned; for a `current` that is direct
    uint64_t offset             # in `current`, where the next group goes
    uint64_t base               # position of the last record written
    uint64_t stated             # position that the log on disk states as durable
    uint64_t touched            # ns when a group was last written
    uint64_t sync_due           # ns
    uint64_t write_took         # ns that the last write took: past the page cache it waits for the disk, too
    uint64_t sync_took          # ns that the last sync took, with the write before it
    # stored by the thread, loaded by others
    uint64_t written            # position
    uint64_t durable            # position
    uint64_t failed             # errno; 0 = fine
    uint64_t failure            # Failure
    uint64_t rung               # the loop has not yet answered the bell
    uint64_t done_bytes         # of what was put
    uint64_t log_bytes          # written to segments
    # stored by the loop
    uint64_t put_bytes
    uint64_t put_position

cdef int log_enter(Log* log) noexcept nogil     # go on at the start of `current`; 0 or errno
cdef void* log_main(void* log) noexcept nogil
cdef bint log_write(Log* log) noexcept nogil
cdef void log_fail(Log* log, int error) noexcept nogil      # nothing is reported durable any more
