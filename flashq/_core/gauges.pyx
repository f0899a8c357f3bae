"""What graphs of each queue show beside its counts of jobs: how long jobs wait and take, and who works for it."""
from libc.string cimport memset

from flashq._core.buffer cimport copied
from flashq._core.engine cimport Engine
from flashq._core.latency cimport Spread, spread_add, spread_percentile
from flashq._core.state cimport Core, Queue

PERCENTILES = (50, 95, 99)


cdef dict shown(const Spread* of):
    """How many were counted, and percentiles in ms, None without any."""
    found = {"count": of.count}
    for percent in PERCENTILES:
        found[f"p{percent}"] = spread_percentile(of, percent) if of.count else None
    return found


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
        """By name: the same of each, its waiting_pulls, and its workers and busy_workers as of `Crowd.count`."""
        cdef Core* core = &self.engine.core
        cdef Queue* queue = core.first_queue
        cdef Spread wait, processing
        found = {}
        while queue != NULL:
            memset(&wait, 0, sizeof(wait))
            memset(&processing, 0, sizeof(processing))
            spread_add(&wait, &queue.wait, core.mono)
            spread_add(&processing, &queue.processing, core.mono)
            found[copied(queue.text, queue.name.size).decode("utf-8", "replace")] = {
                "waiting_pulls": queue.waiting_pulls, "workers": queue.workers, "busy_workers": queue.busy_workers,
                "wait_ms": shown(&wait), "processing_ms": shown(&processing),
            }
            queue = queue.next
        return found
