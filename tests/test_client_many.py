"""Calls that are carried out together: each is answered by itself."""

import asyncio

import pytest

from flashq.client import AsyncFlashQ, DeadlineExceeded, refusals
from flashq.client.calls import jobs as calls
from support.clients import KINDS, either, url_of
from support.server import ServerProcess


@pytest.mark.parametrize("kind", KINDS)
def test_each_call_has_its_own_answer(kind: str, server: ServerProcess, queue_name: str) -> None:
    with either(kind, url_of(server)) as client:
        ids = client.call_many([calls.push(queue_name, n) for n in range(3)])
        assert len(set(ids)) == 3 and client.call_many([]) == []
        jobs = client.pull_batch(queue_name, 2)
        assert [job.id for job in jobs] == ids[:2]
        told = client.call_many([calls.ack(jobs[0]), calls.ack(ids[2]), calls.ack(jobs[1], 5)])
        assert told[0] is told[2] is None and isinstance(told[1], refusals.JobNotFound)
        assert client.get_result(ids[1]) == 5
        with pytest.raises(TypeError):      # before anything is sent
            client.call_many([calls.push(queue_name, 1), calls.push(queue_name, object())])
        assert client.count(queue_name) == 1


async def test_one_deadline_for_all(queue_name: str) -> None:
    client = AsyncFlashQ("flashq://127.0.0.1:1")
    late = await client.call_many([calls.push(queue_name, n, deadline=0.1) for n in range(2)])
    assert [type(one) for one in late] == [DeadlineExceeded] * 2
    await client.close()


async def test_pulls_that_are_given_up_take_no_job(server: ServerProcess, queue_name: str) -> None:
    async with AsyncFlashQ(url_of(server)) as client:
        waiting = asyncio.create_task(client.call_many([calls.pull(queue_name, timeout=60_000)] * 2))
        await client.ping()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        id = await client.push(queue_name, 1)
        job = await client.pull(queue_name, timeout=20_000)
        assert job is not None and (job.id, job.attempts) == (id, 0)
