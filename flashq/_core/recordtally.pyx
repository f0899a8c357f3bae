"""How many records of each kind there are: walks over them without making anything of them."""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from flashq._core.recordfields cimport FRAME_HEAD, Cursor, Frame, get8, get16, get32, has_bytes
from flashq._core.records cimport DONE_NUMBERED, RECORD_DONE, RECORD_JOB, RECORD_TAKEN
from flashq._core.replay cimport frame_open

from flashq._core.recordforms import FORMS, JOB_OPTIONS
from flashq._core.replay import DamagedRecord

cdef enum:
    KINDS = 64
    OPTIONS = 16                # bits of the mask of JOB

cdef uint16_t NUMBERS[KINDS]    # bytes of the numbers that a kind begins with; 0 and no text: there is no such kind
cdef uint8_t TEXTS[KINDS]       # texts behind them
cdef uint8_t SIZES[OPTIONS]     # bytes of an option of JOB; 0: a text

for _kind, (_name, _layout, _names, _texts) in FORMS.items():
    NUMBERS[_kind], TEXTS[_kind] = <uint16_t>_layout.size, <uint8_t>len(_texts)
for _bit, (_name, _layout) in enumerate(JOB_OPTIONS):
    SIZES[_bit] = 0 if _layout is None else <uint8_t>_layout.size


cdef inline void pass_bytes(Cursor* c, size_t size) noexcept nogil:
    if has_bytes(c, size):
        c.at += size


cdef void pass_job(Cursor* c, uint16_t mask) noexcept nogil:
    cdef int bit
    pass_bytes(c, get16(c))     # name of the queue
    pass_bytes(c, get32(c))     # data
    for bit in range(OPTIONS):
        if mask >> bit & 1:
            pass_bytes(c, SIZES[bit] if SIZES[bit] else get32(c))


cdef int pass_record(Cursor* c) noexcept nogil:
    """Its kind; 0 when there is no such kind. A record that does not fit makes the cursor short."""
    cdef uint8_t kind = get8(c)
    cdef const uint8_t* numbers = c.at
    cdef uint16_t mask
    cdef int _
    if kind >= KINDS or NUMBERS[kind] == 0 and TEXTS[kind] == 0:
        return 0
    pass_bytes(c, NUMBERS[kind])
    if c.short:
        return kind
    for _ in range(TEXTS[kind]):
        pass_bytes(c, get32(c))
    if kind == RECORD_JOB:
        memcpy(&mask, numbers + NUMBERS[kind] - 2, 2)
        pass_job(c, mask)
    elif kind == RECORD_TAKEN:
        pass_bytes(c, get16(c))     # session
    elif kind == RECORD_DONE and numbers[NUMBERS[kind] - 1] & DONE_NUMBERED:
        pass_bytes(c, 8)
    return kind


cdef class RecordTally:
    """Counts the records of frames, all of which must have their form."""
    cdef uint64_t found[KINDS]

    def add(self, frames):
        """Count those of whole frames. Raises DamagedRecord where they have no form that is known."""
        cdef Py_buffer view
        PyObject_GetBuffer(frames, &view, PyBUF_SIMPLE)
        try:
            self.frames(<const uint8_t*>view.buf, <size_t>view.len)
        finally:
            PyBuffer_Release(&view)

    cdef int frames(self, const uint8_t* data, size_t size) except -1:
        cdef size_t at = 0
        cdef Frame frame
        cdef Cursor c
        cdef const uint8_t* record
        cdef int kind
        while at < size:
            frame_open(data, size, at, &frame)
            c = Cursor(data + at + FRAME_HEAD, data + at + frame.size, False)
            while c.at < c.end:
                record = c.at
                kind = pass_record(&c)
                if kind == 0 or c.short:
                    reason = "the record is cut off" if kind else "the record is of no known kind"
                    raise DamagedRecord(<size_t>(record - data), reason)
                self.found[kind] += 1
            at += frame.size
        return 0

    @property
    def counts(self):
        """{kind by name: how many}, of those that there are."""
        return {FORMS[kind][0]: self.found[kind] for kind in FORMS if self.found[kind]}
