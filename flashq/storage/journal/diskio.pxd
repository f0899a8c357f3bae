"""Mirror of include/flashq/diskio.h."""
from libc.stdint cimport uint64_t
from posix.signal cimport sigset_t

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* lock, const void* attributes) noexcept
    int pthread_mutex_destroy(pthread_mutex_t* lock) noexcept
    int pthread_mutex_lock(pthread_mutex_t* lock) noexcept
    int pthread_mutex_unlock(pthread_mutex_t* lock) noexcept
    int pthread_cond_destroy(pthread_cond_t* cond) noexcept
    int pthread_cond_signal(pthread_cond_t* cond) noexcept
    int pthread_join(pthread_t thread, void** result) noexcept

cdef extern from "flashq/diskio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len
    uint64_t mono_ns "fq_mono_ns"() noexcept
    int write_all "fq_write_all"(int fd, iovec* parts, int count, uint64_t offset) noexcept     # 0 or errno
    int go_direct "fq_go_direct"(int fd) noexcept                                               # 0 or errno
    int go_cached "fq_go_cached"(int fd) noexcept                                               # 0 or errno
    int write_blocks "fq_write_blocks"(int fd, const char* data, size_t size, size_t block, uint64_t offset) noexcept
    # ^ 0 or errno
    int read_start "fq_read_start"(int fd, char* data, size_t size) noexcept                    # 0 or errno
    void* new_blocks "fq_new_blocks"(size_t size) noexcept      # a power of two; NULL: no memory
    int sync_data "fq_sync_data"(int fd) noexcept                                               # 0 or errno
    int reserve_more_ "fq_reserve_more"(int fd, uint64_t offset, uint64_t size) noexcept        # 0 or errno
    void give_back_ "fq_give_back"(int fd, uint64_t offset, uint64_t size) noexcept
    int cond_open "fq_cond_open"(pthread_cond_t* cond) noexcept
    void cond_wait_until "fq_cond_wait_until"(pthread_cond_t* cond, pthread_mutex_t* lock, uint64_t deadline) noexcept
    void signals_off "fq_signals_off"(sigset_t* before) noexcept
    void signals_on "fq_signals_on"(const sigset_t* before) noexcept
    int thread_start "fq_thread_start"(pthread_t* thread, void* (*main)(void*) noexcept nogil, void* given) noexcept
    int bell_open "fq_bell_open"(int* ends) noexcept
    void bell_ring "fq_bell_ring"(int end) noexcept
    void bell_answer "fq_bell_answer"(int end) noexcept
    void bell_close "fq_bell_close"(int* ends) noexcept
    uint64_t load "fq_load"(const uint64_t* source) noexcept
    void store "fq_store"(uint64_t* target, uint64_t value) noexcept
    uint64_t exchange "fq_exchange"(uint64_t* target, uint64_t value) noexcept
