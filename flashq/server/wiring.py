"""The parts of a server put together around an engine: the app has real clocks and sockets, simulations their own."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flashq._core.crowd import Crowd
from flashq._core.engine import Engine
from flashq._core.hub import Hub
from flashq.config import DURABILITIES, Settings
from flashq.server.background import Background
from flashq.server.clock import Reading
from flashq.server.dispatch import Dispatcher


@dataclass(frozen=True, slots=True)
class Wired:
    """What serves connections. Owner: who asked for it; `background` is closed before `hub`."""

    hub: Hub
    dispatcher: Dispatcher
    background: Background


def wire(
    engine: Engine,
    settings: Settings,
    loop: Any,
    log: Callable[..., object],
    store: Any = None,
    clock: Reading | None = None,
    logger: Any = None,
) -> Wired:
    """The hub of these settings, with its cold tier and what the clock sets off there.

    `loop` needs `call_later`; `store` and `clock` as the Hub takes them. `logger` hears what fails in the cold tier;
    unless it is given, the one of the process.
    """
    engine.set_defaults(**settings.push_defaults())
    engine.durability = DURABILITIES.index(settings.durability)
    dispatcher = Dispatcher(engine, settings, logger)
    rooms = dispatcher.rooms
    hub = Hub(
        engine,
        dispatcher,
        dispatcher.refuse,
        loop,
        max_frame=settings.max_frame,
        max_connections=settings.max_connections,
        write_high_water=settings.write_high_water,
        write_limit=settings.write_limit,
        write_timeout_ms=settings.write_timeout,
        auth_required=bool(settings.auth_tokens),
        store=store,
        unsynced_limit=settings.max_unsynced,
        log=log,
        clock=clock,
        rooms=rooms,
    )
    rooms.statistics.crowd = Crowd(hub)
    background = Background(hub, loop, rooms.tasks, log)
    rooms.alarm.listen(background.wake)
    background.wake()
    return Wired(hub, dispatcher, background)
