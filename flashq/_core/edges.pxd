"""Edges between jobs: who waits for which id, and what it is told when that id ends.

An id that ends leaves its map with all who wait for it and joins Core.first_told in one step, however many they are.
Those are told one after another, in slices: no recursion follows a chain of jobs, and no pause grows with one.
"""
from flashq._core.job cimport Outcome, Relations
from flashq._core.request cimport OnParentFailure
from flashq._core.state cimport Core
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    TELL_BUDGET = 1000          # edges worked off in one command; the rest follows by the timers

# Let the job of `relations`, a new one, wait for that id, unless it counts as done already. An id that is dead already
# is told, to a job whose policy is PARENT_FAIL, before the command ends. False without memory.
cdef bint edge_make(Core* core, Relations* relations, uint64_t id, bint child, OnParentFailure policy) noexcept nogil
cdef void edges_free(Core* core, Relations* relations) noexcept nogil
# The id has ended so; who waits for it hears of it in awaited_tell. Call it when Core.awaited_count is not 0.
cdef void awaited_ended(Core* core, uint64_t id, Outcome outcome) noexcept nogil
cdef void command_tells(Core* core) noexcept nogil     # ends each command: tells up to TELL_BUDGET who wait
cdef void awaited_tell(Core* core, uint32_t budget) noexcept nogil     # one slice of the timers
