"""Everything the engine knows, as structs: one Core, its shards, queues, owners, parked pulls and peers.

The Engine class owns the Core; every struct below comes from the Core's slabs and is freed by the module named at it.
"""
from flashq._core.buffer cimport WriteBuffer
from flashq._core.heap cimport Heap, HeapNode
from flashq._core.job cimport Awaited, Job
from flashq._core.latency cimport Latency
from flashq._core.namemap cimport NameMap, NameNode
from flashq._core.ready cimport Ready
from flashq._core.request cimport Format
from flashq._core.shardmap cimport IdTable
from flashq._core.slab cimport Blobs, Memory, Slab
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum Durability:           # in step with config.DURABILITIES
    DURABLE_NOT = 0             # nothing is kept
    DURABLE_LATER = 1           # written, and soon on disk
    DURABLE_NOW = 2             # on disk

cdef enum NodeKind:             # HeapNode.kind: what a timer belongs to
    NODE_JOB = 0
    NODE_WAITER = 1
    NODE_OWNER = 2
    NODE_QUEUE = 3
    NODE_DEBOUNCE = 4
    NODE_GROUP = 5
    NODE_PUSH_KEY = 6

cdef struct JobList:            # intrusive, by Job.place.links; all zero is empty
    Job* first                  # borrowed
    Job* last                   # borrowed
    uint64_t count

cdef struct QueueTimer:         # in Core.timers: when the next token comes, while pulls wait for one
    HeapNode node
    Queue* queue                # borrowed: whose it is

cdef struct Bucket:             # of tokens, by which deliveries are limited; see `limits`
    uint64_t tokens             # thousandths of a job that may be delivered now
    uint64_t filled             # monotonic ms up to which tokens were added

cdef struct GroupName:
    NameNode node               # in its shard's groups
    Group* group                # borrowed: whose it is

cdef struct Group:              # of a queue's jobs with one group_id; while some wait or are active; freed by `groups`
    HeapNode timer              # Core.timers: when it gets a token, or its bucket is full
    GroupName name
    uint8_t* text               # owned blob: queue name, NUL, group_id
    uint32_t size
    uint32_t shard
    Queue* queue                # borrowed
    Group* prev                 # borrowed: the groups of its queue
    Group* next                 # borrowed
    Ready ready                 # its waiting jobs, but `shown`
    Job* shown                  # borrowed: its next job, while that stands in Queue.turns
    uint64_t active
    uint64_t turn               # Queue.turn when that job got in line
    bint fair                   # Queue.fair then
    Bucket rate
    uint32_t generation         # of its queue when it was last looked at: what an older one had is gone

cdef struct Lane:               # a queue's waiting jobs of one name and version; while there are any; freed by `lanes`
    Lane* prev                  # borrowed: the lanes of its queue, or of a grave
    Lane* next                  # borrowed
    uint8_t* name               # owned blob
    uint32_t name_size
    uint32_t hash               # of the name
    uint32_t version
    Ready ready                 # as in Queue
    Ready turns

cdef struct WantedName:
    const uint8_t* text         # borrowed: from what holds the list
    uint32_t size
    uint32_t hash
    uint64_t version            # the highest that the worker can run

cdef struct Wanted:             # the names of jobs that a pull takes, beside those without one
    WantedName* names           # of a parked pull: an owned blob, with the texts behind them
    uint32_t count
    uint32_t blob_size          # of that blob; 0 = none

cdef struct Queue:              # freed by `queue`, when it holds nothing and is idle
    NameNode name               # in its shard's names
    uint8_t* text               # owned blob: the name's bytes
    Queue* prev                 # borrowed: all queues, in order of creation
    Queue* next                 # borrowed
    Standing* first_waiter      # borrowed: parked pulls, in order of arrival
    Standing* last_waiter       # borrowed
    Ready ready                 # the waiting jobs without a group and without a name
    Ready turns                 # of each group that may run one more, its next job, if that has no name
    Lane* first_lane            # borrowed: those with names
    uint32_t lane_count
    uint64_t named              # waiting jobs of lanes without a group
    uint64_t grouped            # waiting jobs of groups
    Group* first_group          # borrowed
    Group* last_group           # borrowed
    uint64_t group_count
    uint64_t group_pass         # groups from the first on that are to be looked at, after a drain or a new limit
    Queue* pass_next            # borrowed: Core.passing
    bint passing                # stands there
    bint fair                   # groups take turns, in place of the order of their jobs
    uint64_t turn               # turns given so far
    uint64_t own_turn           # the last one of the jobs without a group
    uint64_t group_concurrency  # active jobs of each group
    uint64_t group_rate         # jobs a second of each group; NO_LIMIT without one
    JobList dead
    JobList kept                # completed jobs whose push said how long they stay, oldest first
    JobList delayed
    JobList blocked             # waiting for jobs they depend on
    JobList active              # by Delivery.prev / next; each also stands in its owner's list
    uint64_t completed          # since the start of the process
    uint64_t pushed
    uint64_t failed             # dead letters since the start of the process
    uint64_t held               # completed jobs still kept
    uint64_t counted            # while the engine recovers: up to that position its counts are right already
    uint64_t touched            # monotonic ms of the last command that named it
    Queue* serve_next           # borrowed: Core.serve
    uint32_t shard
    bint paused
    uint32_t generation         # the Core's, of its last drain or obliterate or, without one, of its making
    uint32_t drained            # waiting and delayed jobs of an older generation are gone
    uint32_t obliterated        # and so are active, dead and blocked ones
    uint32_t graves             # of it that are still being emptied
    uint32_t push_keys          # that are remembered of it
    uint64_t rate_limit         # jobs a second; NO_LIMIT without one
    uint64_t concurrency_limit  # active jobs; NO_LIMIT without one
    Bucket rate
    QueueTimer timer
    bint serving                # stands in Core.serve
    uint32_t waiting_pulls      # parked pulls that stand in its line
    uint32_t workers            # as of the last look of `crowd`
    uint32_t busy_workers       # likewise: those of them that hold its jobs
    Latency wait                # from when a job may run until a pull takes it
    Latency processing          # from there until its acknowledgement

cdef struct Session:            # the name in HELLO {session}
    NameNode node               # in Core.sessions; its name is NULL without HELLO
    Owner* owner                # borrowed: whose it is

cdef struct DebounceName:
    NameNode node               # in its shard's debounces
    Debounce* debounce          # borrowed: whose it is

cdef struct Debounce:           # a push with this id was taken not long ago; freed by `relations`
    HeapNode timer              # Core.timers: the end of the window
    DebounceName name
    uint8_t* text               # owned blob: queue name, NUL, id
    uint32_t size
    uint32_t shard
    uint32_t generation         # of its queue when it opened: an obliteration ends the older ones

cdef struct PushKeyName:
    NameNode node               # in its queue's shard's push_keys
    PushKey* key                # borrowed: whose it is

cdef struct PushKey:            # a push with this key was taken not long ago; freed by `pushkeys`
    HeapNode timer              # Core.timers: when it is forgotten
    PushKeyName name
    Queue* queue                # borrowed: it stays for as long
    uint8_t* text               # owned blob: queue name, NUL, key
    uint64_t* ids               # owned blob: what the push was answered; 0 for an item that was refused
    uint32_t count              # items of the push; 1 of PUSH
    uint32_t generation         # of its queue when it was made: an obliteration ends the older ones
    uint64_t expires            # wall ms
    uint64_t position           # of its last record; 0 = nothing was taken yet
    bint batch                  # of a PUSHB

cdef struct Grave:              # jobs of a queue that are gone but still take memory; freed by `bulk`
    Grave* next                 # borrowed: Core.graves
    Queue* queue                # borrowed
    Ready ready
    Ready turns
    Lane* first_lane            # borrowed
    JobList delayed
    JobList dead
    JobList blocked
    JobList active              # by Delivery.prev / next

cdef struct Owner:              # who holds reservations: a connection or a named session; freed by `reservations`
    HeapNode timer              # Core.timers: end of grace or of the common lease, while nobody is connected
    Owner* prev                 # borrowed: all owners
    Owner* next                 # borrowed
    JobList jobs                # active jobs it keeps alive
    Peer* peer                  # borrowed: its connection, or NULL
    Session session
    uint8_t* session_text       # owned blob

cdef struct Listening:          # what is listened to of a queue's events; freed by `events`
    NameNode node               # in Core.listened
    uint8_t* text               # owned blob: the queue's name; NULL when that is empty
    uint32_t mask               # bit per EventType

cdef struct EventQueue:         # events not yet taken, packed one after another; freed by `events`
    WriteBuffer packed
    size_t first                # where in it the oldest stands
    uint64_t position           # of that one

cdef struct Standing:           # of a parked pull in the line of one queue; freed by `waiters`
    Standing* prev              # borrowed: the queue's line
    Standing* next              # borrowed
    Standing* other             # owned: the same pull's in the line of another queue, and so on
    Queue* queue                # borrowed
    Waiter* waiter              # borrowed: whose it is

cdef struct Waiter:             # a parked PULL or PULLB; freed by `waiters`
    HeapNode timer              # Core.timers: its timeout
    Standing first              # in the line of its queue, or of the first of them
    Waiter* peer_prev           # borrowed: the peer's parked pulls
    Waiter* peer_next           # borrowed
    Peer* peer                  # borrowed
    uint32_t count              # jobs wanted
    bint many                   # PULLB
    bint choosy                 # only for `wanted`
    Wanted wanted
    uint32_t req_id_size        # 0 = without reqId: the peer's `blocked`
    uint8_t[256] req_id

cdef struct Gate:               # bytes up to `end` may leave once the log is committed up to `position`
    uint64_t position
    uint64_t synced             # and on disk up to here: of who asked for that; 0 of all others
    uint64_t end                # offset in everything this peer was ever answered

cdef enum:
    PULLED_KEPT = 8

cdef struct Pulled:             # that a connection pulled from a queue; see `pulled`
    uint64_t queue              # hash of its name; 0 = none
    uint64_t at                 # monotonic ms of the last time

cdef struct Peer:               # one client connection, embedded in its Connection, which frees it
    WriteBuffer out             # replies not yet handed to the transport
    uint64_t out_start          # stream offset of out.data[0]
    Gate* gates                 # owned, sorted by end; moves when it grows
    uint32_t gate_first
    uint32_t gate_count
    uint32_t gate_cap
    Owner* owner                # borrowed; NULL before the first pull
    Waiter* first_waiter        # borrowed
    uint32_t waiter_count
    Waiter* blocked             # borrowed: the parked pull without reqId, or NULL
    Peer* dirty_prev            # borrowed: peers with new bytes to send
    Peer* dirty_next            # borrowed
    Peer* gated_prev            # borrowed: peers with open gates
    Peer* gated_next            # borrowed
    bint dirty
    bint push                   # HELLO {push: true}
    Format format
    Pulled[PULLED_KEPT] pulled  # each queue once, the last one first
    void* connection            # borrowed: the Connection that embeds this

cdef struct Shard:
    IdTable ids                 # sequence -> Job*, or COMPLETED
    NameMap names               # queues
    NameMap customs             # custom ids whose hash points here
    NameMap uniques             # unique keys held, likewise
    NameMap debounces           # windows that are open, likewise
    NameMap groups              # of its queues
    NameMap push_keys           # likewise
    Heap timers                 # jobs, by their earliest deadline
    uint64_t next_sequence

cdef struct Limits:             # set by the server from flashq/config.py
    uint64_t memory             # bytes; over it pushes are refused
    uint32_t job_size           # bytes of `data`
    uint32_t queue_names
    uint32_t parked             # parked pulls of one connection
    uint32_t completed          # ids kept as completed; half of them go when there are more
    uint32_t results            # completed jobs kept whole; half of them go when there are more
    uint64_t result_bytes       # payload and result bytes of those
    uint64_t default_lease      # ms
    uint64_t grace              # ms
    uint32_t lost_workers       # losses after which a job is dead
    uint64_t reply_size         # bytes after which PULLB stops adding jobs
    uint64_t event_bytes        # of events that listeners have not been told yet; more are lost

cdef struct Defaults:           # of options that a push leaves out; set by the server
    uint64_t given              # bit per option that has one
    uint64_t timeout            # ms
    uint64_t max_attempts
    uint64_t backoff            # ms
    uint64_t ttl                # ms

cdef struct Core:
    Memory memory
    Slab jobs
    Slab extras
    Slab deliveries
    Slab queues
    Slab owners
    Slab waiters
    Slab standings              # of parked pulls of several queues, but the first of each
    Slab levels
    Slab graves_slab
    Slab relations
    Slab failings
    Slab edges
    Slab awaited_slab
    Slab debounces_slab
    Slab groups_slab
    Slab lanes
    Slab push_keys
    Slab listenings
    Slab leaves                 # of id tables and name maps
    Blobs blobs
    Shard[32] shards
    Heap timers                 # waiters and owners
    NameMap sessions
    NameMap awaited             # ids that jobs wait for until they are completed
    NameMap minded              # ids whose death or removal ends the wait as well
    uint64_t awaited_count      # of both: whoever ends a job tests it
    Awaited* first_told         # borrowed: ids that have ended, those who wait for them are yet to be told
    Awaited* last_told          # borrowed
    Awaited* first_vain         # borrowed: ids of jobs that are gone, for which those who wait, wait in vain
    bint telling                # the timers work them off, slice by slice: more than one command could
    NameMap listened            # names of queues, also of those that do not exist now
    EventQueue endings          # of watched jobs
    EventQueue news             # of queues that are listened to
    bint listening              # to any job or queue: whoever changes a job tests it
    bint watching               # WAITJOBs wait
    bint endings_lost           # for want of memory
    uint64_t events_lost        # since the start
    Queue* first_queue          # borrowed
    Queue* last_queue           # borrowed
    Queue* recent               # borrowed: the queue of the last command
    uint32_t queue_count
    uint32_t generation         # raised by each drain and obliterate of any queue
    Owner* first_owner          # borrowed
    Owner leased                # active jobs held by a lease of their own, or by nobody yet
    Grave* graves               # owned: emptied in slices by the timers
    JobList limbo               # jobs that found no memory to stand in line; tried again by the timers
    JobList done                # completed jobs kept whole, oldest first
    uint64_t done_bytes
    uint64_t* done_ids          # owned ring of limits.completed + 1: every completed id, oldest first
    uint32_t done_first
    uint32_t done_count
    uint64_t done_forgotten     # ids that left that ring since the start
    uint64_t kept_count         # jobs in the `kept` of all queues; at most limits.completed
    uint32_t done_excess        # ids still to forget in this round
    uint32_t results_excess
    Queue* passing              # borrowed: queues with a group_pass
    uint64_t pass_at            # monotonic ms: the next slice of it
    Queue* serve                # borrowed: queues that got a ready job while pulls are parked there
    Peer* dirty                 # borrowed: first of the list
    Peer* gated                 # borrowed: first of the list
    uint64_t gated_count        # peers in it
    uint64_t gates              # of all of them
    Limits limits
    Defaults defaults
    uint64_t plain_push         # PushItem.seen of a push that has nothing to look at but data
    uint64_t now                # wall ms
    uint64_t mono               # monotonic ms
    uint64_t next_deadline      # monotonic ms, a lower bound; 2^64-1 = none
    uint64_t seed               # mixed into the treaps' weights
    uint64_t chance             # state of the one generator: chance.pxd
    uint64_t trim_at            # monotonic ms: the next look for idle pages; 2^64-1 = none needed
    uint64_t sweep_at           # monotonic ms: the next look for idle queues
    uint64_t epoch              # boot epoch of delivery tokens
    uint64_t deliveries_made
    uint64_t position           # of the last record
    uint64_t committed          # up to here replies may leave: as durable as the server promises
    uint64_t synced             # up to here the log is on disk; 0 while nobody records
    uint8_t durability          # Durability: what the server promises
    bint answer_synced          # the next reply of the cold tier waits for the disk
    bint full                   # the store has no room: nothing that adds data is taken
    bint hurry                  # somebody waits for the disk who asked for more than the server promises
    bint recording              # a store wants the records
    bint closing                # drain: pushes go on, pulls are answered empty
    WriteBuffer records         # frames since the store last took them
    size_t frame_start
    WriteBuffer text            # room for transcoding
    WriteBuffer spare           # empty: room for the next long reply, of one peer or another
    uint64_t expired            # jobs dropped by ttl since the start
    uint64_t lost               # reservations ended by a lost worker
    uint64_t timed_out
    uint64_t completed          # totals since the start
    uint64_t failed
    uint64_t pushed

cdef enum:
    NEVER = -1                  # cast to uint64_t: no deadline
    NO_LIMIT = -1               # cast to uint64_t

cdef inline void* COMPLETED() noexcept nogil:
    """What the id table holds for a job of which only the state `completed` is still known."""
    return <void*>1
