/* Readiness of many sockets for the load generator: epoll on Linux, poll() elsewhere. Mirrored by flashq/_bench/poller.pxd. */
#ifndef FLASHQ_LOADGEN_H
#define FLASHQ_LOADGEN_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__) && !defined(FLASHQ_LOADGEN_POLL)
#define FLASHQ_LOADGEN_EPOLL 1
#include <sys/epoll.h>
#else
#include <poll.h>
#endif

typedef struct {
    uint32_t index; /* as given to fq_poller_add */
    int readable;   /* also set on an error or a hang-up: the next recv tells which */
    int writable;
} fq_ready;

typedef struct {
#ifdef FLASHQ_LOADGEN_EPOLL
    int fd;
    struct epoll_event *events; /* owned */
#else
    struct pollfd *events; /* owned; the index is the position */
    uint32_t used;
#endif
    uint32_t cap;
} fq_poller;

/* Nanoseconds of a clock: CLOCK_MONOTONIC for latencies, CLOCK_THREAD_CPUTIME_ID for the generator's own cost. */
static inline uint64_t fq_clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t fq_now_ns(void) { return fq_clock_ns(CLOCK_MONOTONIC); }

static inline uint64_t fq_thread_cpu_ns(void) { return fq_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

/* Room for `cap` sockets: 0, or -1 with errno set; then nothing is held. */
static inline int fq_poller_open(fq_poller *poller, uint32_t cap) {
    poller->cap = cap;
    poller->events = calloc(cap, sizeof(*poller->events));
    if (poller->events == NULL)
        return -1;
#ifdef FLASHQ_LOADGEN_EPOLL
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0) {
        free(poller->events);
        poller->events = NULL;
        return -1;
    }
#else
    poller->used = 0;
#endif
    return 0;
}

static inline void fq_poller_close(fq_poller *poller) {
    if (poller->events == NULL)
        return;
    free(poller->events);
    poller->events = NULL;
#ifdef FLASHQ_LOADGEN_EPOLL
    close(poller->fd);
#endif
}

#ifdef FLASHQ_LOADGEN_EPOLL
static inline int fq_poller_control(fq_poller *poller, int operation, int fd, uint32_t index, int write) {
    struct epoll_event event = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0u), .data.u32 = index};
    return epoll_ctl(poller->fd, operation, fd, &event);
}
#endif

/* Indexes are given in order, from 0. */
static inline int fq_poller_add(fq_poller *poller, int fd, uint32_t index) {
#ifdef FLASHQ_LOADGEN_EPOLL
    return fq_poller_control(poller, EPOLL_CTL_ADD, fd, index, 0);
#else
    poller->events[index] = (struct pollfd){.fd = fd, .events = POLLIN};
    poller->used = index + 1;
    return 0;
#endif
}

static inline int fq_poller_want_write(fq_poller *poller, int fd, uint32_t index, int write) {
#ifdef FLASHQ_LOADGEN_EPOLL
    return fq_poller_control(poller, EPOLL_CTL_MOD, fd, index, write);
#else
    (void)fd;
    poller->events[index].events = (short)(POLLIN | (write ? POLLOUT : 0));
    return 0;
#endif
}

/* Fills `ready` (room for the cap) and returns how many: 0 on a timeout or a signal, -1 on an error. */
static inline int fq_poller_wait(fq_poller *poller, fq_ready *ready, int timeout_ms) {
    int found = 0;
#ifdef FLASHQ_LOADGEN_EPOLL
    int count = epoll_wait(poller->fd, poller->events, (int)poller->cap, timeout_ms);
    for (; found < count; found++) {
        uint32_t bits = poller->events[found].events;
        ready[found].index = poller->events[found].data.u32;
        ready[found].readable = (bits & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
        ready[found].writable = (bits & EPOLLOUT) != 0;
    }
#else
    int count = poll(poller->events, (nfds_t)poller->used, timeout_ms);
    for (uint32_t i = 0; count > 0 && i < poller->used; i++) {
        int bits = poller->events[i].revents;
        if (bits == 0)
            continue;
        ready[found].index = i;
        ready[found].readable = (bits & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0;
        ready[found].writable = (bits & POLLOUT) != 0;
        found++;
    }
#endif
    return count < 0 && errno != EINTR ? -1 : found;
}

#endif
