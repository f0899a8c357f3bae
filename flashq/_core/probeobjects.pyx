"""How many Python objects are made, transient ones too: wraps the interpreter's allocators. For tests only."""
from libc.stdint cimport uint64_t

cdef extern from "Python.h":
    ctypedef enum PyMemAllocatorDomain:
        PYMEM_DOMAIN_MEM
        PYMEM_DOMAIN_OBJ

    ctypedef struct PyMemAllocatorEx:
        void* ctx
        void* (*malloc)(void* ctx, size_t size) noexcept nogil
        void* (*calloc)(void* ctx, size_t count, size_t size) noexcept nogil
        void* (*realloc)(void* ctx, void* block, size_t size) noexcept nogil
        void (*free)(void* ctx, void* block) noexcept nogil

    void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator)
    void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx* allocator)

cdef PyMemAllocatorEx[2] originals      # of MEM and OBJ, while counting; they outlive every call through the wrappers
cdef uint64_t requests


cdef void* counted_malloc(void* ctx, size_t size) noexcept nogil:
    global requests
    cdef PyMemAllocatorEx* original = <PyMemAllocatorEx*>ctx
    requests += 1
    return original.malloc(original.ctx, size)


cdef void* counted_calloc(void* ctx, size_t count, size_t size) noexcept nogil:
    global requests
    cdef PyMemAllocatorEx* original = <PyMemAllocatorEx*>ctx
    requests += 1
    return original.calloc(original.ctx, count, size)


cdef void* counted_realloc(void* ctx, void* block, size_t size) noexcept nogil:
    global requests
    cdef PyMemAllocatorEx* original = <PyMemAllocatorEx*>ctx
    requests += 1
    return original.realloc(original.ctx, block, size)


cdef void counted_free(void* ctx, void* block) noexcept nogil:
    cdef PyMemAllocatorEx* original = <PyMemAllocatorEx*>ctx
    original.free(original.ctx, block)


cdef void wrap(PyMemAllocatorDomain domain, PyMemAllocatorEx* original) noexcept:
    cdef PyMemAllocatorEx wrapper
    PyMem_GetAllocator(domain, original)
    wrapper.ctx = original
    wrapper.malloc = counted_malloc
    wrapper.calloc = counted_calloc
    wrapper.realloc = counted_realloc
    wrapper.free = counted_free
    PyMem_SetAllocator(domain, &wrapper)


def count_allocations(work, argument):
    """How often the interpreter asked for memory during `work(argument)`; not reentrant.

    Objects from the interpreter's own free lists (tuples, floats, frames) ask for none and are not seen.
    """
    global requests
    wrap(PYMEM_DOMAIN_MEM, &originals[0])
    wrap(PYMEM_DOMAIN_OBJ, &originals[1])
    requests = 0
    try:
        work(argument)
        return requests
    finally:
        PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &originals[1])
        PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &originals[0])
