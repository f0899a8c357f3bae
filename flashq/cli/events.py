"""`flashq events`: a live tail of what becomes of jobs."""

import queue as queues
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flashq.cli.connection import Here, client_command
from flashq.cli.output import first_line, short
from flashq.cli.values import QUEUE_NAME
from flashq.events import EVENT_TYPES

if TYPE_CHECKING:
    from flashq.client import Event, FlashQ
    from flashq.client.streams import Told

KEPT = 10_000       # events between the connection and the terminal
LOOK_SECONDS = 1.0  # of silence, after which it is asked whether the server is still there


@client_command("events")
@click.argument("names", type=QUEUE_NAME, nargs=-1, required=True, metavar="QUEUE...")
@click.option("--type", "-t", "types", type=click.Choice([one.name for one in EVENT_TYPES]), multiple=True,
              help="Only events of this type. May be given several times.")
@click.option("--count", "-n", type=click.IntRange(1), help="End after so many.")
def command(here: Here, names: tuple[str, ...], types: tuple[str, ...], count: int | None) -> None:
    """Print what becomes of the jobs of QUEUE..., as it happens, until Ctrl-C.

    What happens while the connection is lost is not told later. With --json there is an object a line.
    """
    tail = Tail(here)
    for name in names:
        tail.client.subscribe_events(name, list(types) or None)
    here.out.note(f"listening to {', '.join(names)}")
    for _ in range(count) if count is not None else iter(int, 1):
        _print(here, tail.next())


class Tail:
    """The events in their order; says so when some were lost, or the server is."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._events: queues.Queue[Event] = queues.Queue(KEPT)
        self._dropped = 0
        self._gone = False
        self.client: FlashQ = here.listener(self._told)

    def _told(self, one: "Told") -> None:
        """In the client's thread: it must not wait."""
        from flashq.client import Event

        if not isinstance(one, Event):
            return
        try:
            self._events.put_nowait(one)
        except queues.Full:
            self._dropped += 1

    def next(self) -> "Event":
        """The next one."""
        while True:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._here.out.note(f"{dropped} events came too fast to be printed")
            try:
                return self._events.get(timeout=LOOK_SECONDS)
            except queues.Empty:
                self._look()

    def _look(self) -> None:
        from flashq.client import FlashQError

        try:
            self.client.ping(deadline=min(LOOK_SECONDS, self._here.seconds))
        except FlashQError as error:
            if not self._gone:
                self._here.out.note(f"no connection ({error}); trying again")
            self._gone = True
        else:
            if self._gone:
                self._here.out.note("connected again")
            self._gone = False


def _print(here: Here, event: "Event") -> None:
    if here.as_json:
        here.out.json({key: value for key, value in vars(event).items() if key != "event"})
        return
    at = datetime.fromtimestamp(event.timestamp / 1000, UTC)
    parts = [f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {event.event_type:<11} {event.queue} {event.job_id}"]
    parts += [f"{event.progress} %"] if event.progress is not None else []
    parts += [first_line(event.error)] if event.error else []
    parts += [short(event.data, 1000)] if event.data is not None else []
    here.out.line("  ".join(parts))
