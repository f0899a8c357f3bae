"""What both codecs fill in and the engine reads: one request as structs. No code but `has`."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum Op:
    OP_NONE = 0                 # no `cmd` seen, or an unknown one
    OP_COLD = 1                 # a command of the cold tier: the frame goes to the dispatcher
    OP_PUSH = 2
    OP_PUSHB = 3
    OP_PULL = 4
    OP_PULLB = 5
    OP_ACK = 6
    OP_ACKB = 7
    OP_FAIL = 8
    OP_PROGRESS = 9
    OP_HEARTBEAT = 10
    OP_CANCEL = 11
    OP_CHANGEPRIORITY = 12
    OP_PROMOTE = 13
    OP_MOVETODELAYED = 14
    OP_UPDATEJOB = 15
    OP_DISCARD = 16
    OP_LOG = 17

cdef enum Format:
    JSON = 0
    MSGPACK = 1

cdef enum Kind:                 # how a field's value is read; in step with commands.Kind
    KIND_U64 = 0                # integral floats are taken; at most 2^63-1
    KIND_U32 = 1
    KIND_I32 = 2
    KIND_BOOL = 3
    KIND_STR = 4                # UTF-8 after unescaping
    KIND_RAW = 5                # any value, kept as its bytes
    KIND_IDS = 6                # array of u64
    KIND_ITEMS = 7              # array of push options (PUSHB)
    KIND_TAGS = 8               # array of strings, kept as its bytes
    KIND_PROGRESS = 9           # number, floored, at most 255 (the engine caps at 100)
    KIND_REQ_ID = 10            # string, kept as its bytes, quotes or header excluded
    KIND_CMD = 11               # string naming the command
    KIND_ID_LIST = 13           # array of u64, kept as its bytes
    KIND_RETRY = 14             # a retry policy: see retry.pxd
    KIND_CHOICE = 12            # one of a few texts, kept as its index among them

cdef enum FieldBit:             # index in given / seen / bad; fieldtable gives each name the bit that stands here
    BIT_CMD = 0
    BIT_REQ_ID = 1
    BIT_QUEUE = 2
    BIT_ID = 3
    BIT_IDS = 4
    BIT_JOBS = 5
    BIT_TOKEN = 6
    BIT_TOKENS = 7
    BIT_COUNT = 8
    BIT_ERROR = 9
    BIT_MESSAGE = 10
    BIT_RESULT = 11
    BIT_PROGRESS = 12
    BIT_DATA = 13
    BIT_PRIORITY = 14
    BIT_DELAY = 15
    BIT_TTL = 16
    BIT_TIMEOUT = 17
    BIT_MAX_ATTEMPTS = 18
    BIT_BACKOFF = 19
    BIT_LIFO = 20
    BIT_TAGS = 21
    BIT_JOB_ID = 22
    BIT_STALL_TIMEOUT = 23
    BIT_REMOVE_ON_COMPLETE = 24
    BIT_REMOVE_ON_FAIL = 25
    BIT_LEVEL = 26
    BIT_UNIQUE_KEY = 27
    BIT_DEBOUNCE_ID = 28
    BIT_DEBOUNCE_TTL = 29
    BIT_DEPENDS_ON = 30
    BIT_GROUP_ID = 31
    BIT_KEEP_COMPLETED_AGE = 32
    BIT_KEEP_COMPLETED_COUNT = 33
    BIT_RETRY = 34              # the push option
    BIT_FAIL_RETRY = 35         # `retry` of FAIL
    BIT_RETRY_AFTER = 36
    BIT_RELEASE = 37
    BIT_HASHED = 38             # no field of the wire: `job_id_hash` and `unique_hash` stand, see names_ahead
    BIT_FLOW = 39               # no field of the wire: the push is part of a flow, see `flow_*` of PushItem
    BIT_PUSH_KEY = 40
    BIT_ON_DUPLICATE = 41
    BIT_ON_PARENT_FAILURE = 42
    BIT_NAME = 43
    BIT_VERSION = 44
    BIT_QUEUES = 45
    BIT_WEIGHTS = 46
    BIT_NAMES = 47
    BIT_VERSIONS = 48
    BIT_RECEIPT = 49
    BIT_DURABILITY = 50

cdef enum SliceFlags:
    SLICE_HAS_NEWLINES = 1      # CR or LF between tokens: strip while copying

cdef struct Slice:
    const uint8_t* ptr          # borrowed: from the frame, or from the scratch arena of the scan
    uint32_t size
    uint32_t flags

cdef enum RetryType:            # in step with commands.RETRY_TYPES
    RETRY_NONE = 0              # no policy: the numeric backoff counts
    RETRY_FIXED = 1
    RETRY_EXPONENTIAL = 2
    RETRY_LINEAR = 3

cdef enum RetryPart:            # of a policy; a bit each in RetryGiven.given
    RETRY_NO_PART = 0
    RETRY_TYPE = 1
    RETRY_DELAY = 2
    RETRY_MAX = 3
    RETRY_JITTER = 4

cdef enum:
    MILLION = 1000000           # jitter is kept in millionths

cdef struct RetryPolicy:
    uint64_t delay              # ms
    uint64_t max                # ms that no wait is longer than; 0 = any
    uint32_t jitter             # millionths of the wait that chance may take off
    uint8_t type                # RetryType

cdef enum OnDuplicate:          # in step with commands.ON_DUPLICATE
    DUPLICATE_ERROR = 0
    DUPLICATE_EXISTING = 1      # the answer is the id of the job that holds the key
    DUPLICATE_REPLACE = 2       # likewise, and that job gets the new payload while it waits

cdef enum OnParentFailure:      # in step with commands.ON_PARENT_FAILURE
    PARENT_WAIT = 0
    PARENT_FAIL = 1
    PARENT_RUN = 2

cdef struct RetryGiven:         # what a request says in `retry`; retry.pxd fills it in
    RetryPolicy policy
    uint8_t given               # bit per RetryPart
    uint8_t wrong               # RetryPart that is wrong, the first of them; RETRY_NO_PART for none
    int status                  # what is wrong with it: BAD_TYPE, OUT_OF_RANGE, MISSING_FIELD, DUPLICATE_FIELD

cdef struct PushItem:
    uint64_t given              # bit per field: the key was there, null or not
    uint64_t seen               # bit per field: there, and not null
    uint64_t bad                # bit per field: there, of the wrong type or out of range
    uint64_t outside            # bit per field: of the bad ones, those of the right type (number or size out of range)
    Slice data
    Slice job_id
    Slice tags
    Slice unique_key
    Slice debounce_id
    Slice group_id
    Slice depends_on
    Slice name
    int64_t priority
    uint64_t delay              # ms
    uint64_t ttl                # ms
    uint64_t timeout            # ms; of the job in PUSH, of the wait in PULL and PULLB
    uint64_t max_attempts
    uint64_t backoff            # ms
    uint64_t stall_timeout      # ms
    uint64_t lifo
    uint64_t remove_on_complete
    uint64_t remove_on_fail
    uint64_t debounce_ttl       # ms
    uint64_t keep_completed_age     # ms
    uint64_t keep_completed_count
    uint64_t on_duplicate       # OnDuplicate
    uint64_t on_parent_failure  # OnParentFailure
    uint64_t version            # of `name`
    uint64_t flow_id            # with BIT_FLOW: the id that was put aside for a flow's parent, 0 for a child
    uint64_t flow_parent        # its parent's id, 0 for the parent
    const uint64_t* flow_children   # borrowed: of the parent
    uint32_t flow_count         # how many
    bint flow_fails             # of the parent: it dies with a child
    uint64_t job_id_hash        # with BIT_HASHED: of a `job_id`
    uint64_t unique_hash        # likewise: of a `unique_key` within the queue
    RetryGiven retry

cdef struct Request:
    PushItem item               # first, so that a field has one offset in both
    Slice queue
    Slice req_id                # raw bytes between the quotes (JSON) or of the str (MessagePack)
    Slice cmd
    Slice error
    Slice message
    Slice level
    Slice result
    Slice push_key
    Slice queues                # raw list of texts, in the request's format; likewise
    Slice names
    Slice weights               # raw list of numbers
    Slice versions
    uint64_t id
    const uint8_t* id_text      # borrowed from the frame: where the number of `id` begins; NULL without one
    uint64_t count
    uint64_t token
    uint64_t progress
    uint64_t fail_retry         # `retry` of FAIL: 0 or 1
    uint64_t retry_after        # ms
    uint64_t release
    uint64_t receipt            # 0 or 1
    uint64_t durability         # Durability
    uint64_t* ids               # borrowed from the scratch
    uint32_t id_count
    uint64_t* tokens            # borrowed from the scratch
    uint32_t token_count
    PushItem* items             # borrowed from the scratch
    uint32_t item_count         # items given, also those past the batch limit (which are not stored)
    Op op
    Format format
    const char* duplicate       # name of the first field given twice, or NULL; borrowed from the field table
    const char* problem_field   # name for the error text, or NULL; borrowed from the field table
    uint64_t problem_number     # what the Status says
    Slice problem_text          # likewise; ptr NULL for none; the unknown command's name stands in `cmd`
    int32_t problem_item        # index of the item of PUSHB that has the problem; -1 = the request itself

cdef struct JobParts:           # of a Job in a reply, in the reply's format; size 0 stands for null and []
    bint history                # with the attempts that ended badly
    Slice queue
    Slice data
    Slice tags
    Slice depends_on

cdef struct Failure:            # an item of PUSHB that was refused
    uint32_t index
    int status                  # Status
    uint64_t number             # what the Status says
    Slice text                  # likewise; borrowed from the request

cdef inline bint has(const PushItem* item, FieldBit bit) noexcept nogil:
    """Whether the field was given and not null."""
    return (item.seen >> bit) & 1

cdef enum:
    MAX_DEPTH = 128             # nesting of a frame's values, the outer object included
    MAX_BATCH = 1000            # items of PUSHB, ids of ACKB, count of PULLB
    MAX_REQ_ID = 256            # bytes
