"""The Job struct, its rare fields, and its delivery. Owner of all three: the Engine, through its slabs."""
from flashq._core.heap cimport HeapNode
from flashq._core.namemap cimport NameNode
from flashq._core.request cimport RetryPolicy
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum State:                # in step with commands.STATES
    STATE_WAITING = 0
    STATE_DELAYED = 1
    STATE_ACTIVE = 2
    STATE_COMPLETED = 3
    STATE_FAILED = 4
    STATE_WAITING_CHILDREN = 5  # for jobs it depends on, or for its flow's children

cdef enum Where:                # which structure a job stands in
    IN_NONE = 0
    IN_FIFO = 1                 # its level's list, by prev / next
    IN_LIFO = 2                 # its level's stack, by prev / next
    IN_RETURNED = 3             # its level's heap of jobs out of order, by `node`
    IN_OWNER = 5                # active: its owner's list, by prev / next
    IN_DONE = 6                 # completed: the engine's list, by prev / next
    IN_DEAD = 7                 # failed: its queue's list, by prev / next
    IN_DELAYED = 9              # delayed: its queue's list, by prev / next; and in the shard's timer heap
    IN_KEPT = 11                # completed, with keep_completed_age or _count: its queue's list, by prev / next
    IN_BLOCKED = 10             # waiting for other jobs: its queue's list, by prev / next
    IN_LIMBO = 8                # no memory to stand in line: the engine's list, by prev / next

cdef enum JobFlags:
    JOB_LIFO = 1
    JOB_MSGPACK = 2             # data and tags are MessagePack
    JOB_REMOVE_ON_COMPLETE = 4
    JOB_REMOVE_ON_FAIL = 8
    JOB_RESULT_MSGPACK = 16
    JOB_WATCHED = 128           # a WAITJOB may wait for its end; not recorded

cdef struct Links:
    Job* prev                   # borrowed
    Job* next                   # borrowed

cdef union Place:
    Links links
    HeapNode node               # while IN_RETURNED

cdef enum:
    LOG_ENTRIES = 100           # kept of a job's log; the oldest goes first
    LOG_LEVEL = 11              # bytes kept of a level's name

cdef struct LogEntry:
    uint64_t at                 # wall ms
    uint8_t* text               # owned blob, NULL when empty
    uint32_t size
    uint8_t level_size
    uint8_t[11] level

cdef struct Log:                # a ring
    uint32_t first
    uint32_t count
    uint32_t made               # entries ever
    LogEntry[100] entries

cdef struct Edge:               # one job waits for one id; owner: the waiting job
    Job* job                    # borrowed: who waits
    Awaited* awaited            # borrowed; NULL once that id is done
    Edge* prev                  # borrowed: others that wait for the same id
    Edge* next                  # borrowed
    Edge* sibling               # owned: what else the job waits for
    uint8_t child               # 1: that id is a child of its flow
    uint8_t policy              # OnParentFailure

cdef enum Outcome:              # how an id ended that jobs wait for
    OUTCOME_NONE = 0            # it has not
    OUTCOME_COMPLETED = 1
    OUTCOME_FAILED = 2
    OUTCOME_REMOVED = 3

cdef struct Awaited:            # an id that jobs wait for; freed by `edges`, with its last edge
    NameNode node               # by the bytes of `id` in Core.minded or Core.awaited, until its outcome is known
    uint64_t id
    Edge* first                 # borrowed: never NULL
    Awaited* prev               # borrowed: in Core.first_told, from then on; before, in Core.first_vain if `gone`
    Awaited* next               # borrowed
    uint8_t outcome             # Outcome
    uint8_t minded              # 1: its edges have another policy than PARENT_WAIT
    uint8_t gone                # Outcome of a job that is no more, while its dependents wait all the same

cdef struct Relations:          # what ties a job to others; all zero = nothing
    NameNode unique             # in its shard's uniques; name NULL while the key is not held
    Job* job                    # borrowed: whose it is
    uint8_t* unique_text        # owned blob: queue name, NUL, key
    uint32_t unique_size
    uint32_t key_at             # where in it the key begins
    uint64_t* met               # owned blob: ids that ended badly and counted as done, whatever becomes of them later
    uint32_t met_count
    uint8_t* depends_on         # owned blob, raw array in the job's format
    uint32_t depends_on_size
    uint32_t unmet              # edges not done yet
    uint8_t on_parent_failure   # OnParentFailure
    uint8_t fail_parent         # 1: it dies with a child of its flow
    Edge* edges                 # owned
    uint64_t parent_id          # of the flow it is a child of; 0 = none
    uint64_t* children          # owned blob: ids of its flow
    uint32_t children_count
    uint32_t children_completed
    uint8_t* group              # owned blob: group_id; NULL without one
    uint32_t group_size
    void* member                # borrowed: its Group, while it waits in line or is active
    uint8_t* name               # owned blob: what kind of job it is; NULL without one
    uint32_t name_size
    uint32_t version            # of that kind
    void* lane                  # borrowed: the Lane that it stands in; NULL while it stands in none
    uint64_t keep_age           # ms
    uint64_t keep_count
    uint64_t done_number        # how many of its queue were completed when it was, itself included

cdef enum Ending:               # how an attempt or a job ended badly; in step with commands.REASONS
    ENDED_WELL = 0              # or not yet
    ENDED_FAILED = 1
    ENDED_TIMEOUT = 2
    ENDED_STALLED = 3
    ENDED_WORKER_LOST = 4
    ENDED_DISCARDED = 5
    ENDED_DEPENDENCY_FAILED = 6

cdef enum:
    ATTEMPTS_KEPT = 10          # of a job's history; the oldest goes first
    ATTEMPT_TEXT = 1024         # bytes kept of an attempt's error

cdef struct Attempt:            # one that ended badly; its texts stand behind it: error, worker; owner: its Failing
    Attempt* next               # owned: the one after it
    uint64_t started_at         # wall ms
    uint64_t ended_at           # wall ms
    uint32_t number             # from 1, of all that ended badly
    uint32_t error_size
    uint32_t worker_size
    uint8_t ending              # Ending

cdef struct Failing:            # how a job fails; owner: its Extra; all zero = no policy, never failed
    RetryPolicy policy
    Attempt* first              # owned: the oldest that is kept
    Attempt* last               # borrowed
    uint32_t kept
    uint32_t made

cdef struct Extra:              # fields few jobs have; all zero = none set
    NameNode custom             # custom id; name is NULL when the job has none
    uint8_t* tags               # owned blob, raw array in the job's format; NULL when empty
    uint8_t* message            # owned blob, UTF-8: progress message or last failure
    uint8_t* result             # owned blob, raw value
    uint8_t* custom_id          # owned blob: the bytes custom.name points to
    uint32_t tags_size
    uint32_t message_size
    uint32_t result_size
    uint32_t custom_id_size
    uint64_t ttl                # ms, 0 = none
    uint64_t timeout            # ms, 0 = none
    uint64_t stall_timeout      # ms, 0 = the server's default lease
    uint64_t ttl_deadline       # monotonic ms, 0 = none
    uint64_t last_heartbeat     # wall ms; of the last delivery
    uint32_t stall_count        # lost workers and missed heartbeats so far
    uint32_t losses             # of them, those that count towards the limit
    uint32_t missed             # of those, missed heartbeats, which a HEARTBEAT makes good
    Job* job                    # borrowed: whose it is
    Log* log                    # owned blob, or NULL
    Relations* relations        # owned, or NULL
    Failing* failing            # owned, or NULL

cdef struct Delivery:           # of an active job
    uint64_t token              # boot epoch << 32 | delivery number, below 2^53
    uint64_t started_at         # wall ms
    uint64_t started_mono       # monotonic ms
    uint64_t last_heartbeat     # wall ms
    uint64_t lease_until        # monotonic ms; 0 = the live connection holds it
    uint64_t deadline           # monotonic ms of `timeout`; 0 = none
    uint64_t position           # of the record of this delivery
    void* owner                 # borrowed: the Owner in whose list the job stands
    Job* prev                   # borrowed: the active jobs of its queue
    Job* next                   # borrowed

cdef struct Job:                # 128 bytes: two cache lines
    HeapNode timer              # the shard's timer heap: earliest of delay, ttl, lease, timeout
    uint64_t id                 # sequence << 5 | shard
    void* queue                 # borrowed: the Queue
    Place place
    uint8_t* data               # owned blob, NULL when data_size is 0 (then the value is null)
    uint32_t data_size
    int32_t priority
    uint64_t run_at             # wall ms; order among equals
    uint64_t created_at         # wall ms
    uint64_t position           # log position of the last record of its own state
    Extra* extra                # owned, or NULL
    Delivery* delivery          # owned, or NULL; while active and, for its times, once completed
    uint32_t attempts
    uint32_t max_attempts
    uint32_t backoff            # ms, capped at 2^32-1 (49 days)
    uint8_t state               # State
    uint8_t where               # Where
    uint8_t progress
    uint8_t flags               # JobFlags
    uint32_t generation         # of its queue when it got in line: a drain ends the older ones
    uint8_t reason              # Ending, while failed; else 0
    uint8_t[3] unused           # keep the size a multiple of 16
    # While delayed: monotonic ms of its end. Once completed or failed: wall ms of that. While waiting: ms from run_at
    # to when it began to; not recorded, so after a restart 0.
    uint64_t deadline

cdef inline bint job_is(const Job* job, int flag) noexcept nogil:
    return (job.flags & flag) != 0
