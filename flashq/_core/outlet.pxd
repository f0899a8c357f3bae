"""The sending half of one client's Protocol."""
from flashq._core.hub cimport Endpoint, Hub
from flashq._core.request cimport Request
from flashq._core.state cimport Peer
from libc.stdint cimport uint64_t

cdef class Outlet(Endpoint):
    cdef Hub hub
    cdef Peer peer              # its `connection` points back here until connection_lost
    cdef object transport
    cdef object write           # its bound methods: looked up once, called once a read
    cdef object is_closing
    cdef int fd                 # borrowed from the transport: valid while it is not closing; -1 over TLS
    cdef bint lagging           # the transport may still hold bytes: what follows must go behind them
    cdef object write_timer
    cdef bint parked            # a request of the cold tier without reqId waits for its reply
    cdef bint writing_paused    # the transport's buffer is full
    cdef bint closed
    cdef readonly uint64_t number       # of its hub's connections, from 1
    cdef readonly uint64_t made_at      # wall ms
    cdef int refuse(self, int status, const Request* request) except -1
    cdef int reply_partly(self, const Request* request) except -1
    cdef int put(self, bytes reply) except -1
    cdef int send(self, size_t size) except -1
    cdef int finish(self) except -1
