"""Handles by which tests and perf/micro reach the core's structures; the server never imports it.

Things are named by small numbers or addresses, statuses come back as numbers, and nothing is checked: a wrong handle
crashes. The bench_ methods run their loops in C and return nothing; the caller holds the clock.
"""
cimport cython
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from flashq._core.buffer cimport WriteBuffer, buffer_close, buffer_consume, buffer_put, buffer_shrink
from flashq._core.heap cimport Heap, HeapNode, heap_close, heap_first, heap_move, heap_push, heap_remove, heap_reserve
from flashq._core.rawmem cimport faults_arm, faults_requests, raw_blocks
from flashq._core.slab cimport (
    Blobs, Memory, Slab, blob_cost, blob_give, blob_take, blobs_init, memory_close, memory_decay, memory_init,
    memory_trim, memory_window, slab_give,
    slab_init, slab_take,
)
from flashq._core.slabmode cimport SLABS_BY_MALLOC
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memset

MALLOC_SLABS = bool(SLABS_BY_MALLOC)


def fail_allocations(uint64_t first, uint64_t count=1):
    """Let `count` requests to the system fail, from number `first` (1 is the next) on; count 0 ends that."""
    faults_arm(first, count)


def allocation_requests():
    """How many requests the core made since the last fail_allocations."""
    return faults_requests()


def blocks_held():
    """How many pieces of malloc the core holds now."""
    return raw_blocks()


cdef inline uint64_t xorshift(uint64_t seed) noexcept nogil:
    seed ^= seed << 13
    seed ^= seed >> 7
    return seed ^ (seed << 17)


cdef void* calloc_or_raise(size_t count, size_t size) except NULL:
    cdef void* block = PyMem_RawCalloc(count, size)
    if block == NULL:
        raise MemoryError
    return block


@cython.final
cdef class MemoryProbe:
    """One Memory with a slab and blobs in it."""
    cdef Memory memory
    cdef Slab slab
    cdef Blobs blobs

    def __cinit__(self, uint32_t size=128):
        self.open(size)

    def __dealloc__(self):
        memory_close(&self.memory)

    cdef void open(self, uint32_t size) noexcept:
        memory_init(&self.memory)
        slab_init(&self.slab, &self.memory, size)
        blobs_init(&self.blobs, &self.memory)

    @property
    def used(self):
        return self.memory.used

    @property
    def mapped(self):
        return self.memory.mapped

    @property
    def objects(self):
        return self.memory.objects

    def take(self):
        """The address of a new object, or 0."""
        return <uintptr_t>slab_take(&self.slab)

    def give(self, uintptr_t thing):
        slab_give(&self.slab, <void*>thing)

    def take_blob(self, uint32_t size):
        """The address of a new blob, or 0."""
        return <uintptr_t>blob_take(&self.blobs, size)

    def give_blob(self, uintptr_t blob, uint32_t size):
        blob_give(&self.blobs, <uint8_t*>blob, size)

    def fill(self, uintptr_t start, uint32_t size, uint8_t value):
        memset(<void*>start, value, size)

    def read(self, uintptr_t start, uint32_t size):
        return (<const char*>start)[:size]

    def trim(self):
        memory_trim(&self.memory)

    def window(self):
        memory_window(&self.memory)

    def decay(self, uint32_t budget):
        memory_decay(&self.memory, budget)

    def close(self):
        memory_close(&self.memory)
        self.open(self.slab.size)

    def take_many(self, uint32_t count):
        """The addresses of `count` new objects."""
        return [<uintptr_t>slab_take(&self.slab) for _ in range(count)]

    def bench_replace(self, uint64_t loops, list things):
        """Give a random one of `things` back and take another, `loops` times; `things` then holds what is live."""
        cdef uint32_t count = <uint32_t>len(things)
        cdef void** held = <void**>calloc_or_raise(count, sizeof(void*))
        cdef uint64_t seed = 88172645463325252ULL
        cdef uint32_t i
        for i in range(count):
            held[i] = <void*><uintptr_t>things[i]
        for _ in range(loops):
            seed = xorshift(seed)
            i = <uint32_t>(seed >> 32) % count
            slab_give(&self.slab, held[i])
            held[i] = slab_take(&self.slab)
        things[:] = [<uintptr_t>held[i] for i in range(count)]
        PyMem_RawFree(held)

    def bench_fill_drain(self, uint64_t loops, uint32_t count):
        """Take up to `count` objects, write to each, give them back in order; until `loops` were taken."""
        cdef void** held = <void**>calloc_or_raise(count, sizeof(void*))
        cdef uint32_t i, part
        while loops:
            part = <uint32_t>min(loops, <uint64_t>count)
            loops -= part
            for i in range(part):
                held[i] = slab_take(&self.slab)
                (<uint64_t*>held[i])[0] = i
            for i in range(part):
                slab_give(&self.slab, held[i])
        PyMem_RawFree(held)


def blob_bytes(uint32_t size):
    """What a blob of this size counts for."""
    return blob_cost(size)


@cython.final
cdef class HeapProbe:
    """One heap and `count` nodes, named 0 to count - 1."""
    cdef Heap heap
    cdef HeapNode* nodes        # owned
    cdef uint32_t count

    def __cinit__(self, uint32_t count):
        self.nodes = <HeapNode*>calloc_or_raise(count + 1, sizeof(HeapNode))
        self.count = count

    def __dealloc__(self):
        heap_close(&self.heap)
        PyMem_RawFree(self.nodes)

    def __len__(self):
        return self.heap.size

    @property
    def cap(self):
        return self.heap.cap

    def push(self, uint32_t node, uint64_t key, uint64_t tie):
        return heap_push(&self.heap, key, tie, &self.nodes[node])

    def reserve(self, uint32_t more):
        return heap_reserve(&self.heap, more)

    def remove(self, uint32_t node):
        heap_remove(&self.heap, &self.nodes[node])

    def move(self, uint32_t node, uint64_t key, uint64_t tie):
        heap_move(&self.heap, &self.nodes[node], key, tie)

    def first(self):
        """(key, tie, node) of the smallest, or None."""
        if self.heap.size == 0:
            return None
        entry = heap_first(&self.heap)
        return entry.key, entry.tie, <uint32_t>(entry.node - self.nodes)

    def close(self):
        heap_close(&self.heap)

    def positions_hold(self):
        """Whether each node in the heap knows its place, and no other one has any."""
        cdef uint32_t i, placed = 0
        for i in range(self.count):
            placed += self.nodes[i].pos != 0
        for i in range(1, self.heap.size + 1):
            if self.heap.items[i].node.pos != i:
                return False
        return placed == self.heap.size

    def bench_pop_push(self, uint64_t loops):
        """Pop the smallest and push it again with a later random key."""
        cdef uint64_t seed = 88172645463325252ULL
        cdef HeapNode* node
        cdef uint64_t key
        for _ in range(loops):
            seed = xorshift(seed)
            node = heap_first(&self.heap).node
            key = heap_first(&self.heap).key + (seed >> 40)
            heap_remove(&self.heap, node)
            heap_push(&self.heap, key, seed, node)


@cython.final
cdef class BufferProbe:
    """One write buffer."""
    cdef WriteBuffer buffer

    def __dealloc__(self):
        buffer_close(&self.buffer)

    def __len__(self):
        return <Py_ssize_t>self.buffer.size

    def __bytes__(self):
        return (<const char*>self.buffer.data)[:<Py_ssize_t>self.buffer.size]

    @property
    def cap(self):
        return self.buffer.cap

    @property
    def failed(self):
        return bool(self.buffer.failed)

    def put(self, bytes data):
        buffer_put(&self.buffer, <const char*>data, <size_t>len(data))

    def consume(self, size_t size):
        buffer_consume(&self.buffer, size)

    def shrink(self, size_t keep):
        buffer_shrink(&self.buffer, keep)

    def close(self):
        buffer_close(&self.buffer)
