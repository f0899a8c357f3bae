"""The methods behind the cold commands, a room for each kind of work. `Command.handler` names one: `room.method`."""
from collections.abc import Callable
from dataclasses import dataclass

from flashq._core.browse import Browser
from flashq._core.control import Control
from flashq._core.engine import Engine
from flashq.config import Settings
from flashq.server.handlers.access import AccessHandlers
from flashq.server.handlers.call import Body, Call
from flashq.server.handlers.dead import DeadHandlers
from flashq.server.handlers.queues import QueueHandlers
from flashq.server.handlers.reading import ReadingHandlers
from flashq.server.handlers.statistics import StatisticsHandlers

Handler = Callable[[Call], Body]


@dataclass(frozen=True, slots=True)
class Rooms:
    """One of each; its attributes are the rooms' names. Each holds what it needs and knows no other."""

    access: AccessHandlers
    dead: DeadHandlers
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
    browser, control = Browser(engine), Control(engine)
    return Rooms(
        access=AccessHandlers(settings),
        dead=DeadHandlers(browser, control),
        queues=QueueHandlers(engine, control),
        reading=ReadingHandlers(engine, browser),
        statistics=StatisticsHandlers(engine),
    )
