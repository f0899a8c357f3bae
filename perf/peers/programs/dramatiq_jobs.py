"""Dramatiq: its Redis broker with the default middleware."""
import os

import dramatiq
import tally
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["REDIS_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(max_retries=0)
def noop() -> None:
    """An empty job."""
    tally.done()


def push(count: int) -> None:
    """It has no call for many."""
    for _ in range(count):
        noop.send()
