"""The server is killed and comes back while a worker runs under load: nothing is lost, nothing is done twice."""

import threading
from collections import Counter
from pathlib import Path

from conftest import StartServer
from flashq.client import FlashQ, FlashQError
from support.clients import url_of
from support.tasks import WorkerProcess, soon

JOBS = 3000
KILLS = 2
HELD = 8 + 20       # jobs that the worker may hold: at once, and ahead
PROGRAM = """
    import os
    from flashq import App

    app = App(queue="load")
    done = os.open("done.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    @app.task
    async def note(n: int) -> None:
        os.write(done, f"{n}\\n".encode())

    @app.task
    def note_result(n: int) -> int:
        os.write(done, f"{n}\\n".encode())
        return n
"""


def test_a_server_that_is_killed_under_load(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server("--durability", "commit")
    port = str(server.address[1])
    flags = ("--concurrency", "8", "--prefetch", "20", "--log-level", "warning")
    worker = WorkerProcess(tmp_path, PROGRAM, server, *flags)
    ids: dict[int, int] = {}
    completed: Counter[int] = Counter()
    try:
        with FlashQ(url_of(server), deadline=60) as client, client.events("load", ["completed"]) as events:
            listening = threading.Thread(target=lambda: completed.update(event.job_id for event in events), daemon=True)
            listening.start()
            producer = threading.Thread(target=_produce, args=(client, ids))
            producer.start()
            for turn in range(1, KILLS + 1):
                soon(lambda turn=turn: _lines(tmp_path) > JOBS * turn // (KILLS + 2))
                server.kill()
                server = start_server("--durability", "commit", "--port", port)
            producer.join(120)
            soon(lambda: client.get_job_counts("load").completed == len(ids) == JOBS, 120)
            counts = client.get_job_counts("load")
            assert (counts.waiting, counts.active, counts.delayed, counts.failed) == (0, 0, 0, 0)
            results = {id: client.get_result(id) for id, n in list(ids.items())[-100:] if n % 2}
            assert results == {id: ids[id] for id in results}
        worker.stop()
    finally:
        worker.kill()
    done = Counter(map(int, (tmp_path / "done.txt").read_text().split()))
    assert set(done) == set(range(JOBS)), "a job was lost"
    assert max(completed.values()) == 1, "a job was acknowledged twice"
    again = [n for n, times in done.items() if times > 1]
    assert len(again) <= KILLS * HELD, f"{len(again)} handlers ran again"


def _produce(client: FlashQ, ids: dict[int, int]) -> None:
    """In steps, so that some are pushed while the server is away."""
    for at in range(0, JOBS, 100):
        for kind, numbers in (("note", range(at, at + 100, 2)), ("note_result", range(at + 1, at + 100, 2))):
            try:
                done = client.push_batch("load", [{"data": {"n": n}, "name": kind} for n in numbers])
            except FlashQError as error:
                raise AssertionError(f"a push was given up: {error}") from error
            ids.update(zip(done.ids, numbers, strict=True))


def _lines(directory: Path) -> int:
    path = directory / "done.txt"
    return path.read_bytes().count(b"\n") if path.exists() else 0
