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

/* Advice for a page that is about to be filled: all of it at once costs the system less than a fault for each 4 KiB
 * (Linux 5.14; older ones refuse, which changes nothing). */
#ifdef MADV_POPULATE_WRITE
#define FLASHQ_PAGE_ADVICE MADV_POPULATE_WRITE
#else
#define FLASHQ_PAGE_ADVICE MADV_NORMAL
#endif

#endif
