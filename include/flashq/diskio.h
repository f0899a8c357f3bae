/* What the thread that writes the log asks of the system, alike on Linux and macOS. Mirrored by
 * flashq/storage/journal/diskio.pxd. Functions that can fail return 0 or an errno. */
#ifndef FLASHQ_DISKIO_H
#define FLASHQ_DISKIO_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#define FQ_NS_PER_S UINT64_C(1000000000)
#define FQ_IDLE_WRITES 100 /* that took nothing, one after the other: the file can not be written */

static inline uint64_t fq_mono_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * FQ_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* All of `parts` at `offset`; the parts are used up. */
static inline int fq_write_all(int fd, struct iovec *parts, int count, uint64_t offset) {
    while (count > 0) {
        ssize_t done = pwritev(fd, parts, count, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? errno : EIO;
        offset += (uint64_t)done;
        for (; count > 0 && (size_t)done >= parts->iov_len; parts++, count--)
            done -= (ssize_t)parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return 0;
}

/* From now on the file is written and read past the page cache, in whole blocks. EINVAL where that is not possible. */
static inline int fq_go_direct(int fd) {
#ifdef O_DIRECT
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0 ? 0 : errno;
#else
    (void)fd;
    return EINVAL;
#endif
}

/* Back to the page cache. */
static inline int fq_go_cached(int fd) {
#ifdef O_DIRECT
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0 ? 0 : errno;
#else
    (void)fd;
    return 0;
#endif
}

/* Whole blocks at `offset`, both of the file and of the memory. What was written of a block is written once more when
 * the system took only a part of it: it cannot go on in the middle. */
static inline int fq_write_blocks(int fd, const char *data, size_t size, size_t block, uint64_t offset) {
    for (int idle = 0; size > 0;) {
        ssize_t done = pwrite(fd, data, size, (off_t)offset);
        size_t whole = done < 0 ? 0 : (size_t)done / block * block;
        if (done < 0 && errno != EINTR)
            return errno;
        idle = whole == 0 ? idle + 1 : 0;
        if (idle == FQ_IDLE_WRITES)
            return EIO;
        data += whole;
        size -= whole;
        offset += whole;
    }
    return 0;
}

/* The first `size` bytes of the file; EIO when it has fewer. */
static inline int fq_read_start(int fd, char *data, size_t size) {
    ssize_t done;
    do
        done = pread(fd, data, size, 0);
    while (done < 0 && errno == EINTR);
    return done < 0 ? errno : (size_t)done == size ? 0 : EIO;
}

/* Memory of a power of two bytes that begins at a multiple of that, out of a large page where there are any; NULL when
 * there is none. */
static inline void *fq_new_blocks(size_t size) {
    void *data;
    if (posix_memalign(&data, size, size) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(data, size, MADV_HUGEPAGE);
#endif
    return data;
}

/* What was written to the file is on the medium, not only in the drive's cache. Asked once: after a failure the
 * system may have dropped the pages, and a second call would succeed without having written them. */
static inline int fq_sync_data(int fd) {
#ifdef __APPLE__
    return fcntl(fd, F_FULLFSYNC) == 0 ? 0 : errno;
#else
    return fdatasync(fd) == 0 ? 0 : errno;
#endif
}

/* Reserve room for bytes of a file, which stays as long as it is; the disk may be full then. Elsewhere than on Linux
 * nothing: they are written all the same, or refused then. */
static inline int fq_reserve_more(int fd, uint64_t offset, uint64_t size) {
#ifdef __linux__
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) != 0 && errno != EOPNOTSUPP)
        return errno;
#else
    (void)fd, (void)offset, (void)size;
#endif
    return 0;
}

/* Give bytes of a file back to the disk where it can do that; the file stays as long as it is and they read as zeros,
 * or as they were. */
static inline void fq_give_back(int fd, uint64_t offset, uint64_t size) {
#ifdef __linux__
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) != 0)
        return;
#else
    (void)fd, (void)offset, (void)size;
#endif
}

/* A condition that is waited for by the monotonic clock. */
static inline int fq_cond_open(pthread_cond_t *cond) {
#ifdef __APPLE__
    return pthread_cond_init(cond, NULL);
#else
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error == 0) {
        error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (error == 0)
            error = pthread_cond_init(cond, &attributes);
        pthread_condattr_destroy(&attributes);
    }
    return error;
#endif
}

/* Wait until signalled or `deadline` (ns of fq_mono_ns; UINT64_MAX: for ever). */
static inline void fq_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline) {
    struct timespec when;
    if (deadline == UINT64_MAX) {
        pthread_cond_wait(cond, lock);
        return;
    }
#ifdef __APPLE__
    uint64_t now = fq_mono_ns();
    deadline = deadline > now ? deadline - now : 0;
#endif
    when.tv_sec = (time_t)(deadline / FQ_NS_PER_S);
    when.tv_nsec = (long)(deadline % FQ_NS_PER_S);
#ifdef __APPLE__
    pthread_cond_timedwait_relative_np(cond, lock, &when);
#else
    pthread_cond_timedwait(cond, lock, &when);
#endif
}

/* No signal interrupts this thread until `fq_signals_on`: on some file systems one would end a sync with EINTR. */
static inline void fq_signals_off(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static inline void fq_signals_on(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }

/* A thread that no signal interrupts. */
static inline int fq_thread_start(pthread_t *thread, void *(*main)(void *), void *given) {
    sigset_t before;
    int error;
    fq_signals_off(&before);
    error = pthread_create(thread, NULL, main, given);
    fq_signals_on(&before);
    return error;
}

/* A door bell between threads: `ends[0]` is readable once `ends[1]` was rung. */
static inline int fq_bell_open(int ends[2]) {
#ifdef __linux__
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] < 0 ? errno : 0;
#else
    if (pipe(ends) != 0)
        return errno;
    for (int end = 0; end < 2; end++) {
        fcntl(ends[end], F_SETFD, FD_CLOEXEC);
        fcntl(ends[end], F_SETFL, O_NONBLOCK);
    }
    return 0;
#endif
}

static inline void fq_bell_ring(int end) {
    uint64_t one = 1;
    ssize_t done = write(end, &one, sizeof one); /* a full pipe rings already */
    (void)done;
}

static inline void fq_bell_answer(int end) {
    uint64_t rung[64];
    ssize_t done = read(end, rung, sizeof rung);
    (void)done;
}

static inline void fq_bell_close(int ends[2]) {
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0 && ends[1] != ends[0])
        close(ends[1]);
    ends[0] = ends[1] = -1;
}

/* Numbers that one thread stores and others load. */
static inline uint64_t fq_load(const uint64_t *from) { return __atomic_load_n(from, __ATOMIC_SEQ_CST); }
static inline void fq_store(uint64_t *to, uint64_t value) { __atomic_store_n(to, value, __ATOMIC_SEQ_CST); }
static inline uint64_t fq_exchange(uint64_t *at, uint64_t value) {
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);
}

#endif
