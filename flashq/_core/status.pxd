"""Outcomes of the core's functions. Texts and codes for clients stand in flashq/errors.py (a test compares)."""

cdef enum Status:
    OK = 0
    MORE = 1                    # a scanner needs more bytes: not a failure
    PARTLY = 2                  # a batch of which some items were refused
    NO_MEMORY = -1              # the allocator refused; nothing was changed
    BAD_SYNTAX = -2             # JSON grammar; number = offset in the frame
    BAD_UTF8 = -3               # number = offset
    TOO_DEEP = -4               # nesting over MAX_DEPTH; number = offset
    BAD_MSGPACK = -5            # number = offset
    NOT_OBJECT = -6             # the frame is no object / map
    DUPLICATE_FIELD = -7        # field = the field's name
    MISSING_FIELD = -8          # field
    BAD_TYPE = -9               # field, number = its Kind
    OUT_OF_RANGE = -10          # field, number = its largest value
    BAD_REQ_ID = -12            # reqId is no string, or longer than its limit
    UNKNOWN_COMMAND = -13       # text = the name given
    TOO_LARGE_FRAME = -14
    QUEUE_NAME_EMPTY = -20
    QUEUE_NAME_LONG = -21
    QUEUE_NAME_CHARS = -22
    QUEUE_LIMIT = -23           # number = the limit
    DATA_TOO_LARGE = -24        # number = bytes given
    BATCH_TOO_LARGE = -25       # number = items given
    TEXT_TOO_LONG = -26         # field, number = its limit in bytes
    MEMORY_FULL = -27           # the high-water mark; pushes only
    TOO_MANY_PENDING = -28      # parked pulls of one connection
    AUTH_REQUIRED = -29
    SHUTTING_DOWN = -30
    DISK_FULL = -31             # the store has no room for what adds data
    STORAGE_FAILED = -32        # nothing is acknowledged any more
    NOT_DURABLE = -33           # a push asked for more than a server can promise that keeps nothing
    JOB_NOT_FOUND = -40         # number = id
    NOT_IN_PROCESSING = -41     # number = id (PROGRESS)
    NOT_PROCESSING = -42        # number = id (HEARTBEAT)
    CANNOT_CANCEL = -43         # number = id
    STALE_TOKEN = -44           # number = id
    CANNOT_PRIORITIZE = -45     # number = id
    NOT_DELAYED = -46           # number = id
    NOT_FOUND_DELAYED = -47     # number = id
    CANNOT_DISCARD = -48        # number = id
    DUPLICATE_KEY = -49         # text = the key; number = id of the job that holds it
    DEBOUNCED = -50             # text = the id
    PUSH_KEY_TAKEN = -51        # text = the key
    TOO_MANY_NAMES = -52        # lanes of the queue
    CONTRADICTION = -60         # field: what FAIL says there and `retry: false` exclude each other
