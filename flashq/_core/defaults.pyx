"""What a push gets for options that it leaves out."""
from libc.stdint cimport uint64_t
from libc.string cimport memset

from flashq._core.request cimport BIT_BACKOFF, BIT_DATA, BIT_MAX_ATTEMPTS, BIT_TIMEOUT, BIT_TTL, FieldBit

MAX_U32, MAX_U64 = 2**32 - 1, 2**63 - 1     # what a push can say


cdef const PushItem* with_defaults(const Defaults* defaults, const PushItem* item, PushItem* room) noexcept nogil:
    cdef uint64_t missing = defaults.given & ~item.seen
    room[0] = item[0]
    room.seen |= missing
    if missing >> BIT_TIMEOUT & 1:
        room.timeout = defaults.timeout
    if missing >> BIT_MAX_ATTEMPTS & 1:
        room.max_attempts = defaults.max_attempts
    if missing >> BIT_BACKOFF & 1:
        room.backoff = defaults.backoff
    if missing >> BIT_TTL & 1:
        room.ttl = defaults.ttl
    return room


cdef uint64_t value_of(value, FieldBit bit, most, uint64_t* given) except? 0:
    """The value of a default; its bit joins `given` unless it is None."""
    if value is None:
        return 0
    if not 0 <= value <= most:
        raise ValueError(f"{value} is not between 0 and {most}")
    given[0] |= <uint64_t>1 << bit
    return value


cdef int defaults_set(Core* core, timeout, max_attempts, backoff, ttl) except -1:
    cdef Defaults defaults
    memset(&defaults, 0, sizeof(defaults))
    defaults.timeout = value_of(timeout, BIT_TIMEOUT, MAX_U64, &defaults.given)
    defaults.max_attempts = value_of(max_attempts, BIT_MAX_ATTEMPTS, MAX_U32, &defaults.given)
    defaults.backoff = value_of(backoff, BIT_BACKOFF, MAX_U64, &defaults.given)
    defaults.ttl = value_of(ttl, BIT_TTL, MAX_U64, &defaults.given)
    core.defaults = defaults
    # With a default there is something to look at in any push: no `seen` has this bit.
    core.plain_push = <uint64_t>1 << 63 if defaults.given else <uint64_t>1 << BIT_DATA
    return 0


cdef dict defaults_shown(const Core* core):
    cdef const Defaults* of = &core.defaults
    return {"timeout": of.timeout if of.given >> BIT_TIMEOUT & 1 else None,
            "max_attempts": of.max_attempts if of.given >> BIT_MAX_ATTEMPTS & 1 else None,
            "backoff": of.backoff if of.given >> BIT_BACKOFF & 1 else None,
            "ttl": of.ttl if of.given >> BIT_TTL & 1 else None}
