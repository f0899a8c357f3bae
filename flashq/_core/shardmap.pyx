"""Id table and name map of a shard: lookups cost a step or two, growth goes page by page, nothing rehashes at once."""
from flashq._core.prefetch cimport prefetch_write
from flashq._core.rawmem cimport raw_free, raw_realloc
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memset

cdef extern from * nogil:
    int clz64 "__builtin_clzll"(unsigned long long value)

cdef enum:
    MAX_HEIGHT = 6              # covers 63 bits of sequence, far over the 48 that ids have
    SPLITS_AHEAD = 8            # names are fetched from memory so long before a split looks at them


# The id table: a tree of 512-way levels over leaves, no higher than its largest sequence needs

cdef inline uint32_t slot_of(uint64_t sequence, uint32_t level) noexcept nogil:
    return <uint32_t>(sequence >> (LEAF_BITS * level)) & (LEAF_SLOTS - 1)


cdef inline bint id_fits(const IdTable* table, uint64_t sequence) noexcept nogil:
    return sequence >> (LEAF_BITS * (table.height + 1)) == 0


cdef IdLeaf* leaf_take(IdTable* table) noexcept nogil:
    cdef IdLeaf* leaf = <IdLeaf*>slab_take(table.leaves)
    if leaf != NULL:
        memset(leaf, 0, sizeof(IdLeaf))
        table.pages += 1
    return leaf


cdef void leaf_give(IdTable* table, IdLeaf* leaf) noexcept nogil:
    if table.leaf == leaf:
        table.leaf = NULL
    table.pages -= 1
    slab_give(table.leaves, leaf)


cdef bint leaf_empty(const IdLeaf* leaf, uint32_t slot) noexcept nogil:
    """Whether nothing is left in a leaf. Begins at the slot emptied last: mostly a neighbour is still there."""
    cdef void* const* group
    cdef uint32_t i
    for i in range(LEAF_SLOTS // 8):
        group = &leaf.slots[((slot >> 3) + i) % (LEAF_SLOTS // 8) * 8]
        if (<uintptr_t>group[0] | <uintptr_t>group[1] | <uintptr_t>group[2] | <uintptr_t>group[3]
                | <uintptr_t>group[4] | <uintptr_t>group[5] | <uintptr_t>group[6] | <uintptr_t>group[7]):
            return False
    return True


cdef void id_lower(IdTable* table) noexcept nogil:
    """Drop levels that hold nothing but the level below them; an empty root goes as well."""
    cdef IdLeaf* root = table.root
    cdef bint empty
    while table.height and root.used == 1 and root.slots[0] != NULL:
        table.root = <IdLeaf*>root.slots[0]
        table.height -= 1
        leaf_give(table, root)
        root = table.root
    empty = root.used == 0 if table.height else leaf_empty(root, 0)
    if empty:
        leaf_give(table, root)
        table.root, table.height = NULL, 0


cdef int id_raise(IdTable* table, uint64_t sequence) noexcept nogil:
    """Put levels on top until the sequence fits. OK or NO_MEMORY; id_lower takes them off again."""
    cdef IdLeaf* level
    if table.root == NULL:
        while not id_fits(table, sequence):
            table.height += 1
        table.root = leaf_take(table)
        if table.root == NULL:
            table.height = 0
            return NO_MEMORY
    while not id_fits(table, sequence):
        level = leaf_take(table)
        if level == NULL:
            return NO_MEMORY
        level.slots[0], level.used = table.root, 1
        table.root = level
        table.height += 1
    return OK


cdef void id_prune(IdTable* table, uint64_t sequence) noexcept nogil:
    """Free what is empty on the way to `sequence`, from the bottom up."""
    cdef IdLeaf* path[MAX_HEIGHT + 1]
    cdef uint32_t level = table.height
    cdef bint empty
    path[level] = table.root
    while level and path[level].slots[slot_of(sequence, level)] != NULL:
        path[level - 1] = <IdLeaf*>path[level].slots[slot_of(sequence, level)]
        level -= 1
    # A sequence that was too large for the table may have led to the leaf of another.
    empty = leaf_empty(path[0], slot_of(sequence, 0)) if level == 0 else path[level].used == 0
    while level < table.height and empty:
        leaf_give(table, path[level])
        level += 1
        path[level].slots[slot_of(sequence, level)] = NULL
        path[level].used -= 1
        empty = path[level].used == 0
    id_lower(table)


cdef IdLeaf* id_leaf(IdTable* table, uint64_t sequence) noexcept nogil:
    """The leaf of a sequence, or NULL; it becomes the cached one."""
    cdef IdLeaf* leaf = table.root
    cdef uint32_t level = table.height
    if table.leaf != NULL and sequence >> LEAF_BITS == table.leaf_number:
        return table.leaf
    if leaf == NULL or not id_fits(table, sequence):
        return NULL
    while level and leaf != NULL:
        leaf = <IdLeaf*>leaf.slots[slot_of(sequence, level)]
        level -= 1
    if leaf != NULL:
        table.leaf, table.leaf_number = leaf, sequence >> LEAF_BITS
    return leaf


cdef IdLeaf* id_grow(IdTable* table, uint64_t sequence) noexcept nogil:
    """Make the way to a sequence's leaf; NULL without memory, and then the table is as it was."""
    cdef IdLeaf* leaf
    cdef IdLeaf* below
    cdef uint32_t level
    cdef bint refused = id_raise(table, sequence) != OK
    leaf, level = table.root, table.height
    while level and not refused:
        below = <IdLeaf*>leaf.slots[slot_of(sequence, level)]
        if below == NULL:
            below = leaf_take(table)
            if below == NULL:
                refused = True
                break
            leaf.slots[slot_of(sequence, level)] = below
            leaf.used += 1
        leaf = below
        level -= 1
    if not refused:
        table.leaf, table.leaf_number = leaf, sequence >> LEAF_BITS
        return leaf
    if table.root != NULL:
        id_prune(table, sequence)
    return NULL


cdef int id_put(IdTable* table, uint64_t sequence, void* thing) noexcept nogil:
    cdef IdLeaf* leaf = id_leaf(table, sequence)
    if leaf == NULL:
        leaf = id_grow(table, sequence)
        if leaf == NULL:
            return NO_MEMORY
    leaf.slots[slot_of(sequence, 0)] = thing
    table.count += 1
    return OK


cdef void* id_find(IdTable* table, uint64_t sequence) noexcept nogil:
    cdef IdLeaf* leaf = id_leaf(table, sequence)
    return leaf.slots[slot_of(sequence, 0)] if leaf != NULL else NULL


cdef void** id_expect(IdTable* table, uint64_t sequence) noexcept nogil:
    cdef IdLeaf* leaf = table.root
    cdef uint32_t level = table.height
    if leaf == NULL or not id_fits(table, sequence):
        return NULL
    while level and leaf != NULL:
        leaf = <IdLeaf*>leaf.slots[slot_of(sequence, level)]
        level -= 1
    if leaf == NULL:
        return NULL
    prefetch_write(&leaf.slots[slot_of(sequence, 0)])
    return &leaf.slots[slot_of(sequence, 0)]


cdef void id_replace(IdTable* table, uint64_t sequence, void* thing) noexcept nogil:
    id_leaf(table, sequence).slots[slot_of(sequence, 0)] = thing


cdef void id_remove(IdTable* table, uint64_t sequence) noexcept nogil:
    cdef IdLeaf* leaf = id_leaf(table, sequence)
    if leaf == NULL or leaf.slots[slot_of(sequence, 0)] == NULL:
        return
    leaf.slots[slot_of(sequence, 0)] = NULL
    table.count -= 1
    if leaf_empty(leaf, slot_of(sequence, 0)):
        id_prune(table, sequence)


cdef uint64_t seek_up(IdLeaf* leaf, uint32_t level, uint64_t start) noexcept nogil:
    cdef uint32_t slot = slot_of(start, level)
    cdef uint64_t found
    while slot < LEAF_SLOTS:
        if leaf.slots[slot] != NULL:
            found = start if level == 0 else seek_up(<IdLeaf*>leaf.slots[slot], level - 1, start)
            if found != <uint64_t>NOTHING:
                return found
        slot += 1
        start = ((start >> (LEAF_BITS * level)) + 1) << (LEAF_BITS * level)
    return <uint64_t>NOTHING


cdef uint64_t seek_down(IdLeaf* leaf, uint32_t level, uint64_t start) noexcept nogil:
    cdef uint32_t slot = slot_of(start, level)
    cdef uint64_t found
    while True:
        if leaf.slots[slot] != NULL:
            found = start if level == 0 else seek_down(<IdLeaf*>leaf.slots[slot], level - 1, start)
            if found != <uint64_t>NOTHING:
                return found
        if slot == 0:
            return <uint64_t>NOTHING
        slot -= 1
        start = ((start >> (LEAF_BITS * level)) << (LEAF_BITS * level)) - 1


cdef uint64_t id_next(IdTable* table, uint64_t start) noexcept nogil:
    if table.root == NULL or not id_fits(table, start):
        return <uint64_t>NOTHING
    return seek_up(table.root, table.height, start)


cdef uint64_t id_previous(IdTable* table, uint64_t start) noexcept nogil:
    if table.root == NULL:
        return <uint64_t>NOTHING
    if not id_fits(table, start):
        start = (<uint64_t>1 << (LEAF_BITS * (table.height + 1))) - 1
    return seek_down(table.root, table.height, start)


cdef void level_close(IdTable* table, IdLeaf* leaf, uint32_t level) noexcept nogil:
    cdef uint32_t slot
    if leaf == NULL:
        return
    if level:
        for slot in range(<uint32_t>LEAF_SLOTS):
            level_close(table, <IdLeaf*>leaf.slots[slot], level - 1)
    leaf_give(table, leaf)


cdef void id_close(IdTable* table) noexcept nogil:
    level_close(table, table.root, table.height)
    table.root, table.height, table.count = NULL, 0, 0


# The name map: Litwin's linear hashing (VLDB 1980)

cdef inline uint64_t bucket_of(const NameMap* map, uint64_t hash) noexcept nogil:
    """Where a hash stands: buckets past the last power of two were split off their low twins."""
    # All queues of a shard have hashes with equal bits in some place: the product spreads them again.
    cdef uint64_t spread = (hash * 0x9E3779B97F4A7C15ULL) >> 24
    cdef uint64_t low = <uint64_t>1 << (63 - clz64(map.buckets))
    cdef uint64_t bucket = spread & (2 * low - 1)
    return bucket if bucket < map.buckets else bucket - low


cdef inline NameNode** bucket_at(NameMap* map, uint64_t bucket) noexcept nogil:
    return &map.segments[bucket >> LEAF_BITS][bucket & (LEAF_SLOTS - 1)]


cdef bint segment_add(NameMap* map) noexcept nogil:
    cdef uint32_t cap = map.segment_cap
    cdef void* directory
    cdef NameNode** segment
    if map.segment_count == cap:
        cap = max(cap + cap, <uint32_t>8)
        directory = raw_realloc(map.segments, cap * sizeof(NameNode**))
        if directory == NULL:
            return False
        map.segments, map.segment_cap = <NameNode***>directory, cap
    segment = <NameNode**>slab_take(map.leaves)
    if segment == NULL:
        return False
    memset(segment, 0, LEAF_SLOTS * sizeof(NameNode*))
    map.segments[map.segment_count] = segment
    map.segment_count += 1
    return True


cdef void bucket_split(NameMap* map) noexcept nogil:
    """Add one bucket and move its names out of its twin. Without memory the chains stay longer for a while."""
    cdef uint64_t added = map.buckets
    cdef uint64_t low = <uint64_t>1 << (63 - clz64(added))
    cdef NameNode* node
    cdef NameNode** link
    cdef NameNode** out
    if added >> LEAF_BITS == map.segment_count and not segment_add(map):
        return
    if added - low + 2 * SPLITS_AHEAD < low:
        # The next splits and their names are known. (GCC drops calls of a function that does nothing but this.)
        prefetch_write(bucket_at(map, added - low + 2 * SPLITS_AHEAD)[0])
        node = bucket_at(map, added - low + SPLITS_AHEAD)[0]
        if node != NULL:
            prefetch_write(node.next)
    link = bucket_at(map, added - low)
    out = bucket_at(map, added)
    map.buckets += 1
    while link[0] != NULL:
        if bucket_of(map, link[0].hash) == added:
            out[0] = link[0]
            link[0] = out[0].next
            out = &out[0].next
        else:
            link = &link[0].next
    out[0] = NULL


cdef void bucket_join(NameMap* map) noexcept nogil:
    """Take the last bucket away; its names go to the end of its twin's chain."""
    cdef uint64_t last = map.buckets - 1
    cdef NameNode** link = bucket_at(map, last - (<uint64_t>1 << (63 - clz64(last))))
    while link[0] != NULL:
        link = &link[0].next
    link[0] = bucket_at(map, last)[0]
    bucket_at(map, last)[0] = NULL
    map.buckets = last
    if last & (LEAF_SLOTS - 1) == 0:
        map.segment_count -= 1
        slab_give(map.leaves, map.segments[map.segment_count])


cdef NameNode* name_find(NameMap* map, uint64_t hash, const uint8_t* name, uint32_t size) noexcept nogil:
    cdef NameNode* node
    if map.count == 0:
        return NULL
    node = bucket_at(map, bucket_of(map, hash))[0]
    while node != NULL:
        if node.hash == hash and node.size == size and memcmp(node.name, name, size) == 0:
            return node
        node = node.next
    return NULL


cdef int name_add(NameMap* map, NameNode* node) noexcept nogil:
    cdef NameNode** link
    if map.buckets == 0:
        if not segment_add(map):
            return NO_MEMORY
        map.buckets = LEAF_SLOTS
    if map.count >= map.buckets:
        bucket_split(map)
    link = bucket_at(map, bucket_of(map, node.hash))
    node.next, link[0] = link[0], node
    map.count += 1
    return OK


cdef void name_remove(NameMap* map, NameNode* node) noexcept nogil:
    cdef NameNode** link = bucket_at(map, bucket_of(map, node.hash))
    while link[0] != node:
        link = &link[0].next
    link[0] = node.next
    node.next = NULL
    map.count -= 1
    # Up to four: at a load of a quarter, one bucket a name would never catch up.
    for _ in range(4):
        if map.buckets > LEAF_SLOTS and map.count < map.buckets // 4:
            bucket_join(map)


cdef void name_close(NameMap* map) noexcept nogil:
    while map.segment_count:
        map.segment_count -= 1
        slab_give(map.leaves, map.segments[map.segment_count])
    raw_free(map.segments)
    map.segments, map.segment_cap, map.buckets, map.count = NULL, 0, 0, 0
