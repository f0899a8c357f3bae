"""Defaults of push options, which the server sets while it runs. Without any, a push pays nothing for them."""
from flashq._core.request cimport PushItem
from flashq._core.state cimport Core, Defaults

# The item with the defaults of what it leaves out, in `room`.
cdef const PushItem* with_defaults(const Defaults* defaults, const PushItem* item, PushItem* room) noexcept nogil
# Each an int or None for no default; ValueError and no change for a value that a push could not have.
cdef int defaults_set(Core* core, timeout, max_attempts, backoff, ttl) except -1
cdef dict defaults_shown(const Core* core)                             # as they were set, by name
