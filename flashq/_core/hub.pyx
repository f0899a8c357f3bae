"""What the connections of a server share: the engine, its clock, the loop's one timer, and the end of each event."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.clock cimport clock_mono_ms, clock_wall_ms
from flashq._core.engine cimport engine_tick
from flashq._core.heaptrim cimport heap_trim
from flashq._core.state cimport NEVER, Core
from flashq._core.timers cimport memory_watch, timers_run

# Seconds after which a crowd that left is taken to have left.
CROWD_SECONDS = 1.0

cdef enum:
    CROWD = 500                 # connections
    DUE_BUDGET = 500            # jobs of due work between two looks at the sockets: well under a millisecond


def _trim():
    heap_trim()


cdef class Endpoint:
    """A client connection as the hub sees it."""

    cdef int flush(self) except -1:
        """Hand what may leave to the transport, in one write."""
        return 0

    def abort(self, reason):
        """Drop the connection at once, saying why in the log."""

    def close_if_idle(self):
        """Close unless something is still on its way."""


cdef class Hub:
    """What the connections of a server share: the engine, the cold tier, limits, and the loop's one timer.

    `dispatch(connection, msgpack, frame) -> bytes` answers a cold command; `refuse(msgpack, status, req_id, field,
    number, text) -> bytes` words an error; `store`, if given, gets `append(records, position)` after each event and
    calls `committed(position)` when they are durable. `log(event, **fields)`. `clock() -> (wall ms, monotonic ms)`
    stands in for the machine's clocks.
    """

    def __init__(self, Engine engine, dispatch, refuse, loop, *, size_t max_frame, uint32_t max_connections,
                 size_t write_high_water, size_t write_limit, uint64_t write_timeout_ms, bint auth_required,
                 store=None, log, clock=None):
        self.engine = engine
        self.dispatch = dispatch
        self.refuse = refuse
        self.loop = loop
        self.log = log
        self.store = store
        self.clock = clock
        self.max_frame = max_frame
        self.max_connections = max_connections
        self.write_high_water = write_high_water
        self.write_limit = write_limit
        self.write_timeout = write_timeout_ms / 1000.0
        self.auth_required = auth_required
        self.open_connections = set()
        self.armed_for = <uint64_t>NEVER
        engine.recording = store is not None
        self.tick()

    @property
    def connections(self):
        """How many are open."""
        return len(self.open_connections)

    cdef int tick(self) except -1:
        if self.clock is None:
            engine_tick(&self.engine.core, clock_wall_ms(), clock_mono_ms())
        else:
            wall_ms, mono_ms = self.clock()
            self.engine.tick(wall_ms, mono_ms)
        return 0

    cdef int after(self) except -1:
        """Ends each event: records to the store, replies to the transports, the timer to the next deadline."""
        cdef Core* core = &self.engine.core
        while core.dirty != NULL or core.records.size or core.records.failed:
            # Also what a flush sets off: requests behind a pull just answered. Raises once a record was lost.
            if core.records.size or core.records.failed:
                self.store.append(self.engine.take_records(), core.position)
            if core.dirty != NULL:
                (<Endpoint>core.dirty.connection).flush()
        memory_watch(core)
        if core.next_deadline < self.armed_for:
            self.arm()
        return 0

    cdef int arm(self) except -1:
        cdef Core* core = &self.engine.core
        if self.timer is not None:
            self.timer.cancel()
        self.armed_for = core.next_deadline
        wait = 0.0 if core.next_deadline <= core.mono else (core.next_deadline - core.mono) / 1000.0
        self.timer = self.loop.call_later(wait, self._on_timer)
        return 0

    def _on_timer(self):
        cdef Core* core = &self.engine.core
        self.timer = None
        self.armed_for = <uint64_t>NEVER
        try:
            self.tick()
            timers_run(core, DUE_BUDGET)    # what is left is due at once: `after` arms for it, behind the sockets
            self.after()
        except Exception as error:
            self.log("timer_failed", error=repr(error))
            self.loop.call_later(1.0, self._on_timer)

    def committed(self, uint64_t position):
        """The store's log is durable up to `position`."""
        self.tick()
        self.engine.commit(position)
        self.after()

    cdef int connection_gone(self, Endpoint connection) except -1:
        """Forget it; after a crowd has left, what its buffers held goes back to the system."""
        self.open_connections.discard(connection)
        self.gone += 1
        if self.gone >= CROWD and self.gone > <uint32_t>len(self.open_connections):
            self.gone = 0
            self.loop.call_later(CROWD_SECONDS, _trim)
        return 0

    def begin_drain(self):
        """Answer parked pulls empty, and every later pull that finds nothing at once."""
        self.draining = True
        self.tick()
        self.engine.close_pulls()
        self.after()

    def close_idle(self):
        """Close the connections that have nothing left to send; how many are still open."""
        for connection in list(self.open_connections):
            connection.close_if_idle()
        return len(self.open_connections)

    def close_all(self):
        """Close every connection now."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        for connection in list(self.open_connections):
            connection.abort("shutdown")
