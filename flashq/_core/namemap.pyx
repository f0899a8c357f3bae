"""Name map of a shard, by Litwin's linear hashing (VLDB 1980): no pause of it grows with the data."""
from flashq._core.prefetch cimport prefetch_write
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

cdef extern from * nogil:
    int clz64 "__builtin_clzll"(unsigned long long value)
    int ctz32 "__builtin_ctz"(unsigned int value)

cdef struct Text:
    const uint8_t* name         # borrowed
    uint32_t size

cdef enum:
    FULL = 2                    # names a bucket: with as many one more is added
    JOIN_AT = 4                 # buckets go at that part of the names
    JOINS = 2                   # of one removal at most: with one, buckets would never catch up
    LAST_SLOT = BUCKET_SLOTS - 1
    TAG_BITS = 16               # of the spread hash, from SEGMENT_BITS on: those below never decide a split


# Where a hash stands

cdef inline uint64_t spread_of(uint64_t hash) noexcept nogil:
    # All queues of a shard have hashes with equal bits in some place: the product spreads them again.
    return (hash * 0x9E3779B97F4A7C15ULL) >> 24


cdef inline uint16_t tag_of(uint64_t hash) noexcept nogil:
    return <uint16_t>(spread_of(hash) >> SEGMENT_BITS)


cdef inline uint64_t low_of(uint64_t buckets) noexcept nogil:
    """The last power of two: buckets past it were split off their low twins."""
    return <uint64_t>1 << (63 - clz64(buckets))


cdef inline NameBucket* bucket_at(NameMap* map, uint64_t bucket) noexcept nogil:
    return &map.segments[bucket >> SEGMENT_BITS][bucket & (SEGMENT_BUCKETS - 1)]


cdef inline NameBucket* bucket_of(NameMap* map, uint64_t hash) noexcept nogil:
    cdef uint64_t low = low_of(map.buckets)
    cdef uint64_t bucket = spread_of(hash) & (2 * low - 1)
    return bucket_at(map, bucket if bucket < map.buckets else bucket - low)


# One bucket

cdef inline uint32_t slots_tagged(const NameBucket* bucket, uint16_t tag) noexcept nogil:
    """Bit per taken slot with this tag. No branch a slot: how many are taken nobody can predict."""
    return ((<uint32_t>(bucket.tags[0] == tag) | <uint32_t>(bucket.tags[1] == tag) << 1
             | <uint32_t>(bucket.tags[2] == tag) << 2 | <uint32_t>(bucket.tags[3] == tag) << 3
             | <uint32_t>(bucket.tags[4] == tag) << 4 | <uint32_t>(bucket.tags[5] == tag) << 5)
            & ((<uint32_t>1 << bucket.used) - 1))


cdef inline uint16_t chain_bit(uint16_t tag) noexcept nogil:
    return <uint16_t>(1 << (tag >> 12))


cdef inline NameNode* chain_of(const NameBucket* bucket) noexcept nogil:
    """The first node that found no slot, or NULL."""
    return bucket.nodes[LAST_SLOT].next if bucket.chained else NULL


cdef inline void bucket_put(NameBucket* bucket, NameNode* node, uint16_t tag) noexcept nogil:
    if bucket.used < BUCKET_SLOTS:
        bucket.nodes[bucket.used], bucket.tags[bucket.used] = node, tag
        bucket.used += 1
        return
    node.next = chain_of(bucket)
    bucket.nodes[LAST_SLOT].next = node
    bucket.chained |= chain_bit(tag)


cdef inline void chain_put(NameBucket* bucket, NameNode* node) noexcept nogil:
    """Put these nodes in."""
    cdef NameNode* following
    while node != NULL:
        following = node.next
        bucket_put(bucket, node, tag_of(node.hash))
        node = following


cdef void bucket_take(NameBucket* bucket, NameNode* node) noexcept nogil:
    """Take out a node that is there."""
    cdef NameNode* chain = chain_of(bucket)
    cdef NameNode** link = &chain
    cdef uint32_t slot = 0
    while slot < bucket.used and bucket.nodes[slot] != node:
        slot += 1
    if slot == bucket.used:
        while link[0] != node:
            link = &link[0].next
        link[0] = node.next
    else:
        bucket.used -= 1
        bucket.nodes[slot], bucket.tags[slot] = bucket.nodes[bucket.used], bucket.tags[bucket.used]
    if bucket.chained:
        bucket.chained = 0
        chain_put(bucket, chain)


# Growth

cdef inline bint is_full(const NameMap* map) noexcept nogil:
    return map.count >= map.buckets * FULL


cdef bint segment_add(NameMap* map) noexcept nogil:
    cdef uint32_t cap = map.segment_cap
    cdef void* directory
    cdef NameBucket* segment
    if map.segment_count == cap:
        cap = max(cap + cap, <uint32_t>8)
        directory = raw_realloc(map.segments, cap * sizeof(NameBucket*))
        if directory == NULL:
            return False
        map.segments, map.segment_cap = <NameBucket**>directory, cap
    segment = <NameBucket*>slab_take(map.leaves)
    if segment == NULL:
        return False
    memset(segment, 0, SEGMENT_BUCKETS * sizeof(NameBucket))
    map.segments[map.segment_count] = segment
    map.segment_count += 1
    return True


cdef void bucket_split(NameMap* map) noexcept nogil:
    """Add one bucket and move its names out of its twin. Without memory the chains stay longer for a while."""
    cdef uint64_t added = map.buckets
    cdef uint64_t low = low_of(added)
    cdef uint32_t bit = <uint32_t>(63 - clz64(added)) - SEGMENT_BITS      # of the tags, which says where a name goes
    cdef NameBucket* twin
    cdef NameBucket* other
    cdef NameNode* node
    cdef NameNode* chain
    cdef NameNode* following
    cdef uint32_t i, used
    cdef bint moves
    if added >> SEGMENT_BITS == map.segment_count and not segment_add(map):
        return
    twin, other = bucket_at(map, added - low), bucket_at(map, added)
    map.buckets += 1
    chain, used = chain_of(twin), twin.used
    twin.used = twin.chained = 0
    for i in range(used):
        node = twin.nodes[i]
        moves = twin.tags[i] >> bit & 1 if bit < TAG_BITS else spread_of(node.hash) & low != 0
        bucket_put(other if moves else twin, node, twin.tags[i])
    while chain != NULL:
        following = chain.next
        bucket_put(other if spread_of(chain.hash) & low else twin, chain, tag_of(chain.hash))
        chain = following
    if (added + 1) & (SEGMENT_BUCKETS - 1):
        prefetch_write(twin + 1)            # the next split is of these
        prefetch_write(other + 1)


cdef void bucket_join(NameMap* map) noexcept nogil:
    """Take the last bucket away; its names go to its twin."""
    cdef uint64_t last = map.buckets - 1
    cdef NameBucket* bucket = bucket_at(map, last)
    cdef NameBucket* twin = bucket_at(map, last - low_of(last))
    cdef NameNode* chain = chain_of(bucket)
    cdef uint32_t i
    for i in range(bucket.used):
        bucket_put(twin, bucket.nodes[i], bucket.tags[i])
    chain_put(twin, chain)
    bucket.used = bucket.chained = 0
    map.buckets = last
    if last & (SEGMENT_BUCKETS - 1) == 0:
        map.segment_count -= 1
        slab_give(map.leaves, map.segments[map.segment_count])


# The map

cdef inline bint is_it(const NameNode* node, uint64_t hash, const Text* text) noexcept nogil:
    """Whether it has this hash and, unless `text` is NULL, this name."""
    return node.hash == hash and (text == NULL or (node.size == text.size
                                                   and memcmp(node.name, text.name, text.size) == 0))


cdef inline NameNode* node_of(NameMap* map, uint64_t hash, const Text* text) noexcept nogil:
    """The first node that is_it, or NULL."""
    cdef NameBucket* bucket
    cdef NameNode* node
    cdef uint16_t tag = tag_of(hash)
    cdef uint32_t slots
    if map.count == 0:
        return NULL
    bucket = bucket_of(map, hash)
    slots = slots_tagged(bucket, tag)
    while slots:
        node = bucket.nodes[ctz32(slots)]
        if is_it(node, hash, text):
            return node
        slots &= slots - 1
    if not bucket.chained & chain_bit(tag):
        return NULL
    node = chain_of(bucket)
    while node != NULL and not is_it(node, hash, text):
        node = node.next
    return node


cdef NameNode* name_find(NameMap* map, uint64_t hash, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef Text text = Text(name, size)
    return node_of(map, hash, &text)


cdef NameNode* name_first(NameMap* map, uint64_t hash) noexcept nogil:
    return node_of(map, hash, NULL)


cdef bint name_absent(NameMap* map, uint64_t hash) noexcept nogil:
    return node_of(map, hash, NULL) == NULL


cdef void name_expect(NameMap* map, uint64_t hash) noexcept nogil:
    if map.buckets == 0:
        return
    prefetch_write(bucket_of(map, hash))


cdef int name_add(NameMap* map, NameNode* node) noexcept nogil:
    if map.buckets == 0:
        if not segment_add(map):
            return NO_MEMORY
        map.buckets = SEGMENT_BUCKETS
    if is_full(map):
        bucket_split(map)
    bucket_put(bucket_of(map, node.hash), node, tag_of(node.hash))
    map.count += 1
    return OK


cdef void name_remove(NameMap* map, NameNode* node) noexcept nogil:
    bucket_take(bucket_of(map, node.hash), node)
    map.count -= 1
    for _ in range(<int>JOINS):
        if map.buckets > SEGMENT_BUCKETS and map.count * JOIN_AT < map.buckets * FULL:
            bucket_join(map)


cdef void name_visit(NameMap* map, NameVisit visit, void* context) noexcept nogil:
    cdef NameBucket* bucket
    cdef NameNode* node
    cdef uint64_t i
    cdef uint32_t slot
    for i in range(map.buckets):
        bucket = bucket_at(map, i)
        for slot in range(bucket.used):
            visit(bucket.nodes[slot], context)
        node = chain_of(bucket)
        while node != NULL:
            visit(node, context)
            node = node.next


cdef void name_close(NameMap* map) noexcept nogil:
    while map.segment_count:
        map.segment_count -= 1
        slab_give(map.leaves, map.segments[map.segment_count])
    raw_free(map.segments)
    map.segments, map.segment_cap, map.buckets, map.count = NULL, 0, 0, 0
