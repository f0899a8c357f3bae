"""Id table of a shard: a lookup costs a step or two, growth goes page by page."""
from flashq._core.prefetch cimport prefetch_write
from flashq._core.slab cimport slab_give, slab_take
from flashq._core.status cimport NO_MEMORY, OK
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.string cimport memset

cdef enum:
    MAX_HEIGHT = 6              # covers 63 bits of sequence, far over the 48 that ids have


# A tree of 512-way levels over leaves, no higher than its largest sequence needs

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
