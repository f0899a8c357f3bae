"""Hints for the processor: what the next requests of a pipelining client are about to touch.

A job among ten million lies in memory that no cache holds: finding it is one miss for the slot of its id and one for
the job, taking it out some more, and each costs as much as reading the request. One after the other they made CANCEL
3.7 times as expensive as at ten thousand jobs; asked for together, all ids of a read at a time, they overlap: 2.1
times, of a smaller cost (perf/growth.py; single commands, 32 in flight).
"""
from flashq._core.job cimport IN_FIFO, IN_LIFO, Job
from flashq._core.msgpack_tokens cimport SHAPE_UINT, Token, token_read
from flashq._core.namemap cimport name_expect, name_hash
from flashq._core.prefetch cimport CACHE_LINE, prefetch_write
from flashq._core.relations cimport scoped_hash
from flashq._core.request cimport BIT_HASHED, MSGPACK, has
from flashq._core.shardmap cimport SHARD_BITS, SHARDS, id_expect
from flashq._core.slab cimport slab_expect
from flashq._core.state cimport COMPLETED
from libc.string cimport memchr

cdef enum:
    FRAMES = 32                 # looked at together: their lines fit into the first cache
    LONGEST = 4096              # bytes of a frame that is looked at: those with an id and little else are short
    FRAME_HEAD = 4              # bytes before a MessagePack frame
    DIGITS = 19                 # of the largest id


cdef inline uint64_t digits_read(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef uint64_t number = 0
    if end - p > DIGITS:
        end = p + DIGITS
    while p < end and c'0' <= p[0] <= c'9':
        number = 10 * number + (p[0] - c'0')
        p += 1
    return number


cdef inline uint64_t uint_read(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef Token token
    if token_read(p, end, &token) == NULL or token.shape != SHAPE_UINT:
        return 0
    return token.number


cdef inline size_t frame_end(Format format, const uint8_t* data, size_t at, size_t size) noexcept nogil:
    """Where the frame that starts at `at` ends, its line end included; 0 when it is not whole, or long."""
    cdef const uint8_t* line_end
    cdef size_t end
    if size - at > LONGEST:
        size = at + LONGEST
    if format != MSGPACK:
        line_end = <const uint8_t*>memchr(data + at, c'\n', size - at)
        return 0 if line_end == NULL else <size_t>(line_end - data) + 1
    if size - at < FRAME_HEAD:
        return 0
    end = at + FRAME_HEAD + (<size_t>data[at] << 24 | <size_t>data[at + 1] << 16 | <size_t>data[at + 2] << 8
                             | data[at + 3])
    return end if end <= size else 0


cdef inline void removal_expect(const Job* job) noexcept nogil:
    slab_expect(job)
    if job.data != NULL:
        slab_expect(job.data)
    if job.where == IN_FIFO or job.where == IN_LIFO:
        if job.place.links.prev != NULL:
            prefetch_write(&job.place.links.prev.place)
        if job.place.links.next != NULL:
            prefetch_write(&job.place.links.next.place)


cdef size_t ids_ahead(Core* core, Format format, const uint8_t* data, size_t at, size_t size,
                      size_t offset) noexcept nogil:
    cdef uint64_t[FRAMES] ids
    cdef void** slots[FRAMES]
    cdef uint32_t count = 0
    cdef uint32_t found = 0
    cdef uint32_t i
    cdef size_t end
    cdef Job* job
    if format == MSGPACK:
        offset += FRAME_HEAD
    while count < FRAMES and at < size:
        end = frame_end(format, data, at, size)
        if end <= at + offset:
            break
        if format == MSGPACK:
            ids[count] = uint_read(data + at + offset, data + end)
        else:
            ids[count] = digits_read(data + at + offset, data + end)
        count += 1
        at = end
    if count < 2:
        return at                           # alone: its turn is now
    # A loop a step, each short enough that the processor has many of its turns in flight: a step needs what the one
    # before asked for.
    for i in range(count):
        slots[found] = id_expect(&core.shards[ids[i] & (SHARDS - 1)].ids, ids[i] >> SHARD_BITS)
        if slots[found] != NULL:
            found += 1
    for i in range(found):
        job = <Job*>slots[i][0]
        prefetch_write(job)
        prefetch_write(<uint8_t*>job + CACHE_LINE)
    for i in range(found):
        job = <Job*>slots[i][0]
        if job != NULL and job != COMPLETED():
            removal_expect(job)
    return at


cdef void names_ahead(Core* core, const Queue* queue, PushItem* items, uint32_t count) noexcept nogil:
    # Beside a million jobs with such names, one name after the other cost 250 ns of waiting for memory each.
    cdef PushItem* item
    cdef uint32_t i
    for i in range(count):
        item = &items[i]
        if has(item, BIT_JOB_ID):
            item.job_id_hash = name_hash(item.job_id.ptr, item.job_id.size)
            name_expect(&core.shards[item.job_id_hash & (SHARDS - 1)].customs, item.job_id_hash)
        if has(item, BIT_UNIQUE_KEY):
            item.unique_hash = scoped_hash(queue, &item.unique_key)
            name_expect(&core.shards[item.unique_hash & (SHARDS - 1)].uniques, item.unique_hash)
        if item.seen & named_bits():
            item.seen |= <uint64_t>1 << BIT_HASHED      # not of others: they may count as plain
