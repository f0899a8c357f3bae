"""The end of a recovery: jobs of the id table back into lines, lists, maps and timers."""
from flashq._core.recovery cimport Recovery

cdef int revive(Recovery* r, dict gone) except? -1000  # OK, NO_MEMORY or DAMAGED; `gone`: id -> Outcome of absent ids
