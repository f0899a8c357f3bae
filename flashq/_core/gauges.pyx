"""What graphs show of each queue: its counts of jobs, how long they wait and take, and who works for it."""
from libc.stdint cimport uint64_t
from libc.string cimport memset

from flashq._core.buffer cimport copied
from flashq._core.engine cimport Engine, limit_of
from flashq._core.groups cimport queue_waiting
from flashq._core.latency cimport HALF_MS, PERCENTS_SIZE, Latency, Spread, spread_add, spread_percentiles
from flashq._core.state cimport Core, Queue

cdef dict NOTHING = {"count": 0, "p50": None, "p95": None, "p99": None}      # shared by all of which nothing is known


cdef dict shown(const Spread* of):
    """How many were counted, and percentiles in ms, None without any."""
    cdef double[PERCENTS_SIZE] found
    if of.count == 0:
        return NOTHING
    spread_percentiles(of, found)
    return {"count": of.count, "p50": found[0], "p95": found[1], "p99": found[2]}


cdef dict shown_alone(Latency* of, uint64_t mono):
    """Of one queue."""
    cdef Spread spread
    if mono >= of.turn_at + HALF_MS:
        return NOTHING
    memset(&spread, 0, sizeof(spread))
    spread_add(&spread, of, mono)
    return shown(&spread)


cdef class Gauges:
    """Of one engine. Times are those of the last one to two minutes."""
    cdef Engine engine

    def __init__(self, Engine engine):
        self.engine = engine

    def times(self):
        """Over all queues: `wait_ms`, from when a job may run until it is pulled; `processing_ms`, until its ACK.

        Cost: the queues.
        """
        cdef Core* core = &self.engine.core
        cdef Queue* queue = core.first_queue
        cdef Spread wait, processing
        memset(&wait, 0, sizeof(wait))
        memset(&processing, 0, sizeof(processing))
        while queue != NULL:
            spread_add(&wait, &queue.wait, core.mono)
            spread_add(&processing, &queue.processing, core.mono)
            queue = queue.next
        return {"wait_ms": shown(&wait), "processing_ms": shown(&processing)}

    def queues(self):
        """A dict for each queue, by name, as METRICS tells it. Its workers are those of the last `Crowd.count`.

        Cost: the queues. There may be thousands, so each is made once, and is not put together from parts.
        """
        cdef Core* core = &self.engine.core
        cdef Queue* queue = core.first_queue
        found = []
        while queue != NULL:
            found.append({
                "name": copied(queue.text, queue.name.size).decode("utf-8", "replace"),
                "pending": queue_waiting(queue) + queue.delayed.count, "processing": queue.active.count,
                "dlq": queue.dead.count, "rate_limit": limit_of(queue.rate_limit),
                "waiting_pulls": queue.waiting_pulls, "workers": queue.workers, "busy_workers": queue.busy_workers,
                "wait_ms": shown_alone(&queue.wait, core.mono),
                "processing_ms": shown_alone(&queue.processing, core.mono),
            })
            queue = queue.next
        found.sort(key=_name_of)
        return found


def _name_of(shown):
    return shown["name"]
