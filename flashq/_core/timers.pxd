"""What is due: jobs, parked pulls, owners, retention and idle queues, in slices of a budget."""
from flashq._core.state cimport Core
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    SWEEP_MS = 10000            # idle queues are looked for this often
    TRIM_BUDGET = 256           # completed jobs worked off in one slice
    TRIM_WINDOW_MS = 1000       # a page not needed for so long goes back to the system
    TRIM_STEP_MS = 10           # between two slices of that
    TRIM_PAGES = 32             # 2 MiB a slice, some tenths of a millisecond

# Do at most `budget` pieces of due work; whether more is due now. Afterwards Core.next_deadline is exact or past.
cdef void memory_watch(Core* core) noexcept nogil              # ends each event: empty pages are not kept for ever

cdef bint timers_run(Core* core, uint32_t budget) noexcept nogil
cdef uint64_t timers_punctual(Core* core) noexcept nogil
