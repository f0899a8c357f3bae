/* Asking for memory before it is needed: lists of jobs walk cold memory, and a miss costs as much as parsing a job. */
#ifndef FLASHQ_PREFETCH_H
#define FLASHQ_PREFETCH_H

static inline void flashq_prefetch_read(const void *where) { __builtin_prefetch(where, 0, 3); }
static inline void flashq_prefetch_write(const void *where) { __builtin_prefetch(where, 1, 3); }

#endif
