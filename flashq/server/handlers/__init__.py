"""The methods behind the cold commands, a room for each kind of work. `Command.handler` names one: `room.method`."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flashq._core.browse import Browser
from flashq._core.bus import Bus
from flashq._core.control import Control
from flashq._core.engine import Engine
from flashq._core.explain import Explainer
from flashq._core.flows import Flows
from flashq._core.gauges import Gauges
from flashq.config import Settings
from flashq.server.alarm import Alarm
from flashq.server.background import Task
from flashq.server.handlers.access import AccessHandlers
from flashq.server.handlers.call import Body, Call, Connection
from flashq.server.handlers.cron import CronHandlers
from flashq.server.handlers.dead import DeadHandlers
from flashq.server.handlers.events import EventHandlers
from flashq.server.handlers.flows import FlowHandlers
from flashq.server.handlers.kv import KvHandlers
from flashq.server.handlers.pubsub import PubSubHandlers
from flashq.server.handlers.queues import QueueHandlers
from flashq.server.handlers.reading import ReadingHandlers
from flashq.server.handlers.statistics import StatisticsHandlers
from flashq.server.handlers.syncs import SyncHandlers
from flashq.server.handlers.waits import WaitHandlers
from flashq.server.kept import KeepingRoom, Kept
from flashq.server.replies import Refuser

Handler = Callable[[Call], Body | None]     # None: the reply comes later, by `Connection.answer`


@dataclass(frozen=True, slots=True)
class Rooms:
    """One of each; its attributes are the rooms' names. Each holds what it needs and knows no other."""

    access: AccessHandlers
    cron: CronHandlers
    dead: DeadHandlers
    events: EventHandlers
    flows: FlowHandlers
    kv: KvHandlers
    pubsub: PubSubHandlers
    queues: QueueHandlers
    reading: ReadingHandlers
    statistics: StatisticsHandlers
    syncs: SyncHandlers
    waits: WaitHandlers
    alarm: Alarm    # rung when a task may have become due earlier

    @property
    def punctual(self) -> tuple[Task, ...]:
        """What is to be done at times that somebody notices."""
        return self.cron, self.syncs, self.waits

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is to be done at times: also what tidies up, or counts, now and then."""
        return *self.punctual, self.kv, self.statistics

    @property
    def keeping(self) -> tuple[KeepingRoom, ...]:
        """What has entries that outlive the process."""
        return self.kv, self.cron

    def kept(self) -> list[Kept]:
        """All of those, for a snapshot."""
        return [(room.space, room.kept_keys(), room.kept) for room in self.keeping]

    def restore(self, entries: Mapping[tuple[int, bytes], bytes]) -> None:
        """Give each its own back. KeyError for a space that no room has."""
        rooms = {room.space: room for room in self.keeping}
        for (space, key), value in entries.items():
            rooms[space].restore(key, value)
        self.alarm.ring()

    def disconnected(self, connection: Connection) -> None:
        """What a connection left behind goes with it."""
        self.pubsub.disconnected(connection)
        self.events.disconnected(connection)
        self.syncs.disconnected(connection)
        self.waits.disconnected(connection)

    def at_eof(self, connection: Connection) -> None:
        """It sends no more: what it asked is answered now."""
        self.syncs.at_eof(connection)
        self.waits.at_eof(connection)

    def draining(self) -> None:
        """The server ends: nobody waits any more."""
        self.syncs.draining()
        self.waits.draining()

    def committed(self) -> None:
        """More is durable now."""
        self.syncs.committed()

    def endings(self) -> None:
        """Jobs that somebody waits for have ended."""
        self.waits.endings()

    def tell_events(self) -> None:
        """Events that somebody listens to are due: some of them."""
        self.events.tell()

    def find(self, handler: str) -> Handler:
        """The method that a command's `handler` names. AttributeError when there is none."""
        room, _, method = handler.partition(".")
        found: Handler = getattr(getattr(self, room), method)
        return found


def furnish(engine: Engine, settings: Settings, logger: Any) -> Rooms:
    """The rooms of one server."""
    alarm, browser, bus, control = Alarm(), Browser(engine), Bus(engine), Control(engine)
    refuse = Refuser(settings)
    rooms = Rooms(
        access=AccessHandlers(settings),
        cron=CronHandlers(engine, settings, alarm, logger),
        dead=DeadHandlers(browser, control),
        events=EventHandlers(bus, control, settings),
        flows=FlowHandlers(Flows(engine)),
        kv=KvHandlers(engine, settings, alarm),
        pubsub=PubSubHandlers(settings),
        queues=QueueHandlers(engine, control),
        reading=ReadingHandlers(engine, browser, Explainer(engine)),
        statistics=StatisticsHandlers(engine, Gauges(engine)),
        syncs=SyncHandlers(engine, settings, refuse, alarm),
        waits=WaitHandlers(engine, bus, settings, refuse, alarm),
        alarm=alarm,
    )
    rooms.queues.on_obliterate.append(rooms.cron.remove_queue)
    return rooms
