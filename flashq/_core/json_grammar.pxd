"""The grammar of JSON (RFC 8259): where a value ends, and whether it is one. Used by json_codec only."""
from flashq._core.request cimport SLICE_HAS_NEWLINES
from libc.stdint cimport uint8_t, uint32_t

cdef struct Reader:             # every function takes a position and returns the next one, or NULL after a failure
    const uint8_t* end
    const uint8_t* where        # of the failure
    int status                  # BAD_SYNTAX, BAD_UTF8, TOO_DEEP
    uint32_t flags              # SLICE_HAS_NEWLINES once CR or LF stood between tokens; the caller clears it

cdef const uint8_t* reader_fail(Reader* r, const uint8_t* p, int status) noexcept nogil       # NULL
cdef const uint8_t* space_run(Reader* r, const uint8_t* p) noexcept nogil
cdef const uint8_t* text_rest(Reader* r, const uint8_t* p) noexcept nogil        # from inside a string past its quote
cdef const uint8_t* word_skip(Reader* r, const uint8_t* p) noexcept nogil        # true, false, null
cdef const uint8_t* value_skip(Reader* r, const uint8_t* p, int depth) noexcept nogil   # inside `depth` containers
# Resolves the escapes of a valid string body into `out` (never longer); the end of what was written.
cdef uint8_t* text_unescape(const uint8_t* p, const uint8_t* end, uint8_t* out) noexcept nogil

cdef inline const uint8_t* space_skip(Reader* r, const uint8_t* p) noexcept nogil:
    """The next byte that is no white space, or r.end."""
    return p if p < r.end and p[0] > 32 else space_run(r, p)
