"""An indexed 4-ary heap: smallest key first, keys beside the pointers, positions written back into the nodes."""
from libc.stdint cimport uint32_t, uint64_t

cdef struct HeapNode:           # embedded in whatever stands in a heap; all zero = in none
    uint32_t pos                # from 1; 0 while in no heap
    uint32_t kind               # the embedder's own tag: what the node is part of

cdef struct Entry:
    uint64_t key
    uint64_t tie                # orders equal keys
    HeapNode* node              # borrowed

cdef struct Heap:               # all zero is an empty heap
    Entry* items                # owned, moves when it grows; items[0] unused
    uint32_t size
    uint32_t cap

cdef int heap_push(Heap* heap, uint64_t key, uint64_t tie, HeapNode* node) noexcept nogil   # OK or NO_MEMORY
cdef int heap_reserve(Heap* heap, uint32_t more) noexcept nogil    # the next `more` pushes cannot fail
cdef void heap_remove(Heap* heap, HeapNode* node) noexcept nogil   # node.pos must not be 0
cdef void heap_move(Heap* heap, HeapNode* node, uint64_t key, uint64_t tie) noexcept nogil
cdef void heap_close(Heap* heap) noexcept nogil

cdef inline Entry* heap_first(Heap* heap) noexcept nogil:
    """The smallest entry, or NULL; borrowed until the next change of the heap."""
    return &heap.items[1] if heap.size else NULL
