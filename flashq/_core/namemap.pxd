"""Name map of a shard: a lookup touches one cache line and what it finds; growth goes bucket by bucket."""
from flashq._core.slab cimport Slab
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    BUCKET_SLOTS = 6
    SEGMENT_BITS = 6            # 64 buckets a segment: 4096 bytes
    SEGMENT_BUCKETS = 64

cdef struct NameNode:           # embedded in whatever is found by name
    NameNode* next              # borrowed: of those that found no slot in their bucket; else unset
    const uint8_t* name         # borrowed from the embedder, who keeps it alive while mapped
    uint32_t size
    uint32_t kind               # the embedder's own tag
    uint64_t hash               # name_hash of the name

# One cache line. Tags tell most names apart, and where each goes at a split, so that the nodes stay untouched: those
# of a million names lie in memory that no cache holds.
cdef struct NameBucket:
    uint16_t[BUCKET_SLOTS] tags
    uint16_t used               # slots taken, the first ones
    uint16_t chained            # bit per top four bits of a tag: of the nodes behind the last slot's by `next`
    NameNode* nodes[BUCKET_SLOTS]   # borrowed

cdef struct NameMap:            # linear hashing: grows and shrinks one bucket at a time; set leaves, the rest all zero
    Slab* leaves                # borrowed: a slab of shardmap's LEAF_BYTES
    NameBucket** segments       # owned: directory of bucket segments, each of them never moves
    uint32_t segment_count
    uint32_t segment_cap
    uint64_t buckets            # 0, or at least SEGMENT_BUCKETS: the first segment stays until name_close
    uint64_t count

cdef NameNode* name_find(NameMap* map, uint64_t hash, const uint8_t* name, uint32_t size) noexcept nogil
cdef NameNode* name_first(NameMap* map, uint64_t hash) noexcept nogil            # with this hash, whatever its name
cdef bint name_absent(NameMap* map, uint64_t hash) noexcept nogil                # no name has this hash
cdef void name_expect(NameMap* map, uint64_t hash) noexcept nogil                # asks for its bucket's memory
cdef int name_add(NameMap* map, NameNode* node) noexcept nogil                   # OK or NO_MEMORY; not there yet
cdef void name_remove(NameMap* map, NameNode* node) noexcept nogil
ctypedef void (*NameVisit)(NameNode* node, void* context) noexcept nogil
cdef void name_visit(NameMap* map, NameVisit visit, void* context) noexcept nogil    # every node
cdef void name_close(NameMap* map) noexcept nogil                                # frees the buckets, not the nodes

cdef inline uint64_t name_hash_on(uint64_t value, const uint8_t* name, size_t size) noexcept nogil:
    """The hash of a text that goes on with these bytes; `value` is the hash of what stands before them."""
    cdef size_t i
    for i in range(size):
        value = (value ^ name[i]) * 0x100000001B3ULL
    return value

cdef inline uint64_t name_hash(const uint8_t* name, size_t size) noexcept nogil:
    """FNV-1a, 64 bits (Fowler, Noll, Vo). Part of the format: a queue's shard comes from it."""
    return name_hash_on(0xCBF29CE484222325ULL, name, size)
