"""The command table as C: which field names exist, where their values go, what each hot command takes.

Built once at start-up from flashq/commands, so that a name or a limit is written there only.
"""
from flashq._core.request cimport OP_NONE, PushItem, Request, Slice
from flashq._core.scratch cimport Scratch
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    FIELD_SLOTS = 256           # open-addressed, at most 64 fields plus aliases: bits of the masks
    SECOND_SLOTS = 4            # fields whose name stands for another field too
    COMMAND_SLOTS = 256

cdef struct FieldDef:
    char[28] name               # not NUL-terminated when 28 long; size says
    uint8_t size                # 0 = empty slot
    uint8_t kind                # Kind
    uint8_t bit                 # FieldBit of request.pxd (its enum names the field); an alias shares its field's bit
    uint8_t in_item             # may stand in an item of PUSHB
    uint16_t offset             # of the value in Request (and in PushItem when in_item)
    uint16_t other              # 1 + slot of the field meant by a value of another shape (HEARTBEAT's job_id is no
    # text, FAIL's retry no object); 0 = none
    uint64_t limit              # largest value of a number; largest size of a text in bytes, 0 = any
    const char* canonical       # borrowed from the table's names; NUL-terminated; an alias has its field's
    const char* choices         # borrowed likewise: of KIND_CHOICE, NUL behind each; NULL for other kinds

cdef struct CommandDef:
    char[24] name
    uint8_t size                # 0 = empty slot
    uint8_t op                  # Op; OP_COLD for the cold tier
    uint64_t takes              # bit per field
    uint64_t required           # must be in `given` (null passes for KIND_RAW) or `seen` (all others)

cdef struct FieldTable:
    FieldDef[FIELD_SLOTS + SECOND_SLOTS] fields    # those past FIELD_SLOTS are reached by `other` alone
    CommandDef[COMMAND_SLOTS] commands
    uint16_t[64] slots          # of the field that each bit stands for
    uint64_t item_takes         # bits allowed in an item
    uint64_t item_required
    uint64_t raw                # bits of KIND_RAW: null is a value there

cdef FieldTable TABLE           # filled once by load(); read-only afterwards

cdef inline uint32_t name_slot(const uint8_t* name, size_t size) noexcept nogil:
    """First slot to probe for a name; probes go up by one."""
    cdef uint32_t mixed = <uint32_t>size * 131
    if size:
        mixed += <uint32_t>name[0] * 7 + <uint32_t>name[size - 1] * 31 + <uint32_t>name[size >> 1] * 57
    return (mixed ^ (mixed >> 5)) & (FIELD_SLOTS - 1)

# Borrowed and valid for the life of the process; NULL when there is none of this name.
cdef const FieldDef* field_find(const uint8_t* name, size_t size) noexcept nogil
cdef const CommandDef* command_find(const uint8_t* name, size_t size) noexcept nogil
cdef int choice_find(const FieldDef* field, const uint8_t* text, size_t size) noexcept nogil   # its index; -1 = none
# Once after a scan whose grammar was good: sets request.op; OK, or the Status with request.problem_* filled in.
cdef int request_check(Request* request) noexcept nogil
# Before a scan: nothing given, no problem. Values whose bit is not in `seen` are undefined.
cdef inline void request_reset(Request* request, Scratch* scratch) noexcept nogil:
    item_reset(&request.item)
    request.req_id = Slice(NULL, 0, 0)
    request.cmd = Slice(NULL, 0, 0)
    request.id_text = NULL
    request.ids = scratch.ids
    request.id_count = 0
    request.tokens = scratch.tokens
    request.token_count = 0
    request.items = scratch.items
    request.item_count = 0
    request.op = OP_NONE
    request.duplicate = NULL
    request.problem_field = NULL
    request.problem_number = 0
    request.problem_text.ptr = NULL
    request.problem_item = -1

cdef inline void item_reset(PushItem* item) noexcept nogil:
    item.given = 0
    item.seen = 0
    item.bad = 0
    item.outside = 0
