"""Memory of the core: objects of one size that never move, and payload blobs, in pages that go back to the system.

Every byte the core keeps for jobs is taken here and counted in `Memory.used`, which the high-water mark compares.
Built with FLASHQ_MALLOC_SLABS the same functions use malloc one to one, so that AddressSanitizer sees each object.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    PAGE_BITS = 16
    PAGE_BYTES = 65536
    ARENA_BYTES = 4194304
    ARENA_PAGES = 64            # one bit each in Arena.absent
    HEAD_KEPT = 16384           # never given back of an arena in use: its head, in system pages of up to this size
    CACHED_PAGES = 64           # empty pages that stay resident for good: 4 MiB
    BLOB_CLASSES = 48           # steps of 16 to 256, then 8 sizes per doubling to 4096
    BLOB_SMALL = 4096           # larger ones come straight from malloc

cdef struct Page:               # head of 64 KiB of objects; stands in its arena's first bytes
    void* free                  # borrowed: objects given back, linked through their first word
    uint32_t used               # live objects
    uint32_t cap
    uint8_t* fresh              # the first object never handed out: addresses ascend on a new page
    Page* prev                  # borrowed: the slab's partial pages
    Page* next                  # borrowed: those, or the cached pages

cdef struct Arena               # 64 pages mapped at once, aligned to their size: an object's address finds it

cdef struct Block               # head of a piece that malloc gave

cdef struct Memory:             # owner: the Engine; all zero is valid and empty
    Arena* roomy                # owned: arenas with an absent page
    Arena* full                 # owned: arenas with none
    Page* cached                # owned: empty pages still resident
    Block* blocks               # owned: large blobs; every object when built with FLASHQ_MALLOC_SLABS
    uint32_t cached_count
    uint32_t cached_low         # fewest cached since memory_window: so many were not needed
    uint32_t idle_pages         # of the cached, those that memory_decay is to give back
    uint64_t used               # bytes of live objects and blobs, their rounding included
    uint64_t mapped             # bytes of pages in use or cached
    uint64_t objects            # live objects and blobs: 0 after everything was given back (leak check)

cdef struct Slab:               # one size; owner: the Engine
    Memory* memory              # borrowed
    Page* partial               # pages with free room; the one that was full last comes first
    uint32_t size               # bytes of an object, a multiple of 16
    uint32_t per_page           # the first page of an arena holds fewer

cdef struct Blobs:              # byte strings by size class; larger ones straight from malloc
    Memory* memory              # borrowed
    Slab[BLOB_CLASSES] classes

cdef void memory_init(Memory* memory) noexcept nogil
cdef void memory_close(Memory* memory) noexcept nogil          # unmaps everything, also what is still live
cdef void memory_trim(Memory* memory) noexcept nogil           # cached pages go back to the system now
# Empty pages stay resident while work comes and goes, since taking one back from the system costs a microsecond for
# each 4 KiB. Those over CACHED_PAGES that were not needed from one memory_window to the next are idle: memory_decay
# gives back up to `budget` of them.
cdef void memory_window(Memory* memory) noexcept nogil
cdef void memory_decay(Memory* memory, uint32_t budget) noexcept nogil

cdef void slab_init(Slab* slab, Memory* memory, uint32_t size) noexcept nogil
cdef void* slab_take(Slab* slab) noexcept nogil                # contents undefined; NULL when there is no memory
cdef void slab_give(Slab* slab, void* thing) noexcept nogil
cdef void slab_expect(const void* thing) noexcept nogil        # ask for what slab_give of this object will touch

cdef void blobs_init(Blobs* blobs, Memory* memory) noexcept nogil
cdef uint8_t* blob_take(Blobs* blobs, uint32_t size) noexcept nogil        # NULL when there is no memory; size > 0
cdef void blob_give(Blobs* blobs, uint8_t* blob, uint32_t size) noexcept nogil   # the size it was taken with
cdef uint32_t blob_cost(uint32_t size) noexcept nogil          # bytes that a blob of this size counts for
