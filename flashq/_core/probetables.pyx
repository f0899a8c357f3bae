"""Handles by which tests and perf/micro reach the core's indexes: ids, names, ready jobs; see probe.

Here too a wrong handle crashes: nothing is checked.
"""
cimport cython
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from flashq._core.job cimport JOB_LIFO, Job
from flashq._core.namemap cimport (
    BUCKET_SLOTS, SEGMENT_BITS, SEGMENT_BUCKETS, NameBucket, NameMap, NameNode, name_absent, name_add,
    name_close, name_find, name_hash, name_remove,
)
from flashq._core.ready cimport Level, Ready, ready_close, ready_first, ready_push, ready_remove, ready_trim
from flashq._core.shardmap cimport (
    LEAF_BYTES, IdTable, id_close, id_get, id_next, id_previous, id_put, id_remove, id_replace,
)
from flashq._core.slab cimport Memory, Slab, memory_close, memory_init, slab_init
from flashq._core.status cimport OK
from libc.stdint cimport int32_t, uint32_t, uint64_t, uintptr_t


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
cdef class IdTableProbe:
    """One id table; values are numbers from 1."""
    cdef Memory memory
    cdef Slab leaves
    cdef IdTable table

    def __cinit__(self):
        memory_init(&self.memory)
        slab_init(&self.leaves, &self.memory, LEAF_BYTES)
        self.table.leaves = &self.leaves

    def __dealloc__(self):
        memory_close(&self.memory)

    def __len__(self):
        return <Py_ssize_t>self.table.count

    @property
    def pages(self):
        return self.table.pages

    @property
    def height(self):
        return self.table.height

    @property
    def objects(self):
        return self.memory.objects

    def put(self, uint64_t sequence, uintptr_t value):
        return id_put(&self.table, sequence, <void*>value)

    def get(self, uint64_t sequence):
        """The value, or 0."""
        return <uintptr_t>id_get(&self.table, sequence)

    def replace(self, uint64_t sequence, uintptr_t value):
        id_replace(&self.table, sequence, <void*>value)

    def remove(self, uint64_t sequence):
        id_remove(&self.table, sequence)

    def next(self, uint64_t start):
        """The nearest sequence from `start` upwards; 2^64 - 1 when there is none."""
        return id_next(&self.table, start)

    def previous(self, uint64_t start):
        """The nearest from `start` downwards."""
        return id_previous(&self.table, start)

    def close(self):
        id_close(&self.table)

    def bench_get(self, uint64_t loops, uint64_t base, uint32_t count, bint random):
        """Look up `loops` of the sequences base to base + count - 1, in order or at random."""
        cdef uint64_t seed = 88172645463325252ULL
        cdef uint64_t i, missing = 0
        for i in range(loops):
            seed = xorshift(seed)
            missing += id_get(&self.table, base + ((seed >> 32) if random else i) % count) == NULL
        if missing:
            raise KeyError(missing)


@cython.final
cdef class NameMapProbe:
    """One name map; each name is mapped to a number."""
    cdef Memory memory
    cdef Slab leaves
    cdef NameMap map
    cdef dict held              # name -> address of its node; keeps the bytes alive

    def __cinit__(self):
        self.held = {}
        memory_init(&self.memory)
        slab_init(&self.leaves, &self.memory, LEAF_BYTES)
        self.map.leaves = &self.leaves

    def __dealloc__(self):
        name_close(&self.map)
        memory_close(&self.memory)
        for address in self.held.values():
            PyMem_RawFree(<void*><uintptr_t>address)

    def __len__(self):
        return <Py_ssize_t>self.map.count

    @property
    def buckets(self):
        return self.map.buckets

    @property
    def objects(self):
        return self.memory.objects

    def add(self, bytes name, uint32_t value, hash=None):
        """Map a new name; `hash` stands in for its own when given."""
        cdef NameNode* node = <NameNode*>calloc_or_raise(1, sizeof(NameNode))
        node.name, node.size, node.kind = name, <uint32_t>len(name), value
        node.hash = name_hash(name, <size_t>len(name)) if hash is None else hash
        status = name_add(&self.map, node)
        if status == OK:
            self.held[name] = <uintptr_t>node
        else:
            PyMem_RawFree(node)
        return status

    def find(self, bytes name, hash=None):
        """The number a name is mapped to, or None."""
        cdef uint64_t value = name_hash(name, <size_t>len(name)) if hash is None else hash
        node = name_find(&self.map, value, name, <uint32_t>len(name))
        return None if node == NULL else node.kind

    def absent(self, bytes name, hash=None):
        """Whether no name has the hash of this one."""
        return bool(name_absent(&self.map, name_hash(name, <size_t>len(name)) if hash is None else hash))

    def remove(self, bytes name):
        node = <NameNode*><uintptr_t>self.held[name]
        name_remove(&self.map, node)
        del self.held[name]
        PyMem_RawFree(node)

    def fullest(self):
        """Names in the bucket that has most."""
        cdef NameBucket* bucket
        cdef NameNode* node
        most = 0
        for number in range(self.map.buckets):
            bucket = &self.map.segments[number >> SEGMENT_BITS][number & (SEGMENT_BUCKETS - 1)]
            size = bucket.used
            node = bucket.nodes[BUCKET_SLOTS - 1].next if bucket.chained else NULL
            while node != NULL:
                size, node = size + 1, node.next
            most = max(most, size)
        return most

    def close(self):
        name_close(&self.map)


cdef uint32_t level_depth(const Level* level) noexcept nogil:
    if level == NULL:
        return 0
    return 1 + max(level_depth(level.left), level_depth(level.right))


cdef uint32_t level_count(const Level* level) noexcept nogil:
    if level == NULL:
        return 0
    return 1 + level_count(level.left) + level_count(level.right)


@cython.final
cdef class ReadyProbe:
    """The ready jobs of one queue; jobs are named by their ids."""
    cdef Memory memory
    cdef Slab levels
    cdef Ready ready
    cdef dict jobs              # id -> address of its Job, owned
    cdef uint64_t now           # run_at of the last job that a benchmark put back
    cdef uint64_t seed          # of the benchmarks' priorities

    def __cinit__(self, uint64_t seed=1):
        self.now, self.seed = 1 << 40, 88172645463325252ULL
        self.jobs = {}
        memory_init(&self.memory)
        slab_init(&self.levels, &self.memory, sizeof(Level))
        self.ready.levels, self.ready.seed = &self.levels, seed

    def __dealloc__(self):
        ready_close(&self.ready)
        memory_close(&self.memory)
        for address in self.jobs.values():
            PyMem_RawFree(<void*><uintptr_t>address)

    def __len__(self):
        return <Py_ssize_t>self.ready.count

    @property
    def objects(self):
        return self.memory.objects

    @property
    def depth(self):
        return level_depth(self.ready.root)

    @property
    def levels_in_use(self):
        return level_count(self.ready.root)

    def push(self, uint64_t id, int32_t priority=0, uint64_t run_at=0, bint lifo=False):
        job = <Job*>calloc_or_raise(1, sizeof(Job))
        job.id, job.priority, job.run_at, job.flags = id, priority, run_at, JOB_LIFO if lifo else 0
        status = ready_push(&self.ready, job)
        if status == OK:
            self.jobs[id] = <uintptr_t>job
        else:
            PyMem_RawFree(job)
        return status

    def first(self):
        """The id of the next job, or None."""
        job = ready_first(&self.ready)
        return None if job == NULL else job.id

    def where(self, uint64_t id):
        return (<Job*><uintptr_t>self.jobs[id]).where

    def remove(self, uint64_t id):
        """Take a job out; returns its `where` afterwards."""
        job = <Job*><uintptr_t>self.jobs.pop(id)
        ready_remove(&self.ready, job)
        where = job.where
        PyMem_RawFree(job)
        return where

    def trim(self):
        ready_trim(&self.ready)

    def close(self):
        ready_close(&self.ready)

    def bench_pop_push(self, uint64_t loops):
        """Take the next job out and put it back at the end, `loops` times."""
        self.bench_levels(loops, 1)

    def bench_levels(self, uint64_t loops, uint32_t levels):
        """The same, each job going to the end of another of `levels` priorities."""
        cdef Job* job
        for _ in range(loops):
            job = ready_first(&self.ready)
            ready_remove(&self.ready, job)
            self.seed = xorshift(self.seed)
            self.now += 1
            job.priority = <int32_t>((self.seed >> 33) % levels)
            job.run_at = self.now
            ready_push(&self.ready, job)
