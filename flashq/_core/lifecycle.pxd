"""The life of a job: placed, delivered, completed, failed, lost, removed. Each change of state leaves its record."""
from flashq._core.events cimport EventType
from flashq._core.job cimport STATE_WAITING, Ending, Job
from flashq._core.request cimport Format, Slice
from flashq._core.state cimport Core, Owner
from libc.stdint cimport uint64_t

cdef enum:
    LIMBO_RETRY_MS = 100

cdef struct FailOrder:          # what FAIL asks for in place of the job's own policy
    bint dead                   # no retry
    bint release                # back to the queue, the attempt is not charged
    bint timed                  # `after` counts
    uint64_t after              # ms until the job may run again

cdef int job_deliver(Core* core, Job* job, Owner* owner) noexcept nogil    # a ready job; OK, or NO_MEMORY
cdef void job_place(Core* core, Job* job) noexcept nogil           # waiting or delayed: into its line, or into limbo
# OK, or NO_MEMORY for the result (never without one) and nothing changed.
cdef int job_complete(Core* core, Job* job, const Slice* result, Format format) noexcept nogil
# Retry or dead letter; `error` and `order` may be NULL.
cdef void job_fail(Core* core, Job* job, Ending ending, const Slice* error, const FailOrder* order) noexcept nogil
cdef void job_lose(Core* core, Job* job) noexcept nogil            # its worker is gone, or its heartbeat missed
cdef void job_remove(Core* core, Job* job, EventType why) noexcept nogil    # from anywhere, for good
cdef void job_due(Core* core, Job* job) noexcept nogil             # its timer fired
cdef void job_lease(Core* core, Job* job) noexcept nogil          # its own lease alone holds it from now on
cdef void job_beat(Core* core, Job* job) noexcept nogil            # a sign of life of its worker
cdef void limbo_retry(Core* core) noexcept nogil

# Into the dead letters for this reason and with this text, or removed when the job asked for that; it stands nowhere.
cdef void job_bury(Core* core, Job* job, Ending reason, const char* text) noexcept nogil
cdef void job_detach(Core* core, Job* job) noexcept nogil          # out of whatever it stands in
cdef void job_end_delivery(Core* core, Job* job) noexcept nogil    # an active job: detached, no longer reserved
cdef void job_take_back(Core* core, Job* job) noexcept nogil       # removed as if it had never been pushed
cdef void job_erase(Core* core, Job* job, int how) noexcept nogil  # a detached job: unknown from now on; `how` for GONE

cdef inline void job_waits(Core* core, Job* job) noexcept nogil:
    """From now on; where it stands in line its run_at says, as before."""
    job.state = STATE_WAITING
    job.deadline = core.now - job.run_at if core.now > job.run_at else 0
