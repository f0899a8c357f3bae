"""Edges between jobs: who waits for which id, and what it is told when that id ends.

An id that ends leaves its map with all who wait for it and joins Core.first_told in one step, however many they are.
Those are told one after another, in slices: no recursion follows a chain of jobs, and no pause grows with one.
"""
from flashq._core.job cimport Job, Outcome, Relations
from flashq._core.request cimport OnParentFailure
from flashq._core.state cimport Core
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    TELL_BUDGET = 1000          # edges worked off in one command; the rest follows by the timers

# Let the job of `relations`, a new one, wait for that id, unless it counts as done already. An id that is dead already
# is told, to a job whose policy is PARENT_FAIL, before the command ends. False without memory.
cdef bint edge_make(Core* core, Relations* relations, uint64_t id, bint child, OnParentFailure policy) noexcept nogil
cdef void edges_free(Core* core, Relations* relations) noexcept nogil
# The same of an id of which it is known how it ended.
cdef bint edge_join(Core* core, Relations* relations, uint64_t id, bint child, OnParentFailure policy,
                    Outcome known) noexcept nogil
cdef Outcome outcome_of(Core* core, uint64_t id) noexcept nogil
# The id has ended so; who waits for it hears of it in awaited_tell. Call it when Core.awaited_count is not 0. `gone`:
# the job is no more. Whether anybody waits for it.
cdef bint awaited_ended(Core* core, uint64_t id, Outcome outcome, bint gone) noexcept nogil
cdef void wait_over(Core* core, Job* job) noexcept nogil   # it waits for nobody any more: ready, or delayed
cdef void command_tells(Core* core) noexcept nogil     # ends each command: tells up to TELL_BUDGET who wait
cdef void awaited_tell(Core* core, uint32_t budget) noexcept nogil     # one slice of the timers
