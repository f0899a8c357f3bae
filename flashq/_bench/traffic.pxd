"""One Run over many Conns, all in one thread without the GIL: the structs, and what a connection says and hears."""
from flashq._bench.histogram cimport Buckets
from flashq._bench.replies cimport JobShape, Reply
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    MAX_REPLY = 64 * 1024 * 1024
    MARK_DIGITS = 10            # of a number in a frame

cpdef enum Work:                # what the connections of a run do
    ECHO = 0                    # the frame comes back as it went
    FIXED = 1                   # the frame is answered with ok
    PUSH = 2                    # ... with an id
    PUSHB = 3                   # ... with `batch` ids
    PULL = 4                    # ... with a job, until there is none
    PULL_ACK = 5                # a pull, then an ACK of its job, until there is none
    PULLB_ACKB = 6              # the same in batches
    BY_ID = 7                   # the frame with the next of the given ids, answered with ok
    GET_BY_ID = 8               # ... answered with that job
    DELIVER = 9                 # connection 0 waits in PULL and acknowledges, connection 1 pushes one job at a time

cdef struct Blob:               # bytes to send or bytes that came
    uint8_t* data               # owned, moves when it grows
    size_t start
    size_t end
    size_t cap

cdef struct Slot:               # one request that awaits its reply
    uint64_t sent_ns
    uint64_t expected           # BY_ID: the id; acknowledgements: how many jobs
    bint acks

cdef struct Conn:
    int fd                      # owned by the Generator; 0 = none
    uint32_t index
    Blob input
    Blob output                 # frames made for this connection
    size_t scanned              # of the input, from its start: no LF so far
    size_t owed                 # bytes of the repeated frame still to be sent
    size_t frame_at             # where in the frame the next of them stands
    Slot* slots                 # owned ring of `depth + 1`; replies come in the order of requests
    uint32_t first_slot
    uint32_t in_flight
    uint64_t last_id            # of this connection's pushes: ids increase
    uint64_t due_ns             # paced connections: when the next request leaves
    Work work
    bint paced
    bint dry                    # a pull found nothing
    bint wants_write

cdef struct Frame:              # borrowed bytes of a request
    const uint8_t* data
    size_t size

cdef struct Run:
    Conn* conns                 # owned by the Generator
    uint32_t conn_count
    uint32_t depth
    uint32_t batch
    bint binary
    Work work
    Frame frame                 # the request as it goes out
    Frame repeated              # copies of it, to send many at once
    Frame probe                 # the paced request
    Frame id_head               # of a request that carries ids: the part before them (MessagePack: framing excluded)
    Frame id_tail
    const uint32_t* marks       # borrowed: where in the frame numbers stand, in order; NULL = the frame never changes
    uint32_t mark_count
    uint32_t marks_each         # so many have the same number: they are of one job
    uint64_t number             # of the next job
    JobShape shape
    Reply reply                 # its ids are owned by the Generator
    const uint64_t* given       # ids of BY_ID
    uint64_t given_next
    uint64_t* kept              # owned by the Generator: ids that came, every `keep_every`-th
    uint64_t kept_count
    uint64_t kept_cap
    uint64_t keep_every
    uint64_t ids_seen
    uint64_t left               # requests not yet begun
    uint64_t open               # begun on the unpaced connections and not answered
    uint64_t interval_ns        # of the paced connection
    uint64_t pushed_ns          # DELIVER: when the job in flight should have left
    uint32_t awaited            # DELIVER: delivery and acknowledgement that the last push still lacks
    uint64_t begun_ns
    uint64_t deadline_ns
    uint64_t patience_ns
    uint64_t now_ns
    uint64_t heard_ns           # of the last reply
    uint64_t requests
    uint64_t items              # jobs, or echoed messages
    uint64_t id_sum             # of all ids: what was pushed must be what is pulled
    uint64_t last_id            # greatest id seen
    uint64_t bytes_in
    uint64_t bytes_out
    Buckets latency
    Buckets probed
    const uint8_t* wrong        # borrowed: the reply that was refused
    size_t wrong_size
    bint stop

# Free bytes behind `end`, a request appended to the output: False when memory is short.
cdef bint blob_reserve(Blob* blob, size_t room) noexcept nogil
cdef bint send_frame(Conn* conn, Frame frame) noexcept nogil
cdef Slot* slot_add(Run* run, Conn* conn) noexcept nogil                        # one more request in flight
cdef int refill(Run* run, Conn* conn) noexcept nogil                            # begin what may begin now
cdef bint next_reply(Run* run, Conn* conn, const uint8_t** frame, size_t* size) noexcept nogil
cdef int settle(Run* run, Conn* conn, const uint8_t* frame, size_t size) noexcept nogil
