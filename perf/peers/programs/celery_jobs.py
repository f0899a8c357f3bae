"""Celery: many short tasks, as its guide on optimizing says; no results, no events."""
import os

import tally
from celery import Celery

app = Celery(broker=os.environ["REDIS_URL"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=128,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    task_send_sent_event=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop() -> None:
    """An empty job."""
    tally.done()


def push(count: int) -> None:
    """It has no call for many: one connection for all."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            noop.apply_async(producer=producer)
