/* Handing bytes to a socket at once, without waiting. */
#ifndef FLASHQ_SENDNOW_H
#define FLASHQ_SENDNOW_H

#include <sys/socket.h>
#include <sys/types.h>

#ifdef MSG_NOSIGNAL
#define FLASHQ_SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#else
#define FLASHQ_SEND_FLAGS MSG_DONTWAIT
#endif

/* The bytes the socket took; 0 when it has no room or is in error, which the loop's own write then finds out. */
static inline size_t flashq_send_now(int fd, const void *data, size_t size) {
    ssize_t sent = send(fd, data, size, FLASHQ_SEND_FLAGS);
    return sent > 0 ? (size_t)sent : 0;
}

#endif
