"""Who works for which queue: a look at every connection, and at a bounded part of what each holds and waits for."""
from libc.stdint cimport uint32_t, uint64_t

from flashq._core.buffer cimport copied
from flashq._core.connection cimport Connection
from flashq._core.hub cimport Hub
from flashq._core.job cimport Job
from flashq._core.jobs cimport job_gone
from flashq._core.namemap cimport name_first
from flashq._core.pulled cimport LATELY_MS
from flashq._core.shardmap cimport SHARDS
from flashq._core.state cimport PULLED_KEPT, Core, Peer, Queue, Standing, Waiter

cdef enum:
    MOST_STEPS = 20000          # jobs looked at, and as many parked pulls, over all connections: 3 ms of 10,000 workers
    LEAST_STEPS = 4             # of each connection, however many there are
    MOST_QUEUES = 128           # of one connection; a pull may name 100

cdef struct Seen:               # the queues that one connection works for
    Queue* queues[MOST_QUEUES]  # borrowed
    uint32_t count
    uint32_t held               # the first ones: it holds jobs of these


cdef inline void seen_add(Seen* seen, Queue* queue) noexcept nogil:
    cdef uint32_t at = seen.count
    while at:                   # the last ones first: most jobs are of the queue of the one before
        at -= 1
        if seen.queues[at] == queue:
            return
    if seen.count < MOST_QUEUES:
        seen.queues[seen.count] = queue
        seen.count += 1


cdef void see_held(const Peer* peer, uint32_t steps, Seen* seen) noexcept nogil:
    cdef Job* job = NULL if peer.owner == NULL else peer.owner.jobs.first
    while job != NULL and steps:
        if not job_gone(job):
            seen_add(seen, <Queue*>job.queue)
        job = job.place.links.next
        steps -= 1
    seen.held = seen.count


cdef void see_waiting(const Peer* peer, uint32_t steps, Seen* seen) noexcept nogil:
    cdef const Waiter* waiter = peer.first_waiter
    cdef const Standing* standing
    while waiter != NULL and steps:
        standing = &waiter.first
        while standing != NULL and steps:
            seen_add(seen, standing.queue)
            standing = standing.other
            steps -= 1
        waiter = waiter.peer_next


cdef void see_pulled(Core* core, const Peer* peer, Seen* seen) noexcept nogil:
    """Those that it pulled from lately; between two pulls a worker does nothing else."""
    cdef uint64_t hash
    cdef Queue* queue
    cdef uint32_t i
    for i in range(<uint32_t>PULLED_KEPT):
        hash = peer.pulled[i].queue
        if hash == 0 or core.mono - peer.pulled[i].at > LATELY_MS:
            return
        queue = <Queue*>name_first(&core.shards[hash % SHARDS].names, hash)
        if queue != NULL:
            seen_add(seen, queue)


cdef void see(Core* core, const Peer* peer, uint32_t steps, Seen* seen) noexcept nogil:
    seen.count = 0
    see_held(peer, steps, seen)
    see_waiting(peer, steps, seen)
    see_pulled(core, peer, seen)


cdef inline str name_of(const Queue* queue):
    return copied(queue.text, queue.name.size).decode("utf-8", "replace")


cdef dict described(Core* core, Connection one, const Seen* seen):
    cdef Peer* peer = &one.peer
    cdef object session = None
    if peer.owner != NULL and peer.owner.session.node.name != NULL:
        session = copied(peer.owner.session_text, peer.owner.session.node.size).decode("utf-8", "replace")
    return {
        "session": session, "address": one.address(), "connected_at": one.made_at,
        "last_pull_at": core.now - (core.mono - peer.pulled[0].at) if peer.pulled[0].queue else None,
        "active": 0 if peer.owner == NULL else peer.owner.jobs.count, "waiting_pulls": peer.waiter_count,
        "queues": sorted([name_of(seen.queues[i]) for i in range(seen.count)]),
    }


cdef class Crowd:
    """The workers among the clients of one hub: who holds jobs, waits in a pull, or pulled within LATELY_MS."""
    cdef Hub hub

    def __init__(self, Hub hub):
        self.hub = hub

    cdef uint32_t steps(self) noexcept:
        """For each connection."""
        cdef uint32_t count = <uint32_t>len(self.hub.open_connections)
        return max(<uint32_t>MOST_STEPS // max(count, <uint32_t>1), <uint32_t>LEAST_STEPS)

    def count(self):
        """connections, workers, busy_workers (that hold jobs), waiting_pulls; of each queue likewise, for Gauges.

        Of a connection with many jobs or pulls only the first are looked at. Cost: the connections and the queues.
        """
        cdef Core* core = &self.hub.engine.core
        cdef Queue* queue = core.first_queue
        cdef uint32_t steps = self.steps()
        cdef uint32_t workers = 0, busy = 0, i
        cdef uint64_t pulls = 0
        cdef Seen seen
        while queue != NULL:
            queue.workers = queue.busy_workers = 0
            queue = queue.next
        for one in self.hub.open_connections:
            see(core, &(<Connection>one).peer, steps, &seen)
            pulls += (<Connection>one).peer.waiter_count
            workers += seen.count != 0
            busy += seen.held != 0
            for i in range(seen.count):
                seen.queues[i].workers += 1
                seen.queues[i].busy_workers += i < seen.held
        return {"connections": len(self.hub.open_connections), "workers": workers, "busy_workers": busy,
                "waiting_pulls": pulls}

    def workers(self, queue, uint32_t limit):
        """(how many there are, a dict for each of the first `limit`, longest connected first); None: of any queue."""
        cdef Core* core = &self.hub.engine.core
        cdef Queue* only = NULL if queue is None else self.hub.engine.find_queue(queue)
        cdef uint32_t steps = self.steps()
        cdef Seen seen
        found = []
        for one in self.hub.open_connections if queue is None or only != NULL else ():
            see(core, &(<Connection>one).peer, steps, &seen)
            if seen.count if only == NULL else seen_has(&seen, only):
                found.append(one)
        found.sort(key=_age)
        shown = []
        for one in found[:limit]:
            see(core, &(<Connection>one).peer, steps, &seen)
            shown.append(described(core, one, &seen))
        return len(found), shown


cdef bint seen_has(const Seen* seen, const Queue* queue) noexcept nogil:
    cdef uint32_t i
    for i in range(seen.count):
        if <const Queue*>seen.queues[i] == queue:
            return True
    return False


def _age(Connection one):
    return one.number
