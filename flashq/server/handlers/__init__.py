"""The methods behind the cold commands, a room for each kind of work. `Command.handler` names one: `room.method`."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flashq.config import Settings
from flashq.server.handlers import management, queues, reading, statistics
from flashq.server.handlers.access import AccessHandlers
from flashq.server.handlers.call import Body, Call
from flashq.server.handlers.management import ManagementHandlers
from flashq.server.handlers.queues import QueueHandlers
from flashq.server.handlers.reading import ReadingHandlers
from flashq.server.handlers.statistics import StatisticsHandlers

Handler = Callable[[Call], Body]


class Engine(management.Engine, queues.Engine, reading.Engine, statistics.Engine, Protocol):
    """What all rooms together ask of the engine."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """One of each; its attributes are the rooms' names. Each holds what it needs and knows no other."""

    access: AccessHandlers
    management: ManagementHandlers
    queues: QueueHandlers
    reading: ReadingHandlers
    statistics: StatisticsHandlers

    def find(self, handler: str) -> Handler:
        """The method that a command's `handler` names. AttributeError when there is none."""
        room, _, method = handler.partition(".")
        found: Handler = getattr(getattr(self, room), method)
        return found


def furnish(engine: Engine, settings: Settings) -> Rooms:
    """The rooms of one server."""
    return Rooms(
        access=AccessHandlers(settings),
        management=ManagementHandlers(engine),
        queues=QueueHandlers(engine),
        reading=ReadingHandlers(engine),
        statistics=StatisticsHandlers(engine),
    )
