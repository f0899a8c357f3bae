"""arq: no results kept, and no half second of waiting between two looks at the queue."""
import asyncio
import os

import tally
import uvloop
from arq import create_pool
from arq.connections import RedisSettings

CHUNK = 200
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


async def noop(_context: object) -> None:
    """An empty job."""
    tally.done()


class WorkerSettings:
    """What `arq arq_jobs.WorkerSettings` reads."""

    functions = (noop,)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = 100
    poll_delay = 0.01
    keep_result = 0
    max_tries = 1


async def _push(count: int) -> None:
    pool = await create_pool(WorkerSettings.redis_settings)
    for begin in range(0, count, CHUNK):
        await asyncio.gather(*(pool.enqueue_job("noop") for _ in range(min(CHUNK, count - begin))))
    await pool.aclose()


def push(count: int) -> None:
    """It has no call for many: so many at a time."""
    asyncio.run(_push(count))
