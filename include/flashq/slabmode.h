/* How the core's slabs get their memory. Mirrored by flashq/_core/slabmode.pxd.
 *
 * With -DFLASHQ_MALLOC_SLABS every slab object and blob is a malloc of its own, so that a sanitizer sees its bounds
 * and its life. */
#ifndef FLASHQ_SLABMODE_H
#define FLASHQ_SLABMODE_H

#include <sys/mman.h>

#ifdef FLASHQ_MALLOC_SLABS
#define FLASHQ_SLABS_BY_MALLOC 1
#else
#define FLASHQ_SLABS_BY_MALLOC 0
#endif

/* Advice for a new arena: no huge pages, where the system knows them (Linux). */
#ifdef MADV_NOHUGEPAGE
#define FLASHQ_ARENA_ADVICE MADV_NOHUGEPAGE
#else
#define FLASHQ_ARENA_ADVICE MADV_NORMAL
#endif

#endif
