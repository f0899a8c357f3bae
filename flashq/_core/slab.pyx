"""Memory of the core: objects of one size that never move, and payload blobs, in pages that go back to the system.

Huge pages are refused: the system splits a partly emptied one only under pressure. With 3 million objects of which one
per 2 MiB was kept the resident size fell alike, but free memory rose with small pages only (Linux 6.18, one run each).
The price is more page faults: filling and draining a million objects took 42 ns each with huge pages, 65 to 79 without.
Some of it is won back: a page that is about to be filled is asked for whole, one call in place of 16 faults. That took
100 ns off each push beside a million jobs of 700 bytes; what is resident, full or drained, stayed the same.
"""
from flashq._core.prefetch cimport CACHE_LINE, prefetch_write
from flashq._core.rawmem cimport raw_free, raw_realloc, raw_refused
from flashq._core.slabmode cimport ARENA_ADVICE, PAGE_ADVICE, SLABS_BY_MALLOC
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memset
from posix.mman cimport (
    MADV_DONTNEED, MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, madvise, mmap, munmap,
)

cdef extern from * nogil:
    int clz32 "__builtin_clz"(unsigned int value)
    int ctz64 "__builtin_ctzll"(unsigned long long value)

cdef struct Arena:
    Arena* prev                 # borrowed: in the memory's list, roomy or full
    Arena* next                 # borrowed
    uint64_t absent             # bit per page: not resident, nothing in it
    Page[ARENA_PAGES] pages

cdef struct Block:
    Block* prev                 # borrowed: all blocks of the memory
    Block* next                 # borrowed

cdef enum:
    POPULATED_FROM = 16777216   # bytes mapped: with more, pages are asked for whole; a small server stays small

cdef uint64_t ALL_ABSENT = ~<uint64_t>0


# Arenas: 4 MiB of address space each

cdef inline Arena* arena_of(const void* thing) noexcept nogil:
    return <Arena*>(<uintptr_t>thing & ~<uintptr_t>(ARENA_BYTES - 1))


cdef inline uint32_t page_index(const void* thing) noexcept nogil:
    return (<uintptr_t>thing >> PAGE_BITS) & (ARENA_PAGES - 1)


cdef inline uint32_t page_number(Arena* arena, Page* page) noexcept nogil:
    return <uint32_t>(page - &arena.pages[0])


cdef inline size_t arena_head() noexcept nogil:
    """Bytes before the objects of an arena's first page, whole cache lines."""
    return (sizeof(Arena) + 63) & ~<size_t>63


cdef inline uint8_t* page_start(Arena* arena, uint32_t number) noexcept nogil:
    """Where the page's objects begin."""
    return <uint8_t*>arena + (<size_t>number << PAGE_BITS if number else arena_head())


cdef void* map_bytes(size_t size) noexcept nogil:
    cdef void* start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    return NULL if start == MAP_FAILED else start


cdef Arena* arena_map() noexcept nogil:
    """Map an arena aligned to its size, or return NULL."""
    cdef uint8_t* start = <uint8_t*>map_bytes(ARENA_BYTES)
    cdef size_t before
    if start == NULL or arena_of(start) == <Arena*>start:      # mostly it fits below the arena mapped last
        return <Arena*>start
    munmap(start, ARENA_BYTES)
    start = <uint8_t*>map_bytes(2 * <size_t>ARENA_BYTES)
    if start == NULL:
        return NULL
    before = <size_t>(-<uintptr_t>start & (ARENA_BYTES - 1))
    if before:
        munmap(start, before)
    munmap(start + before + ARENA_BYTES, ARENA_BYTES - before)
    return <Arena*>(start + before)


cdef void arena_link(Arena** head, Arena* arena) noexcept nogil:
    arena.prev, arena.next = NULL, head[0]
    if head[0] != NULL:
        head[0].prev = arena
    head[0] = arena


cdef void arena_unlink(Arena** head, Arena* arena) noexcept nogil:
    if arena.prev != NULL:
        arena.prev.next = arena.next
    else:
        head[0] = arena.next
    if arena.next != NULL:
        arena.next.prev = arena.prev


cdef bint arena_add(Memory* memory) noexcept nogil:
    cdef Arena* arena = NULL if raw_refused() else arena_map()
    if arena == NULL:
        return False
    madvise(arena, ARENA_BYTES, ARENA_ADVICE)
    arena.absent = ALL_ABSENT
    arena_link(&memory.roomy, arena)
    return True


# Pages: resident while in use or cached

cdef Page* page_take(Memory* memory) noexcept nogil:
    """An empty page, cached ones first; NULL when there is no memory."""
    cdef Page* page = memory.cached
    cdef Arena* arena
    cdef uint32_t number
    if raw_refused():
        return NULL
    if page != NULL:
        memory.cached = page.next
        memory.cached_count -= 1
        if memory.cached_count < memory.cached_low:
            memory.cached_low = memory.cached_count
        return page
    if memory.roomy == NULL and not arena_add(memory):
        return NULL
    arena = memory.roomy
    number = <uint32_t>ctz64(arena.absent)
    arena.absent &= arena.absent - 1
    if arena.absent == 0:
        arena_unlink(&memory.roomy, arena)
        arena_link(&memory.full, arena)
    memory.mapped += PAGE_BYTES
    if memory.mapped > POPULATED_FROM:
        madvise(<uint8_t*>arena + (<size_t>number << PAGE_BITS), PAGE_BYTES, PAGE_ADVICE)
    return &arena.pages[number]


cdef void page_discard(Memory* memory, Page* page) noexcept nogil:
    """Give an empty page's bytes back to the system; with the last page of an arena goes its address space."""
    cdef Arena* arena = arena_of(page)
    cdef uint32_t number = page_number(arena, page)
    cdef size_t kept = 0 if number else <size_t>HEAD_KEPT
    memory.mapped -= PAGE_BYTES
    if arena.absent == 0:
        arena_unlink(&memory.full, arena)
        arena_link(&memory.roomy, arena)
    arena.absent |= <uint64_t>1 << number
    if arena.absent == ALL_ABSENT:
        arena_unlink(&memory.roomy, arena)
        munmap(arena, ARENA_BYTES)
    else:
        madvise(<uint8_t*>arena + (<size_t>number << PAGE_BITS) + kept, PAGE_BYTES - kept, MADV_DONTNEED)


cdef void page_give(Memory* memory, Page* page) noexcept nogil:
    page.next, memory.cached = memory.cached, page
    memory.cached_count += 1


cdef void memory_init(Memory* memory) noexcept nogil:
    memset(memory, 0, sizeof(Memory))


cdef void cached_discard(Memory* memory, uint32_t count) noexcept nogil:
    cdef Page* page
    while count > 0 and memory.cached != NULL:
        count -= 1
        page, memory.cached = memory.cached, memory.cached.next
        memory.cached_count -= 1
        page_discard(memory, page)
    if memory.cached_count < memory.cached_low:
        memory.cached_low = memory.cached_count


cdef void memory_trim(Memory* memory) noexcept nogil:
    cached_discard(memory, memory.cached_count)
    memory.idle_pages = 0


cdef void memory_window(Memory* memory) noexcept nogil:
    memory.idle_pages = memory.cached_low - CACHED_PAGES if memory.cached_low > CACHED_PAGES else 0
    memory.cached_low = memory.cached_count


cdef void memory_decay(Memory* memory, uint32_t budget) noexcept nogil:
    cdef uint32_t over = memory.cached_count - CACHED_PAGES if memory.cached_count > CACHED_PAGES else 0
    if memory.idle_pages > over:
        memory.idle_pages = over            # some found use after all
    if budget > memory.idle_pages:
        budget = memory.idle_pages
    memory.idle_pages -= budget
    cached_discard(memory, budget)


cdef void arenas_unmap(Arena* arena) noexcept nogil:
    cdef Arena* following
    while arena != NULL:
        following = arena.next
        munmap(arena, ARENA_BYTES)
        arena = following


cdef void memory_close(Memory* memory) noexcept nogil:
    cdef Block* block
    arenas_unmap(memory.roomy)
    arenas_unmap(memory.full)
    while memory.blocks != NULL:
        block, memory.blocks = memory.blocks, memory.blocks.next
        raw_free(block)
    memory_init(memory)


# Blocks: one malloc each, listed so that memory_close finds them

cdef void* block_take(Memory* memory, size_t size) noexcept nogil:
    cdef Block* block = <Block*>raw_realloc(NULL, sizeof(Block) + size)
    if block == NULL:
        return NULL
    block.prev, block.next = NULL, memory.blocks
    if memory.blocks != NULL:
        memory.blocks.prev = block
    memory.blocks = block
    return block + 1


cdef void block_give(Memory* memory, void* thing) noexcept nogil:
    cdef Block* block = <Block*>thing - 1
    if block.prev != NULL:
        block.prev.next = block.next
    else:
        memory.blocks = block.next
    if block.next != NULL:
        block.next.prev = block.prev
    raw_free(block)


# Slabs

cdef void partial_link(Slab* slab, Page* page) noexcept nogil:
    page.prev, page.next = NULL, slab.partial
    if slab.partial != NULL:
        slab.partial.prev = page
    slab.partial = page


cdef void partial_unlink(Slab* slab, Page* page) noexcept nogil:
    if page.prev != NULL:
        page.prev.next = page.next
    else:
        slab.partial = page.next
    if page.next != NULL:
        page.next.prev = page.prev


cdef Page* slab_grow(Slab* slab) noexcept nogil:
    """Add an empty page to the slab; NULL when there is no memory."""
    cdef Page* page = page_take(slab.memory)
    cdef Arena* arena
    cdef uint32_t number
    if page == NULL:
        return NULL
    arena = arena_of(page)
    number = page_number(arena, page)
    page.free = NULL
    page.used = 0
    page.fresh = page_start(arena, number)
    page.cap = slab.per_page if number else <uint32_t>(PAGE_BYTES - arena_head()) // slab.size
    partial_link(slab, page)
    return page


cdef void slab_init(Slab* slab, Memory* memory, uint32_t size) noexcept nogil:
    slab.memory = memory
    slab.partial = NULL
    slab.size = (size + 15) & ~<uint32_t>15
    slab.per_page = PAGE_BYTES // slab.size


cdef void* slab_take(Slab* slab) noexcept nogil:
    cdef Memory* memory = slab.memory
    cdef Page* page = slab.partial
    cdef void* thing
    if SLABS_BY_MALLOC:
        thing = block_take(memory, slab.size)
        if thing == NULL:
            return NULL
    else:
        if page == NULL:
            page = slab_grow(slab)
            if page == NULL:
                return NULL
        thing = page.free
        if thing != NULL:
            page.free = (<void**>thing)[0]
            prefetch_write(page.free)
        else:
            thing = page.fresh
            page.fresh += slab.size
            prefetch_write(page.fresh)      # the next one; past the page's end it only warms a neighbour
            prefetch_write(page.fresh + CACHE_LINE)
        page.used += 1
        if page.used == page.cap:
            partial_unlink(slab, page)
    memory.used += slab.size
    memory.objects += 1
    return thing


cdef void slab_give(Slab* slab, void* thing) noexcept nogil:
    cdef Memory* memory = slab.memory
    cdef Page* page
    memory.used -= slab.size
    memory.objects -= 1
    if SLABS_BY_MALLOC:
        block_give(memory, thing)
        return
    page = &arena_of(thing).pages[page_index(thing)]
    (<void**>thing)[0] = page.free
    page.free = thing
    if page.used == page.cap:
        # In front: nearly full pages are filled first, so that the emptier ones behind can empty out.
        partial_link(slab, page)
    page.used -= 1
    if page.used == 0:
        partial_unlink(slab, page)
        page_give(memory, page)


cdef void slab_expect(const void* thing) noexcept nogil:
    prefetch_write(thing)
    if not SLABS_BY_MALLOC:
        prefetch_write(&arena_of(thing).pages[page_index(thing)])


# Blobs

cdef inline uint32_t blob_class(uint32_t size) noexcept nogil:
    """Index of the smallest class that holds `size` bytes, 1 to BLOB_SMALL."""
    cdef uint32_t top, steps
    if size <= 256:
        return (size - 1) >> 4
    top = <uint32_t>(31 - clz32(size - 1))             # 8 for 257..512, 9 for 513..1024
    steps = (size - 1) >> (top - 3)                    # 8..15: which eighth of the doubling
    return 16 + (top - 8) * 8 + (steps - 8)


cdef uint32_t class_size(uint32_t index) noexcept nogil:
    cdef uint32_t top
    if index < 16:
        return (index + 1) * 16
    top = 8 + (index - 16) // 8
    return ((index - 16) % 8 + 9) << (top - 3)


cdef void blobs_init(Blobs* blobs, Memory* memory) noexcept nogil:
    cdef uint32_t index
    blobs.memory = memory
    for index in range(<uint32_t>BLOB_CLASSES):
        slab_init(&blobs.classes[index], memory, class_size(index))


cdef uint64_t large_cost(uint32_t size) noexcept nogil:
    return ((<uint64_t>size + 15) & ~<uint64_t>15) + sizeof(Block)


cdef uint32_t blob_cost(uint32_t size) noexcept nogil:
    return class_size(blob_class(size)) if size <= BLOB_SMALL else <uint32_t>large_cost(size)


cdef uint8_t* blob_take(Blobs* blobs, uint32_t size) noexcept nogil:
    cdef void* blob
    if size <= BLOB_SMALL:
        return <uint8_t*>slab_take(&blobs.classes[blob_class(size)])
    blob = block_take(blobs.memory, size)
    if blob != NULL:
        blobs.memory.used += large_cost(size)
        blobs.memory.objects += 1
    return <uint8_t*>blob


cdef void blob_give(Blobs* blobs, uint8_t* blob, uint32_t size) noexcept nogil:
    if size <= BLOB_SMALL:
        slab_give(&blobs.classes[blob_class(size)], blob)
        return
    blobs.memory.used -= large_cost(size)
    blobs.memory.objects -= 1
    block_give(blobs.memory, blob)
