"""What the connections of a server share: the engine, its clock, the loop's one timer, and the end of each event."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.clock cimport clock_mono_ms, clock_wall_ms
from flashq._core.engine cimport engine_tick
from flashq._core.events cimport events_due
from flashq._core.heaptrim cimport heap_trim
from flashq._core.records cimport record_frame_end, record_frames_taken
from flashq._core.sink cimport Sink
from flashq._core.state cimport DURABLE_NOW, NEVER, Core
from flashq._core.timers cimport memory_watch, timers_run

# Seconds after which a crowd that left is taken to have left.
CROWD_SECONDS = 1.0

cdef enum:
    CROWD = 500                 # connections
    WALL_MS = 100               # the wall clock is asked so often; between, time goes by the monotonic one
    DUE_BUDGET = 500            # jobs of due work between two looks at the sockets: well under a millisecond
    COLLECTED = 64 * 1024       # bytes of records from which on a Sink gets them before the turn of the loop ends
    GATHERED = 384 * 1024       # of those, from which on it begins with them: a sync costs as much for few as for many
    A_CLIENT = 32 * 1024        # ... as soon as this for each client, when there are several: see `gathers`
    LOOKS = 4                   # at the sockets, for more that can go into the same write


def _trim():
    heap_trim()


cdef inline bint endings_due(const Core* core) noexcept nogil:
    """Whether those who wait for the end of a job must be told something."""
    return events_due(core, &core.endings) or core.endings_lost


cdef class Endpoint:
    """A client connection as the hub sees it."""

    cdef int flush(self) except -1:
        """Hand what may leave to the transport, in one write."""
        return 0

    def abort(self, reason):
        """Drop the connection at once, saying why in the log."""

    def close_if_idle(self):
        """Close unless something is still on its way."""

    def close_if_flushed(self):
        """Close unless a reply is still on its way."""

    def hold_off(self):
        """Read no more requests."""

    def read_on(self):
        """What stopped reading may be over."""

    def withdraw(self):
        """Turn the replies that still wait into errors."""


cdef class Hub:
    """What the connections of a server share: the engine, the cold tier, limits, and the loop's one timer.

    `dispatch(connection, msgpack, frame) -> bytes` answers a cold command, None: the reply comes later, by
    `connection.answer`; `refuse(msgpack, status, req_id, field, number, text) -> bytes` words an error; `store`, if
    given, gets `append(records, position)` after each event, or, if it is a Sink, the records themselves after a turn
    of the loop, and calls `committed(position, synced)` when they are durable; `hurry()` asks it to bring them to disk
    now. While its `pending_bytes` are over `unsynced_limit`, and until half of that is written, no request is read.
    `log(event, **fields)`. `clock() -> (wall ms, monotonic ms)` stands in for the machine's clocks. `rooms` hears what
    becomes of connections and jobs: `disconnected(connection)`,
    `at_eof(connection)` (answer what is parked), `draining()` (likewise, of all), `endings()` (take what is due),
    `tell_events()` (one slice of them), `committed()`.
    """

    def __init__(self, Engine engine, dispatch, refuse, loop, *, size_t max_frame, uint32_t max_connections,
                 size_t write_high_water, size_t write_limit, uint64_t write_timeout_ms, bint auth_required,
                 store=None, size_t unsynced_limit=0, log, clock=None, rooms):
        self.engine = engine
        self.dispatch = dispatch
        self.refuse = refuse
        self.loop = loop
        self.log = log
        self.store = store
        self.sink = store if isinstance(store, Sink) else None
        self.unsynced_limit = unsynced_limit
        self.clock = clock
        self.rooms = rooms
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

    def turn(self, work):
        """Run `work()` as an event of its own: at the time of now, and what it sets off is sent at its end.

        None, and nothing is run, when the store has failed.
        """
        if self.failure is not None:
            return None
        self.tick()
        try:
            return work()
        finally:
            self.after()

    cdef int tick(self) except -1:
        cdef uint64_t mono
        if self.clock is None:
            mono = clock_mono_ms()
            if mono - self.wall_read >= WALL_MS:
                self.wall_read = mono
                self.wall_ahead = clock_wall_ms() - mono
            engine_tick(&self.engine.core, mono + self.wall_ahead, mono)
        else:
            wall_ms, mono_ms = self.clock()
            self.engine.tick(wall_ms, mono_ms)
        return 0

    cdef int after(self) except -1:
        """Ends each event: records to the store, replies to the transports, the timer to the next deadline."""
        return self.finish(False)

    cdef int after_read(self) except -1:
        """Likewise, where the loop gets control back at once."""
        return self.finish(True)

    cdef int finish(self, bint read) except -1:
        cdef Core* core = &self.engine.core
        while core.dirty != NULL or self.must_keep() or endings_due(core):
            # Also what a flush sets off: requests behind a pull just answered.
            if self.must_keep():
                self.keep_records(self.gathered + core.records.size >= self.gathers())
            if endings_due(core) and self.failure is None:
                self.rooms.endings()
            if core.dirty != NULL:
                (<Endpoint>core.dirty.connection).flush()
            elif self.failure is not None:
                return 0
        if self.telling is None and events_due(core, &core.news):
            self.telling = self.loop.call_later(0, self._on_events)     # in slices, between two looks at the sockets
        if core.hurry and core.durability != DURABLE_NOW:
            self.keep()
            self.store.hurry()              # once an event, however many asked
        elif core.records.size or self.gathered:
            record_frame_end(core)          # events have frames of their own, also those that share a write
            if read and self.all_wait():
                self.write_records()
            elif self.keeping is None:
                self.keeping = self.loop.call_later(0, self._on_turn)
        core.hurry = False                  # what brings all to the disk anyway need not be asked
        memory_watch(core)
        if core.next_deadline < self.armed_for:
            self.arm()
        return 0

    cdef bint must_keep(self) noexcept:
        """Whether the store must get the records now. A Sink gets those of a whole turn of the loop in one piece."""
        cdef Core* core = &self.engine.core
        return core.records.failed or core.records.size >= (1 if self.sink is None else <size_t>COLLECTED)

    cdef size_t gathers(self) noexcept:
        """Bytes of records that the disk should get together.

        With few clients it begins early, so that it works for one while the loop reads the next; many keep it busy with
        fewer, larger groups. One alone waits for its own anyway.
        """
        cdef size_t clients = <size_t>len(self.open_connections)
        return <size_t>GATHERED if clients == 1 else min(<size_t>GATHERED, clients * <size_t>A_CLIENT)

    cdef bint all_wait(self) noexcept:
        """Whether nothing comes before the records are durable: each client waits for one reply, held back till then.

        One that has sent more than one request does not wait for each, and may go on sending.
        """
        cdef Core* core = &self.engine.core
        return (self.sink is not None and core.gates == core.gated_count
                and core.gated_count == <uint64_t>len(self.open_connections))

    cdef int write_records(self) except -1:
        """To the disk, by the loop itself if the disk is quick: it would sleep now."""
        self.keep_records(False)
        if self.failure is None:
            self.gathered = 0
            self.sink.write()
        return 0

    def _on_turn(self):
        """All sockets were looked at since the records came: once nothing more comes with another look, they go."""
        cdef Core* core = &self.engine.core
        cdef size_t size = self.gathered + core.records.size
        cdef bint grown = size != self.seen
        self.keeping = None
        if grown and self.looks < LOOKS:
            self.seen = size
            self.looks += 1
            self.keeping = self.loop.call_later(0, self._on_turn)
        elif size and self.failure is None:
            if grown:
                self.keep_records(True)
            else:
                self.write_records()

    def keep(self):
        """Hand the store now what it was not yet given."""
        if (self.engine.core.records.size or self.gathered) and self.failure is None:
            self.keep_records(True)

    cdef int keep_records(self, bint wake) except -1:
        """To the store: straight out of the buffer when it can take them so. Nothing is acknowledged when it cannot.

        Without `wake` a Sink need not begin with them yet.
        """
        cdef Core* core = &self.engine.core
        self.seen = self.looks = 0
        record_frame_end(core)
        if core.records.failed:
            self.fail("records were lost: out of memory")
            return 0
        try:
            if self.sink is None:
                self.store.append(self.engine.take_records(), core.position)
            elif core.records.size:
                self.gathered += core.records.size
                self.sink.put(&core.records, core.position)
                record_frames_taken(core)
        except Exception as error:
            self.fail(f"records were lost: {error!r}")
            return 0
        if not self.choked and self.pending() > self.unsynced_limit:
            self.choked = True
            for connection in self.open_connections:
                connection.hold_off()
        if self.sink is not None and (wake or self.choked):
            self.gathered = 0
            self.sink.wake()
        return 0

    cdef uint64_t pending(self) except? 0:
        return self.store.pending_bytes if self.sink is None else self.sink.pending_bytes()

    cdef int unchoke(self) except -1:
        """Read on, once half of what may be unwritten is written."""
        if self.choked and self.pending() <= self.unsynced_limit // 2:
            self.choked = False
            for connection in self.open_connections:
                connection.read_on()
        return 0

    def _on_events(self):
        self.telling = None
        if self.failure is not None:
            return
        try:
            self.tick()
            self.rooms.tell_events()
            self.after()
        except Exception as error:
            self.log("events_failed", error=repr(error))

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
        if self.failure is not None:
            return
        try:
            self.tick()
            timers_run(core, DUE_BUDGET)    # what is left is due at once: `after` arms for it, behind the sockets
            self.after()
        except Exception as error:
            self.log("timer_failed", error=repr(error))
            self.loop.call_later(1.0, self._on_timer)

    def committed(self, uint64_t position, synced=None):
        """The store's log is as durable as it promises up to `position`, on disk up to `synced` (None: likewise)."""
        if self.failure is not None:
            return
        self.tick()
        self.engine.commit(position, synced)
        self.rooms.committed()
        self.unchoke()
        self.after()

    def fail(self, reason):
        """Changes may be lost: from now on nothing is acknowledged.

        What waits is answered with an error, and so is every later request; the server should end.
        """
        cdef Core* core = &self.engine.core
        if self.failure is not None:
            return
        self.failure = reason
        self.draining = True
        self.choked = False
        self.gathered = 0
        self.engine.close_pulls()
        self.rooms.draining()
        core.recording = core.records.failed = False
        core.records.size = 0
        record_frames_taken(core)
        for connection in self.open_connections:
            connection.withdraw()
            connection.read_on()
        core.committed = core.position      # no reply tells of it any more
        self.after()
        if self.on_failure is not None:
            self.on_failure(reason)

    cdef int connection_gone(self, Endpoint connection) except -1:
        """Forget it; after a crowd has left, what its buffers held goes back to the system."""
        self.open_connections.discard(connection)
        self.gone += 1
        if self.gone >= CROWD and self.gone > <uint32_t>len(self.open_connections):
            self.gone = 0
            self.loop.call_later(CROWD_SECONDS, _trim)
        return 0

    def begin_drain(self):
        """Answer parked pulls empty, and every later pull that finds nothing at once; likewise what else waits."""
        self.draining = True
        self.tick()
        self.engine.close_pulls()
        self.rooms.draining()
        self.after()

    def close_idle(self):
        """Close the connections that have nothing left to send; how many are still open."""
        for connection in list(self.open_connections):
            connection.close_if_idle()
        return len(self.open_connections)

    def close_flushed(self):
        """Close the connections that every reply has left for; how many are still open."""
        for connection in list(self.open_connections):
            connection.close_if_flushed()
        return len(self.open_connections)

    def close_all(self):
        """Close every connection now."""
        for timer in (self.timer, self.telling, self.keeping):
            if timer is not None:
                timer.cancel()
        self.timer = self.telling = self.keeping = None
        for connection in list(self.open_connections):
            connection.abort("shutdown")
