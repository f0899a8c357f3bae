"""Id table of a shard: a lookup costs a step or two, growth goes page by page."""
from flashq._core.slab cimport Slab
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    SHARD_BITS = 5
    SHARDS = 32
    LEAF_BITS = 9               # 512 slots a leaf
    LEAF_SLOTS = 512
    NOTHING = -1                # cast to uint64_t: no such sequence
    LEAF_BYTES = 4160           # size of the objects that `IdTable.leaves` and `NameMap.leaves` hand out

cdef struct IdLeaf:             # of the table: a leaf, or a level above them
    uint64_t used               # above the leaves: slots that are not NULL; in a leaf not kept (a cache miss less)
    uint64_t unused[7]          # slots stand on whole cache lines
    void* slots[LEAF_SLOTS]     # in a leaf: borrowed things; above: owned leaves

cdef struct IdTable:            # sequence -> void*; set leaves, the rest all zero
    Slab* leaves                # borrowed: a slab of LEAF_BYTES, best one for the whole Core
    IdLeaf* root                # owned
    uint32_t height             # levels above the leaves
    uint64_t leaf_number        # of the cached leaf: its sequences >> LEAF_BITS
    IdLeaf* leaf                # borrowed: the leaf used last, or NULL
    uint64_t count              # entries that are not NULL
    uint64_t pages              # leaves and levels held (leak check)

cdef int id_put(IdTable* table, uint64_t sequence, void* thing) noexcept nogil
# ^ OK or NO_MEMORY; thing not NULL, nothing there yet
cdef void* id_find(IdTable* table, uint64_t sequence) noexcept nogil             # id_get past the cached leaf
cdef void** id_expect(IdTable* table, uint64_t sequence) noexcept nogil
# ^ asks for the memory where the thing stands or would stand, and returns the place unread; NULL without a leaf
cdef void id_replace(IdTable* table, uint64_t sequence, void* thing) noexcept nogil  # of a present entry
cdef void id_remove(IdTable* table, uint64_t sequence) noexcept nogil            # absent: nothing; frees empty leaves
# The nearest sequence that is there, from `start` upwards or downwards (itself included); NOTHING when there is none.
cdef uint64_t id_next(IdTable* table, uint64_t start) noexcept nogil
cdef uint64_t id_previous(IdTable* table, uint64_t start) noexcept nogil
cdef void id_close(IdTable* table) noexcept nogil                                # frees the leaves, not the things

cdef inline void* id_get(IdTable* table, uint64_t sequence) noexcept nogil:
    """The thing at `sequence`, or NULL when absent."""
    if table.leaf != NULL and sequence >> LEAF_BITS == table.leaf_number:
        return table.leaf.slots[sequence & (LEAF_SLOTS - 1)]
    return id_find(table, sequence)
