"""`flashq top` at a pseudo-terminal against a real server; its readings, its screen and its keys one by one."""

import queue as queues
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from conftest import StartServer
from flashq.cli.queues import percentiles
from flashq.cli.top.keys import Keys
from flashq.cli.top.readings import History, Reading, Row, View
from flashq.cli.top.screen import HEAD_LINES, ORDERS, State, draw
from flashq.cli.top.tables import TABLES
from flashq.cli.top.watcher import Watcher
from flashq.client import FlashQ
from flashq.client.results import NO_TIMES, Metrics, QueueInfo, QueueMetrics, StoreInfo, Times, WorkerInfo
from support.cli import cli_of
from support.clients import url_of
from support.server import ServerProcess
from support.terminal import ALTERNATE, Terminal, row_of

Top = Callable[..., Terminal]


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Top]:
    """Starts `flashq top` at a terminal; it is ended at the end of the test."""
    started: list[Terminal] = []

    def start(server: ServerProcess, *words: str, **options: Any) -> Terminal:
        env = {"FLASHQ_URL": url_of(server), **options.pop("env", {})}
        started.append(Terminal("top", "--every", "100ms", *words, directory=tmp_path, env=env, **options))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def fill(server: ServerProcess) -> ServerProcess:
    """With queues in different states."""
    cli = cli_of(server)
    cli("push", "emails", "-", input="1\n2\n3\n")
    cli("push", "reports", "1", "--delay", "1h")
    cli("push", "webhooks", "-", "--max-attempts", 1, input="1\n2\n")
    cli("pull", "webhooks", "--count", 2, "--fail", "no luck")
    return server


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One with such queues, for tests that only look."""
    running = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        yield fill(running)
        running.stop()
    finally:
        running.kill()


# --- at a terminal


def test_the_screen_at_80x24(busy: ServerProcess, top: Top) -> None:
    terminal = top(busy)
    terminal.wait_for("webhooks")
    terminal.wait(lambda: "-" not in row_of(terminal, "emails")[5:7], "the second reading")
    assert terminal.lines[0].startswith("flashQ 0.1.0  flashq://127.0.0.1:") and terminal.lines[0].endswith("UTC")
    assert terminal.lines[2] == "waiting 3   delayed 1   active 0   dead 2   in 3 queues"
    assert terminal.lines[3] == "workers 0, busy 0   waiting pulls 0   connections 1"
    assert terminal.lines[4].startswith("p50, p95, p99 of waiting: ")
    assert terminal.lines[5] == "storage commit, ok, 0 bytes not written"
    assert terminal.lines[7].split() == [
        "QUEUE", "waiting", "delayed", "active", "dead", "done/s", "oldest", "workers", "limits"]
    assert row_of(terminal, "emails")[1:6] == ["3", "0", "0", "0", "0.0"]
    assert row_of(terminal, "webhooks")[4] == "2"
    assert "q quit" in terminal.lines[23] and all(len(line) <= 80 for line in terminal.lines)
    terminal.type("q")
    assert terminal.end() == 0 and terminal.restored()
    assert ALTERNATE[0] in terminal.seen


def test_keys_pause_resume_and_retry(start_server: StartServer, top: Top) -> None:
    server = fill(start_server())
    terminal, cli = top(server), cli_of(server)
    terminal.wait_for("webhooks")
    terminal.type("p")
    terminal.wait_for("emails is paused")
    terminal.wait(lambda: row_of(terminal, "emails")[-1] == "paused", "the row")
    assert {one["name"]: one["paused"] for one in cli("queues", "--json").objects}["emails"] is True
    terminal.type("p")
    terminal.wait_for("emails is not paused")
    terminal.type("\x1b[B\x1b[B")       # down, down
    terminal.type("r")
    terminal.wait_for("Let 2 dead letters of webhooks run again? y/n")
    terminal.type("n")
    terminal.wait(lambda: "run again?" not in terminal.text, "the answer")
    assert len(cli("dlq", "list", "webhooks", "--json").lines) == 2
    terminal.type("r")
    terminal.wait_for("run again?")
    terminal.type("y")
    terminal.wait_for("let 2 jobs of webhooks run again")
    terminal.type("kr")
    terminal.wait_for("reports has no dead letters")
    assert cli("dlq", "list", "webhooks", "--json").lines == []


def test_the_views(start_server: StartServer, top: Top) -> None:
    """v goes from the queues to the times, on to the workers, and back."""
    server = fill(start_server())
    with FlashQ(url_of(server), session="worker-1") as worker, FlashQ(url_of(server)) as other:
        job = worker.pull("emails", timeout=0)
        assert job is not None
        worker.ack(job)
        worker.pull("emails", timeout=0)
        other.pull("reports", timeout=0)
        terminal = top(server)
        terminal.wait(lambda: "workers 2, busy 1 " in terminal.text, "the workers")
        assert row_of(terminal, "emails")[7] == "1"
        assert "of waiting: -" not in terminal.text and "of work: -" not in terminal.text
        terminal.type("v")
        terminal.wait(lambda: terminal.lines[7].split()[1:3] == ["wait", "p50"], "the times")
        cells = row_of(terminal, "emails")[1:]
        assert len(cells) == 6 and "-" not in cells
        assert row_of(terminal, "reports")[1:] == ["-"] * 6
        terminal.type("v")
        terminal.wait(lambda: terminal.lines[7].startswith("WORKER") and "2 of 2" in terminal.lines[23], "the workers")
        rows = [line.split() for line in terminal.lines[8:10]]
        assert all(row[0].startswith("127.0.0.1:") for row in rows)
        assert sorted((row[1], row[-1]) for row in rows) == [("0", "reports"), ("1", "emails")]
        terminal.type("jpr")            # no queue is selected that these could act on
        terminal.type("v")
        terminal.wait(lambda: terminal.lines[7].startswith("QUEUE"), "the queues")
        assert "paused" not in terminal.text
        terminal.type("q")
        assert terminal.end() == 0 and terminal.restored()


def test_ages_are_there_when_the_queues_come_back(busy: ServerProcess, top: Top) -> None:
    terminal = top(busy, "--every", "1h")
    terminal.wait_for("webhooks")
    for head in ("wait p50", "WORKER", "oldest"):
        terminal.type("v")
        terminal.wait_for(head)
    terminal.wait(lambda: row_of(terminal, "emails")[6] != "-", "the age of the oldest")


def test_nobody_works(start_server: StartServer, top: Top) -> None:
    terminal = top(start_server())
    terminal.wait_for("no queue holds a job")
    terminal.type("vv")
    terminal.wait_for("nobody pulls")
    assert "0 of 0" in terminal.lines[23]


def test_it_follows_the_size_of_the_terminal(busy: ServerProcess, top: Top) -> None:
    terminal = top(busy, env={"COLUMNS": "33", "LINES": "7"})      # as some shells export them once
    terminal.wait_for("q quit")
    for columns, rows in ((132, 40), (60, 12), (30, 5)):
        terminal.resize(columns, rows)
        def drawn(rows: int = rows) -> bool:
            return terminal.lines[0].startswith("flashQ") and "select" in terminal.lines[rows - 1]

        terminal.wait(drawn, f"{columns}x{rows}")
    terminal.type("q")
    assert terminal.end() == 0 and terminal.restored()


def test_a_lost_server_shows_and_comes_back(start_server: StartServer, top: Top) -> None:
    first = start_server()
    cli_of(first)("push", "emails", "-", input="1\n2\n")
    terminal = top(first, "--deadline", "500ms")
    terminal.wait_for("emails")
    port = str(first.address[1])
    first.stop()
    terminal.wait_for("NO CONNECTION for")
    assert row_of(terminal, "emails")[1] == "2"     # the last that is known stays
    second = start_server("--port", port)
    terminal.wait(lambda: "NO CONNECTION" not in terminal.text, "the server")
    cli_of(second)("push", "emails", "3")
    terminal.wait(lambda: row_of(terminal, "emails")[1] == "3", "the new job")
    terminal.type("q")
    assert terminal.end() == 0 and terminal.restored()


def test_a_loss_counts_from_the_last_answer(start_server: StartServer) -> None:
    """Not from when it was noticed, a deadline later."""
    server = start_server()
    with FlashQ(url_of(server), deadline=0.3) as client:
        watcher = Watcher(client, 60.0, 0.3)
        watcher._look()
        answered = time.monotonic()
        assert watcher.error is None
        server.stop()
        watcher._look()
        assert watcher.error is not None and watcher.lost_at <= answered


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_the_terminal_is_restored_after_a_signal(busy: ServerProcess, top: Top, number: int, status: int) -> None:
    terminal = top(busy)
    terminal.wait_for("q quit")
    assert not terminal.restored()
    terminal.process.send_signal(number)
    assert terminal.end() == status and terminal.restored()
    assert "Traceback" not in terminal.text


def test_it_ends_while_the_server_is_lost(start_server: StartServer, top: Top) -> None:
    server = start_server()
    terminal = top(server, "--deadline", "500ms")
    terminal.wait_for("no queue holds a job")
    server.stop()
    terminal.wait_for("NO CONNECTION for")
    terminal.type("q")
    assert terminal.end() == 0 and terminal.restored()


def test_without_a_terminal(busy: ServerProcess) -> None:
    cli = cli_of(busy)
    assert "needs a terminal" in cli("top", status=2).error
    first, second = cli("top", "--json", "--every", "50ms", "--count", 2).objects
    assert first["pushed_rate"] is None and second["pushed_rate"] == 0
    rows = {row["name"]: row for row in second["rows"]}
    assert (rows["webhooks"]["dead"], rows["emails"]["waiting"]) == (2, 3) and rows["emails"]["oldest_ms"] > 0
    assert second["workers"] == len(second["worker_list"]) == 0
    assert set(second["wait_ms"]) == set(rows["emails"]["processing_ms"]) == {"count", "p50", "p95", "p99"}


# --- readings


def test_actions_put_no_look_off(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    class Pressed(queues.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            waits.append(timeout or 0)
            return (lambda _client: "") if len(waits) < 4 else None

    watcher = Watcher(None, 60.0, 1.0)  # type: ignore[arg-type]
    monkeypatch.setattr(watcher, "_look", lambda: None)
    monkeypatch.setattr(watcher, "_actions", Pressed())
    watcher._watch()
    assert len(waits) == 4 and all(wait <= 60 for wait in waits)


def test_percentiles_say_what_is_known_of_them() -> None:
    assert percentiles(Times(3, 0.2, 820.0, 1791.5)) == ["<1 ms", "820 ms", "1.8s"]
    assert percentiles(Times(3, 11_000.0, 119_000.0, None)) == ["11s", "1m 59s", "-"]


def metrics(pushed: int, completed: int = 0, failed: int = 0) -> Metrics:
    store = StoreInfo("commit", "ok", 0, 0, 0, 0, 0)
    return Metrics(pushed, completed, failed, 0.0, 12.0, store, [QueueMetrics("a", 5, 1, 2, None)])


def queue(name: str, completed: int) -> QueueInfo:
    return QueueInfo(name, 5, 1, 2, False, None, None, completed, 3)


def test_rates_are_taken_over_the_last_readings() -> None:
    history = History()
    first = history.add(Reading(10.0, metrics(100, 50), [queue("a", 50)], {"a": 700}))
    assert (first.pushed_rate, first.rows[0].done_rate, first.rows[0].oldest_ms) == (None, None, 700)
    view = first
    for second in range(1, 10):
        view = history.add(Reading(10.0 + second, metrics(100 + 20 * second, 50 + 10 * second, second),
                                   [queue("a", 50 + 10 * second)], {}))
    assert (view.pushed_rate, view.done_rate, view.dead_rate) == (20.0, 10.0, 1.0)
    assert view.rows[0] == Row("a", 2, 3, 1, 2, 140, 10.0, None, False, "", 0, 0, 0, NO_TIMES, NO_TIMES)


def test_a_server_that_began_anew_has_no_rates_below_zero() -> None:
    history = History()
    history.add(Reading(1.0, metrics(1000, 900), [queue("a", 900)], {}))
    assert history.add(Reading(2.0, metrics(3, 0), [queue("a", 0)], {})).pushed_rate is None
    assert history.add(Reading(3.0, metrics(5, 1), [queue("a", 1)], {})).done_rate == 1.0


# --- the screen


SOME_TIMES = Times(3, 0.0, 13.5, 10.0**9)


def some_view(rows: int) -> View:
    made = tuple(Row(f"queue-{n:03}", n, 0, 0, n % 2, 0, None, n, n % 3 == 0, "", n, 0, 0, SOME_TIMES, NO_TIMES)
                 for n in range(rows))
    workers = tuple(WorkerInfo(None, f"[::1]:{n}" if n % 2 else None, n, n or None, n, 0, ["a", "b"] * n)
                    for n in range(rows))
    return View(1.0, 2.0, None, 3.0, 1, 2, 3, 4, "commit", "ok", 5, 6, 7, 8, 9, SOME_TIMES, NO_TIMES, made, workers)


def text_of(view: View | None, error: str | None, state: State, width: int, height: int) -> list[Text]:
    return [line for line in draw(view, error, 0.0, "flashQ", state, width, height).renderables
            if isinstance(line, Text)]


@given(width=st.integers(10, 200), height=st.integers(3, 60), rows=st.integers(0, 100), moved=st.integers(-200, 200),
       order=st.sampled_from(sorted(ORDERS)), error=st.none() | st.text(max_size=100), table=st.sampled_from([*TABLES]))
def test_the_screen_fits_any_terminal(width: int, height: int, rows: int, moved: int, order: str, error: str | None,
                                      table: str) -> None:
    view, state = some_view(rows), State(order=order, shown=table)
    text_of(view, error, state, width, height)
    state.move(state.lines(view), moved)
    lines = text_of(view, error, state, width, height)
    assert len(lines) == height and all(line.cell_len <= width for line in lines)
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(draw(view, error, 0.0, "flashQ", state, width, height))
    assert capture.get().count("\n") == height
    if rows and height > 12:
        assert any("reverse" in str(span.style) for line in lines[HEAD_LINES:] for span in line.spans)
        name = next(line.name for line in state.lines(view) if line.key == state.key)
        assert any(line.plain.startswith(name[:9]) for line in lines)
        assert (state.selected in state.names) is (table != "workers") and len(state.names) <= height


@pytest.mark.parametrize("count", [0, 99_999, 999_999, 12_345_678, 5_000_000_000])
def test_large_numbers_keep_their_columns(count: int) -> None:
    times = Times(count, float(count), float(count), float(count))
    row = Row("x" * 60, count, count, count, count, count, float(count), 10**10, False, "paused", count, count, count,
              times, times)
    worker = WorkerInfo("x" * 60, None, 0, 0, count, count, ["y" * 60])
    view = View(1.0, 1.0, 1.0, 1.0, count, count, count, count, "commit", "ok", 0, count, count, count, count, times,
                times, (row,), (worker,))
    cells = {table: text_of(view, None, State(shown=table), 80, 24)[HEAD_LINES].plain.split() for table in TABLES}
    assert len(cells["queues"]) == 9 and cells["queues"][-1] == "paused"
    assert len(cells["times"]) == 7 and len(cells["workers"]) == 6


def test_before_the_first_reading_there_is_a_screen_too() -> None:
    lines = text_of(None, "refused", State(), 80, 24)
    assert "NO CONNECTION" in lines[1].plain and len(lines) == 24


# --- keys


def test_keys_have_names() -> None:
    assert Keys().feed(b"q\x1b[A\x1b[B\x1bOA\x1b[5~kjP\x1b[1;5C") == [
        "q", "up", "down", "up", "page-up", "up", "down", "P"]
    assert Keys().feed("é\x01".encode()) == []


@given(st.lists(st.sampled_from([b"q", b"\x1b[A", b"\x1bOB", b"\x1b[6~", b"j"]), max_size=8), st.data())
def test_keys_may_come_in_pieces(pressed: list[bytes], data: st.DataObject) -> None:
    raw, keys = b"".join(pressed), Keys()
    cut = data.draw(st.integers(0, len(raw)))
    parts = [part for part in (raw[:cut], raw[cut:]) if part]
    assert [key for part in parts for key in keys.feed(part)] == Keys().feed(raw)


def test_an_escape_alone_is_a_key_after_a_while() -> None:
    keys = Keys()
    assert keys.feed(b"\x1b") == [] and keys.feed(b"") == ["escape"] and keys.feed(b"") == []
