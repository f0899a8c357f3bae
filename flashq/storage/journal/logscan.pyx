"""Walking over the groups of a segment in memory: checks them, and moves their frames together."""
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from flashq._core.recordfields cimport FRAME_HEAD, Frame, frame_fits, frame_head
from flashq.storage.journal.crc32c cimport crc32c, crc32c_by_table
from flashq.storage.journal.logformat cimport END_MAGIC, GROUP_HEAD, GROUP_MAGIC, GroupHead, head_crc, head_is
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, memmove

# Why a walk stopped. What stands before it is good in each case.
cdef enum:
    MORE_ = 0                   # the bytes end before the next group does: it needs `needed` from where it begins
    LIMIT_ = 1                  # as many groups as were asked for
    END_ = 2                    # the segment was ended for good
    NOTHING_ = 3                # here is no group of this segment
    TORN_ = 4                   # here is one, not whole
    BROKEN_ = 5                 # here is a whole one that cannot be right

MORE, LIMIT, END, NOTHING, TORN, BROKEN = MORE_, LIMIT_, END_, NOTHING_, TORN_, BROKEN_


cdef class Walk:
    """Where a walk over one segment is, and what it has seen.

    `position` is that of the last record so far, None until the first group tells. Frames up to `after` are checked
    but not given out. `reason` says why it stopped at a group that is not good.
    """

    cdef readonly uint64_t number
    cdef readonly uint32_t salt
    cdef public uint64_t after
    cdef uint64_t last
    cdef bint begun
    cdef readonly uint64_t stated       # highest position that a group states as durable
    cdef readonly uint64_t groups
    cdef readonly uint64_t frames       # counted from the beginning of the walk, those up to `after` too
    cdef readonly uint64_t given        # frames given out
    cdef readonly uint64_t needed       # bytes, after MORE
    cdef readonly uint64_t torn         # bytes of the group that is not whole, after TORN
    cdef readonly object reason

    def __init__(self, uint64_t number, uint32_t salt, position=None, uint64_t after=0):
        self.number = number
        self.salt = salt
        self.after = after
        self.begun = position is not None
        self.last = position or 0

    @property
    def position(self):
        return self.last if self.begun else None

    def run(self, buffer, size_t size, size_t room, uint64_t limit=0):
        """Walk over the groups in buffer[:size]; (bytes walked over, bytes of frames, why it stopped).

        The frames stand at the beginning of the buffer then, one after another. `room` is how far the segment goes,
        counted as `size` is; `limit` groups at most, 0: any number.
        """
        cdef Py_buffer view
        cdef size_t at = 0, out = 0
        cdef int stop
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if size > <size_t>view.len:
                raise ValueError("size is beyond the buffer")
            with nogil:
                stop = self.walk(<uint8_t*>view.buf, size, room, limit, &at, &out)
        finally:
            PyBuffer_Release(&view)
        return at, out, stop

    cdef int walk(self, uint8_t* data, size_t size, size_t room, uint64_t limit, size_t* at,
                  size_t* out) noexcept nogil:
        cdef GroupHead head
        cdef size_t payload, skipped
        cdef uint64_t until = self.groups + limit
        cdef int stop
        while True:
            stop = self.look(data + at[0], size - at[0], room - at[0], &head)
            if stop != LIMIT_:
                return stop
            payload = head.size
            if not self.frames_fit(data + at[0] + GROUP_HEAD, payload, &head, &skipped):
                return BROKEN_
            memmove(data + out[0], data + at[0] + GROUP_HEAD + skipped, payload - skipped)
            out[0] += payload - skipped
            at[0] += GROUP_HEAD + payload
            self.last = head.last
            self.begun = True
            self.stated = max(self.stated, head.durable)
            self.groups += 1
            if head.magic == <uint32_t>END_MAGIC:
                return END_
            if self.groups == until:
                return LIMIT_

    cdef int look(self, const uint8_t* data, size_t size, size_t room, GroupHead* head) noexcept nogil:
        """LIMIT_ when a good group stands here, whose frames are still to be looked at; else why the walk ends."""
        if room < GROUP_HEAD:
            return NOTHING_
        if size < GROUP_HEAD:
            self.needed = GROUP_HEAD
            return MORE_
        memcpy(head, data, GROUP_HEAD)
        if not head_is(head, self.number, self.salt):
            if head.number != self.number or (head.magic != <uint32_t>GROUP_MAGIC
                                              and head.magic != <uint32_t>END_MAGIC):
                return NOTHING_
            self.torn = GROUP_HEAD
            return self.stop(TORN_, b"the checksum of a group's header does not match")
        if GROUP_HEAD + <size_t>head.size > room:
            return self.stop(BROKEN_, b"a group reaches beyond the end of the segment")
        if size < GROUP_HEAD + <size_t>head.size:
            self.needed = GROUP_HEAD + <uint64_t>head.size
            return MORE_
        if crc32c(self.salt, data + GROUP_HEAD, head.size) != head.payload_crc:
            self.torn = GROUP_HEAD + <uint64_t>head.size
            return self.stop(TORN_, b"the checksum of a group does not match")
        if self.begun and head.base != self.last:
            return self.stop(BROKEN_, b"a group does not follow the one before it")
        return LIMIT_

    cdef int stop(self, int why, const char* reason) noexcept with gil:
        self.reason = reason.decode("ascii")
        return why

    cdef bint frames_fit(self, const uint8_t* data, size_t size, const GroupHead* head, size_t* skipped) noexcept nogil:
        """Whether frames fill the group with rising positions, up to that of its header. Counts them."""
        cdef size_t at = 0
        cdef uint64_t position = head.base
        cdef uint64_t seen = 0, passed = 0
        cdef Frame frame
        skipped[0] = 0
        while at < size:
            if size - at < FRAME_HEAD:
                return self.stop(False, b"a frame's header is cut off")
            frame = frame_head(data + at)
            if not frame_fits(&frame, size - at):
                return self.stop(False, b"a frame does not fit into its group")
            if frame.position <= position or frame.position > head.last:
                return self.stop(False, b"the position of a frame is not between those of its neighbours")
            position = frame.position
            at += frame.size
            seen += 1
            if position <= self.after:
                skipped[0], passed = at, seen
        if position != head.last:
            return self.stop(False, b"the frames of a group do not reach its last position")
        self.frames += seen
        self.given += seen - passed
        return True


def find_heads(const uint8_t[::1] data, uint64_t number, uint32_t salt):
    """What heads of groups state that stand anywhere in the bytes: (how many, highest durable position, end of the
    last group). Only those of this segment count."""
    cdef GroupHead head
    cdef size_t size = <size_t>data.shape[0]
    cdef uint64_t found = 0, durable = 0, end = 0
    cdef const uint8_t* start = &data[0] if size >= GROUP_HEAD else NULL
    cdef const uint8_t* at = start
    with nogil:
        while at != NULL:
            at = <const uint8_t*>memchr(at, b'F', size - GROUP_HEAD + 1 - <size_t>(at - start))     # all begin with it
            if at == NULL:
                break
            memcpy(&head, at, GROUP_HEAD)
            if head_is(&head, number, salt):
                found += 1
                durable = max(durable, head.durable)
                end = max(end, <uint64_t>(at - start) + GROUP_HEAD + head.size)
            at += 1
    return found, durable, end


def checksum(data, uint32_t before=0, bint table=False):
    """CRC-32C of any buffer; `table` takes the way of processors that have no instruction for it."""
    cdef Py_buffer view
    cdef uint32_t result
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    with nogil:
        if table:
            result = crc32c_by_table(before, <const uint8_t*>view.buf, <size_t>view.len)
        else:
            result = crc32c(before, view.buf, <size_t>view.len)
    PyBuffer_Release(&view)
    return result


def group_head(int magic, uint32_t size, uint64_t number, uint64_t base, uint64_t last, uint64_t durable,
               uint32_t payload_crc, uint32_t salt):
    """The header of a group as it stands on disk."""
    cdef GroupHead head = GroupHead(<uint32_t>magic, size, number, base, last, durable, payload_crc, 0)
    head.head_crc = head_crc(&head, salt)
    return (<const char*>&head)[:GROUP_HEAD]
