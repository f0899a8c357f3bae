"""The loop: sockets that are ready, until the run is done."""
from flashq._bench.poller cimport fq_poller, fq_ready
from flashq._bench.traffic cimport Run

# Drive all connections until the work is done: FINE or the first Fault. `ready` has room for every connection.
cdef int run_loop(Run* run, fq_poller* poller, fq_ready* ready) noexcept nogil
