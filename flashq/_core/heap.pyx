"""An indexed 4-ary heap: smallest key first, keys beside the pointers, positions written back into the nodes."""
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t

cdef enum:
    ARITY = 4
    FIRST_CAP = 64
    SHRINK_CAP = 1024           # smaller heaps keep their memory: not worth a realloc


cdef inline bint entry_before(const Entry* a, const Entry* b) noexcept nogil:
    return a.tie < b.tie if a.key == b.key else a.key < b.key


cdef inline void entry_place(Heap* heap, uint32_t pos, const Entry* entry) noexcept nogil:
    heap.items[pos] = entry[0]
    entry.node.pos = pos


cdef inline uint32_t parent_of(uint32_t pos) noexcept nogil:
    return (pos + 2) // ARITY


cdef inline uint32_t best_child(const Heap* heap, uint32_t pos) noexcept nogil:
    """Position of the smallest child of `pos`, or 0 when it has none."""
    cdef uint64_t first = ARITY * <uint64_t>pos - 2
    cdef uint32_t best, child, end
    if first > heap.size:
        return 0
    best = <uint32_t>first
    end = <uint32_t>min(first + ARITY, <uint64_t>heap.size + 1)
    child = best + 1
    while child < end:
        if entry_before(&heap.items[child], &heap.items[best]):
            best = child
        child += 1
    return best


cdef void heap_sift(Heap* heap, uint32_t pos, Entry entry) noexcept nogil:
    """Settle `entry` into the hole at `pos`: up while it can, then down."""
    cdef uint32_t best
    while pos > 1 and entry_before(&entry, &heap.items[parent_of(pos)]):
        entry_place(heap, pos, &heap.items[parent_of(pos)])
        pos = parent_of(pos)
    while True:
        best = best_child(heap, pos)
        if best == 0 or not entry_before(&heap.items[best], &entry):
            break
        entry_place(heap, pos, &heap.items[best])
        pos = best
    entry_place(heap, pos, &entry)


cdef int heap_reserve(Heap* heap, uint32_t more) noexcept nogil:
    """Make room for `more` pushes; the room holds until an entry is removed. OK or NO_MEMORY."""
    cdef uint64_t needed = <uint64_t>heap.size + more + 1
    cdef uint64_t cap
    cdef void* items
    if needed <= heap.cap:
        return OK
    # Large blocks grow by mremap, which moves no bytes; half as much again keeps the waste small.
    cap = min(max(needed, heap.cap + <uint64_t>heap.cap // 2, <uint64_t>FIRST_CAP), <uint64_t>UINT32_MAX)
    if needed > cap:
        return NO_MEMORY
    items = raw_realloc(heap.items, cap * sizeof(Entry))
    if items == NULL:
        return NO_MEMORY
    heap.items, heap.cap = <Entry*>items, <uint32_t>cap
    return OK


cdef void heap_shrink(Heap* heap) noexcept nogil:
    """Give half of the array back; when the system refuses even that, it stays as it is."""
    cdef uint32_t cap = heap.cap // 2
    cdef void* items = raw_realloc(heap.items, cap * sizeof(Entry))
    if items != NULL:
        heap.items, heap.cap = <Entry*>items, cap


cdef int heap_push(Heap* heap, uint64_t key, uint64_t tie, HeapNode* node) noexcept nogil:
    if heap.size + <uint64_t>1 >= heap.cap and heap_reserve(heap, 1) != OK:
        return NO_MEMORY
    heap.size += 1
    heap_sift(heap, heap.size, Entry(key, tie, node))
    return OK


cdef void heap_remove(Heap* heap, HeapNode* node) noexcept nogil:
    cdef uint32_t pos = node.pos
    heap.size -= 1
    if pos <= heap.size:
        heap_sift(heap, pos, heap.items[heap.size + 1])
    node.pos = 0
    if heap.cap > SHRINK_CAP and heap.size < heap.cap // 4:
        heap_shrink(heap)


cdef void heap_move(Heap* heap, HeapNode* node, uint64_t key, uint64_t tie) noexcept nogil:
    heap_sift(heap, node.pos, Entry(key, tie, node))


cdef void heap_close(Heap* heap) noexcept nogil:
    """Free the array; nodes still in it keep a stale position."""
    raw_free(heap.items)
    heap.items, heap.size, heap.cap = NULL, 0, 0
