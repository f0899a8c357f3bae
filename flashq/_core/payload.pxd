"""A job's payload after its push: replaced by UPDATEJOB, or by a push that finds its unique key held."""
from flashq._core.job cimport Job
from flashq._core.request cimport Format, PushItem
from flashq._core.state cimport Core
from libc.stdint cimport uint64_t

# To the item's `data`, null without one: OK, or DATA_TOO_LARGE, MEMORY_FULL, DISK_FULL, NO_MEMORY and nothing changed.
cdef int payload_replace(Core* core, Job* job, const PushItem* item, Format format) noexcept nogil
# What `on_duplicate` makes of a push whose key the job `holder` holds: OK, and it is answered with that id and shows
# the log up to `shown`; or DUPLICATE_KEY or as above, and nothing changed.
cdef int payload_of_duplicate(Core* core, uint64_t holder, const PushItem* item, Format format,
                              uint64_t* shown) noexcept nogil
