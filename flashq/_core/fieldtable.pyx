"""The command table as C, filled from flashq/commands, and the check of a scanned request against it."""
from flashq._core.request cimport (
    BIT_BACKOFF, BIT_CMD, BIT_COUNT, BIT_DATA, BIT_DEBOUNCE_ID, BIT_DEBOUNCE_TTL, BIT_DELAY, BIT_DEPENDS_ON,
    BIT_DURABILITY, BIT_ERROR,
    BIT_FAIL_RETRY, BIT_GROUP_ID, BIT_ID, BIT_IDS, BIT_JOBS, BIT_JOB_ID, BIT_KEEP_COMPLETED_AGE,
    BIT_KEEP_COMPLETED_COUNT, BIT_LEVEL, BIT_LIFO, BIT_MAX_ATTEMPTS, BIT_MESSAGE, BIT_NAME, BIT_NAMES, BIT_ON_DUPLICATE,
    BIT_ON_PARENT_FAILURE, BIT_PRIORITY, BIT_PROGRESS, BIT_PUSH_KEY, BIT_QUEUE, BIT_QUEUES,
    BIT_RECEIPT, BIT_RELEASE,
    BIT_REMOVE_ON_COMPLETE, BIT_REMOVE_ON_FAIL, BIT_REQ_ID, BIT_RESULT, BIT_RETRY, BIT_RETRY_AFTER, BIT_STALL_TIMEOUT,
    BIT_TAGS, BIT_TIMEOUT, BIT_TOKEN, BIT_TOKENS, BIT_TTL, BIT_UNIQUE_KEY, BIT_VERSION, BIT_VERSIONS, BIT_WEIGHTS,
    KIND_BOOL, KIND_CHOICE, KIND_CMD, KIND_I32, KIND_IDS, KIND_ID_LIST, KIND_ITEMS, KIND_PROGRESS, KIND_RAW,
    KIND_REQ_ID, KIND_RETRY, KIND_STR, KIND_TAGS, KIND_U32, KIND_U64, MAX_BATCH, OP_ACK, OP_ACKB, OP_CANCEL,
    OP_CHANGEPRIORITY, OP_COLD, OP_DISCARD, OP_FAIL, OP_HEARTBEAT, OP_LOG, OP_MOVETODELAYED, OP_PROGRESS, OP_PROMOTE,
    OP_PULL, OP_PULLB, OP_PUSH, OP_PUSHB, OP_UPDATEJOB, Op, RetryPart,
)
from flashq._core.retry cimport retry_part_kind, retry_part_name
from flashq._core.status cimport (
    BAD_REQ_ID, BAD_TYPE, DUPLICATE_FIELD, MISSING_FIELD, OK, OUT_OF_RANGE, TEXT_TOO_LONG, UNKNOWN_COMMAND,
)
from libc.stdint cimport int32_t
from libc.string cimport memcmp, memcpy, strlen

cdef dict _OPS = {
    "PUSH": OP_PUSH, "PUSHB": OP_PUSHB, "PULL": OP_PULL, "PULLB": OP_PULLB, "ACK": OP_ACK, "ACKB": OP_ACKB,
    "FAIL": OP_FAIL, "PROGRESS": OP_PROGRESS, "HEARTBEAT": OP_HEARTBEAT,
    "CANCEL": OP_CANCEL, "CHANGEPRIORITY": OP_CHANGEPRIORITY, "PROMOTE": OP_PROMOTE, "MOVETODELAYED": OP_MOVETODELAYED,
    "UPDATEJOB": OP_UPDATEJOB, "UPDATE": OP_UPDATEJOB, "DISCARD": OP_DISCARD, "LOG": OP_LOG,
}
cdef dict _LARGEST = {KIND_U64: 2**63 - 1, KIND_U32: 2**32 - 1, KIND_I32: 2**31 - 1, KIND_PROGRESS: 255,
                      KIND_IDS: 2**63 - 1}
cdef dict _NAMES = {}           # every canonical name and list of choices ever loaded: borrowed, so none is dropped


# -- building -------------------------------------------------------------------------------------------------

def load(commands, push_options):
    """Fill the table from the tuples of flashq/commands; a second call replaces it.

    ValueError when the core does not know a hot command or its field, or a name is too long or means two things;
    the table is then as it was.
    """
    global TABLE
    builder = _Builder(tuple(push_options))
    for command in commands:
        builder.command(command)
    memcpy(&TABLE, &builder.table, sizeof(FieldTable))


cdef class _Builder:
    """A table under construction; `load` publishes it whole."""
    cdef FieldTable table
    cdef dict known             # canonical name, or name and kind of a second meaning -> (bit, kind, limit)
    cdef int seconds            # fields past FIELD_SLOTS so far
    cdef tuple push_options

    def __cinit__(self, tuple push_options):
        self.known = {}
        self.push_options = push_options
        self.field("cmd", KIND_CMD, 0, (), False)
        self.field("reqId", KIND_REQ_ID, 0, (), False)
        for field in push_options:
            bit = self.described(field, True)
            self.table.item_takes |= <uint64_t>1 << bit
            if field.required:
                self.table.item_required |= <uint64_t>1 << bit

    cdef int described(self, field, bint in_item) except -1:
        """The bit of a Field of flashq/commands, given one at its first sight."""
        cdef int bit = self.field(field.name, int(field.kind), field.limit or 0, tuple(field.aliases), in_item)
        cdef bytes choices
        if int(field.kind) == KIND_CHOICE:
            choices = "".join(f"{choice}\0" for choice in field.choices).encode()
            choices = _NAMES.setdefault(choices, choices)
            self.table.fields[self.table.slots[bit]].choices = <const char*>choices
        return bit

    cdef int field(self, str name, int kind, uint64_t limit, tuple aliases, bint in_item) except -1:
        limit = limit or _LARGEST.get(kind, 0)
        known = self.known.setdefault(_key(name, kind), (self.bit(name, kind), kind, limit))
        bit = known[0]
        if known[1:] != (kind, limit):
            raise ValueError(f"field {name} has two kinds or limits")
        slot = self.place(name, name, bit, kind, limit, in_item)
        self.table.slots[bit] = <uint16_t>slot
        if kind == KIND_RAW:
            self.table.raw |= <uint64_t>1 << bit
        for alias in aliases:
            self.place(alias, name, bit, kind, limit, in_item)
        return bit

    cdef int bit(self, str name, int kind) except -1:
        """The bit that Request gives this field."""
        if name not in _PLACES:
            raise ValueError(f"field {name} has no place in Request")
        place = _PLACES[_key(name, kind)]
        if place[0] != kind:
            raise ValueError(f"field {name} has kind {kind}, Request has room for kind {place[0]}")
        return place[1]

    cdef int place(self, str name, str canonical, int bit, int kind, uint64_t limit, bint in_item) except -1:
        """The slot of `name`, filled in if it was empty. Values of two shapes may share a name: see FieldDef.other."""
        cdef bytes text = name.encode()
        cdef size_t size = <size_t>len(text)
        cdef int slot = <int>name_slot(text, size)
        cdef FieldDef* entry = &self.table.fields[slot]
        if not 0 < size <= sizeof(entry.name):
            raise ValueError(f"field name {name!r} is empty or too long")
        while entry.size and not _same(entry.name, entry.size, text, size):
            slot = (slot + 1) % FIELD_SLOTS
            entry = &self.table.fields[slot]
        if entry.size and entry.kind == KIND_RETRY and kind == KIND_BOOL and name == canonical:
            if entry.other:
                return entry.other - 1
            if self.seconds == SECOND_SLOTS:
                raise ValueError("too many names that stand for two fields")
            slot = FIELD_SLOTS + self.seconds
            self.seconds += 1
            entry.other = <uint16_t>(1 + slot)
            entry = &self.table.fields[slot]
        elif entry.size:
            return self.share(entry, slot, name, canonical, bit, in_item)
        memcpy(entry.name, <const char*>text, size)
        entry.size = <uint8_t>size
        entry.kind = <uint8_t>kind
        entry.bit = <uint8_t>bit
        entry.in_item = <uint8_t>in_item
        entry.offset = <uint16_t>_PLACES[_key(canonical, kind)][2]
        entry.limit = limit
        cdef bytes kept = _NAMES.setdefault(canonical, canonical.encode())
        entry.canonical = <const char*>kept
        return slot

    cdef int share(self, FieldDef* entry, int slot, str name, str canonical, int bit, bint in_item) except -1:
        """A second meaning of a name that is in the table already."""
        if entry.bit == bit:
            entry.in_item = <uint8_t>(entry.in_item | in_item)
        elif entry.kind == KIND_STR and name != canonical and self.known[canonical][1] == KIND_U64:
            entry.other = <uint16_t>(1 + self.table.slots[bit])
        else:
            raise ValueError(f"field name {name} stands for two fields")
        return slot

    cdef int command(self, command) except -1:
        """Enter one command; of a cold one only the name counts here."""
        cdef bytes text = command.name.encode()
        cdef size_t size = <size_t>len(text)
        cdef uint32_t slot = name_slot(text, size)
        cdef CommandDef* entry = &self.table.commands[slot]
        if not 0 < size <= sizeof(entry.name):
            raise ValueError(f"command name {command.name!r} is empty or too long")
        while entry.size and not _same(entry.name, entry.size, text, size):
            slot = (slot + 1) % COMMAND_SLOTS
            entry = &self.table.commands[slot]
        if entry.size:
            raise ValueError(f"command {command.name} stands twice in the table")
        if command.tier == "hot" and command.name not in _OPS:
            raise ValueError(f"hot command {command.name} is unknown to the core")
        memcpy(entry.name, <const char*>text, size)
        entry.size = <uint8_t>size
        entry.op = <uint8_t>(_OPS[command.name] if command.tier == "hot" else OP_COLD)
        if entry.op != OP_COLD:
            self.takes(entry, command)
        return 0

    cdef int takes(self, CommandDef* entry, command) except -1:
        entry.takes = <uint64_t>1 << BIT_CMD | <uint64_t>1 << BIT_REQ_ID
        for field in command.fields:
            bit = self.described(field, False)
            entry.takes |= <uint64_t>1 << bit
            if field.required:
                entry.required |= <uint64_t>1 << bit
        if entry.op == OP_PUSH:
            entry.takes |= self.table.item_takes
            entry.required |= self.table.item_required
        return 0


cdef bint _same(const char* name, size_t size, const uint8_t* other, size_t other_size) noexcept nogil:
    return size == other_size and memcmp(name, other, size) == 0


cdef object _key(str name, int kind):
    """By which a field stands in _PLACES: its name, with its kind where another kind is the name's first meaning."""
    return (name, kind) if (name, kind) in _PLACES else name


cdef dict _places():
    """Of every name that Request has room for: the kind, the bit, and where its value goes."""
    cdef Request r
    cdef char* start = <char*>&r
    return {
        "reqId": (KIND_REQ_ID, BIT_REQ_ID, <char*>&r.req_id - start),
        "jobs": (KIND_ITEMS, BIT_JOBS, <char*>&r.items - start),
        "data": (KIND_RAW, BIT_DATA, <char*>&r.item.data - start),
        "job_id": (KIND_STR, BIT_JOB_ID, <char*>&r.item.job_id - start),
        "tags": (KIND_TAGS, BIT_TAGS, <char*>&r.item.tags - start),
        "unique_key": (KIND_STR, BIT_UNIQUE_KEY, <char*>&r.item.unique_key - start),
        "debounce_id": (KIND_STR, BIT_DEBOUNCE_ID, <char*>&r.item.debounce_id - start),
        "group_id": (KIND_STR, BIT_GROUP_ID, <char*>&r.item.group_id - start),
        "name": (KIND_STR, BIT_NAME, <char*>&r.item.name - start),
        "version": (KIND_U32, BIT_VERSION, <char*>&r.item.version - start),
        "on_duplicate": (KIND_CHOICE, BIT_ON_DUPLICATE, <char*>&r.item.on_duplicate - start),
        "on_parent_failure": (KIND_CHOICE, BIT_ON_PARENT_FAILURE, <char*>&r.item.on_parent_failure - start),
        "push_key": (KIND_STR, BIT_PUSH_KEY, <char*>&r.push_key - start),
        "queues": (KIND_TAGS, BIT_QUEUES, <char*>&r.queues - start),
        "weights": (KIND_ID_LIST, BIT_WEIGHTS, <char*>&r.weights - start),
        "names": (KIND_TAGS, BIT_NAMES, <char*>&r.names - start),
        "versions": (KIND_ID_LIST, BIT_VERSIONS, <char*>&r.versions - start),
        "depends_on": (KIND_ID_LIST, BIT_DEPENDS_ON, <char*>&r.item.depends_on - start),
        "debounce_ttl": (KIND_U64, BIT_DEBOUNCE_TTL, <char*>&r.item.debounce_ttl - start),
        "keep_completed_age": (KIND_U64, BIT_KEEP_COMPLETED_AGE, <char*>&r.item.keep_completed_age - start),
        "keep_completed_count": (KIND_U64, BIT_KEEP_COMPLETED_COUNT, <char*>&r.item.keep_completed_count - start),
        "priority": (KIND_I32, BIT_PRIORITY, <char*>&r.item.priority - start),
        "delay": (KIND_U64, BIT_DELAY, <char*>&r.item.delay - start),
        "ttl": (KIND_U64, BIT_TTL, <char*>&r.item.ttl - start),
        "timeout": (KIND_U64, BIT_TIMEOUT, <char*>&r.item.timeout - start),
        "max_attempts": (KIND_U32, BIT_MAX_ATTEMPTS, <char*>&r.item.max_attempts - start),
        "backoff": (KIND_U64, BIT_BACKOFF, <char*>&r.item.backoff - start),
        "stall_timeout": (KIND_U64, BIT_STALL_TIMEOUT, <char*>&r.item.stall_timeout - start),
        "lifo": (KIND_BOOL, BIT_LIFO, <char*>&r.item.lifo - start),
        "remove_on_complete": (KIND_BOOL, BIT_REMOVE_ON_COMPLETE, <char*>&r.item.remove_on_complete - start),
        "remove_on_fail": (KIND_BOOL, BIT_REMOVE_ON_FAIL, <char*>&r.item.remove_on_fail - start),
        "queue": (KIND_STR, BIT_QUEUE, <char*>&r.queue - start),
        "cmd": (KIND_CMD, BIT_CMD, <char*>&r.cmd - start),
        "error": (KIND_STR, BIT_ERROR, <char*>&r.error - start),
        "message": (KIND_STR, BIT_MESSAGE, <char*>&r.message - start),
        "level": (KIND_STR, BIT_LEVEL, <char*>&r.level - start),
        "result": (KIND_RAW, BIT_RESULT, <char*>&r.result - start),
        "id": (KIND_U64, BIT_ID, <char*>&r.id - start),
        "count": (KIND_U64, BIT_COUNT, <char*>&r.count - start),
        "token": (KIND_U64, BIT_TOKEN, <char*>&r.token - start),
        "progress": (KIND_PROGRESS, BIT_PROGRESS, <char*>&r.progress - start),
        "ids": (KIND_IDS, BIT_IDS, <char*>&r.ids - start),
        "tokens": (KIND_IDS, BIT_TOKENS, <char*>&r.tokens - start),
        "retry": (KIND_RETRY, BIT_RETRY, <char*>&r.item.retry - start),
        ("retry", KIND_BOOL): (KIND_BOOL, BIT_FAIL_RETRY, <char*>&r.fail_retry - start),
        "retry_after": (KIND_U64, BIT_RETRY_AFTER, <char*>&r.retry_after - start),
        "receipt": (KIND_BOOL, BIT_RECEIPT, <char*>&r.receipt - start),
        "durability": (KIND_CHOICE, BIT_DURABILITY, <char*>&r.durability - start),
        "release": (KIND_BOOL, BIT_RELEASE, <char*>&r.release - start),
    }


cdef dict _PLACES = _places()


# -- looking up and checking ----------------------------------------------------------------------------------

cdef const FieldDef* field_find(const uint8_t* name, size_t size) noexcept nogil:
    cdef uint32_t slot = name_slot(name, size)
    while TABLE.fields[slot].size:
        if _same(TABLE.fields[slot].name, TABLE.fields[slot].size, name, size):
            return &TABLE.fields[slot]
        slot = (slot + 1) % FIELD_SLOTS
    return NULL


cdef const CommandDef* command_find(const uint8_t* name, size_t size) noexcept nogil:
    cdef uint32_t slot = name_slot(name, size)
    while TABLE.commands[slot].size:
        if _same(TABLE.commands[slot].name, TABLE.commands[slot].size, name, size):
            return &TABLE.commands[slot]
        slot = (slot + 1) % COMMAND_SLOTS
    return NULL


cdef int choice_find(const FieldDef* field, const uint8_t* text, size_t size) noexcept nogil:
    cdef const char* choice = field.choices
    cdef int index = 0
    while choice[0] != 0:                   # an empty text closes the list
        if _same(choice, strlen(choice), text, size):
            return index
        choice += strlen(choice) + 1
        index += 1
    return -1


cdef int request_check(Request* request) noexcept nogil:
    """Refuse what the command cannot take. Fields that it does not know may hold anything."""
    cdef const CommandDef* command
    cdef int status
    if request.item.bad >> BIT_REQ_ID & 1:
        request.problem_field = TABLE.fields[TABLE.slots[<int>BIT_REQ_ID]].canonical
        return BAD_REQ_ID
    if request.duplicate != NULL:
        request.problem_field = request.duplicate
        return DUPLICATE_FIELD
    request.problem_item = -1
    if not request.item.seen >> BIT_CMD & 1:
        return _field_problem(request, &request.item, BIT_CMD)
    command = command_find(request.cmd.ptr, request.cmd.size)
    if command == NULL:
        return UNKNOWN_COMMAND
    request.op = <Op>command.op
    if request.op == OP_COLD:
        return OK
    status = _fields_check(request, &request.item, command.takes, command.required)
    if status == OK and request.op == OP_PUSHB:
        return _items_check(request)
    return status


cdef int _items_check(Request* request) noexcept nogil:
    """Every stored item; those past the batch limit are refused by the engine."""
    cdef uint32_t count = min(request.item_count, <uint32_t>MAX_BATCH)
    cdef uint32_t i
    cdef int status
    for i in range(count):
        status = _fields_check(request, &request.items[i], TABLE.item_takes, TABLE.item_required)
        if status != OK:
            request.problem_item = <int32_t>i
            return status
    return OK


cdef inline int _fields_check(Request* request, const PushItem* item, uint64_t takes, uint64_t required) noexcept nogil:
    cdef uint64_t wrong = item.bad & takes
    wrong |= required & ~(item.seen | item.given & TABLE.raw)
    return OK if wrong == 0 else _field_problem(request, item, _lowest(wrong))


cdef int _field_problem(Request* request, const PushItem* item, int bit) noexcept nogil:
    """The Status for a field that is bad or missing."""
    cdef const FieldDef* field = &TABLE.fields[TABLE.slots[bit]]
    request.problem_field = field.canonical
    if not item.bad >> bit & 1:
        return MISSING_FIELD
    if field.kind == KIND_RETRY and item.outside >> bit & 1:
        request.problem_field = retry_part_name(<RetryPart>item.retry.wrong)
        request.problem_number = <uint64_t>retry_part_kind(<RetryPart>item.retry.wrong)
        return item.retry.status
    if not item.outside >> bit & 1:
        request.problem_number = field.kind
        return BAD_TYPE
    request.problem_number = field.limit
    return TEXT_TOO_LONG if field.kind == KIND_STR else OUT_OF_RANGE


cdef int _lowest(uint64_t mask) noexcept nogil:
    cdef int bit = 0
    while not mask >> bit & 1:
        bit += 1
    return bit
