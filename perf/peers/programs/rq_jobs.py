"""RQ: the worker that forks for no job, results thrown away, many pushed by one call."""
import os

import tally
from redis import Redis
from rq import Queue

CHUNK = 1000


def noop() -> None:
    """An empty job."""
    tally.done()


def push(count: int) -> None:
    """In pipelines of a thousand."""
    queue = Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
    left = count
    while left:
        size = min(left, CHUNK)
        queue.enqueue_many([Queue.prepare_data("rq_jobs.noop", result_ttl=0, description="") for _ in range(size)])
        left -= size
