"""include/flashq/loadgen.h: readiness of sockets, and the two clocks of a run."""
from libc.stdint cimport uint32_t, uint64_t

cdef extern from "flashq/loadgen.h" nogil:
    ctypedef struct fq_ready:
        uint32_t index
        int readable
        int writable
    ctypedef struct fq_poller:
        pass

    uint64_t fq_now_ns() noexcept
    uint64_t fq_thread_cpu_ns() noexcept
    int fq_poller_open(fq_poller* poller, uint32_t cap) noexcept
    void fq_poller_close(fq_poller* poller) noexcept
    int fq_poller_add(fq_poller* poller, int fd, uint32_t index) noexcept
    int fq_poller_want_write(fq_poller* poller, int fd, uint32_t index, int write) noexcept
    int fq_poller_wait(fq_poller* poller, fq_ready* ready, int timeout_ms) noexcept
