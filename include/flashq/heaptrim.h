/* Giving the C heap's free pages back to the system, where the C library can: glibc keeps what many short-lived
 * buffers left behind. */
#ifndef FLASHQ_HEAPTRIM_H
#define FLASHQ_HEAPTRIM_H

#include <stdlib.h>

#ifdef __GLIBC__
#include <malloc.h>
static inline void flashq_heap_trim(void) { malloc_trim(0); }
#else
static inline void flashq_heap_trim(void) { }
#endif

#endif
