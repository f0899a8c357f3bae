"""The cold tier: a frame in, its command's handler called, the whole reply out."""
import traceback
from typing import Any

import structlog

from flashq._core.engine import Engine
from flashq.commands import COMMANDS
from flashq.config import DURABILITIES, Settings
from flashq.errors import INTERNAL_ERROR, NO_MEMORY, NOT_DURABLE, Refused
from flashq.server.handlers import Handler, furnish
from flashq.server.handlers.call import Body, Call, Connection
from flashq.server.replies import Refuser, encode_ok, encode_req_id
from flashq.server.requests import check, decode, req_id_of


class Dispatcher:
    """Answers cold commands for the connections of one server. `refuse` makes the error replies of both tiers."""

    def __init__(self, engine: Engine, settings: Settings, logger: Any = None) -> None:
        self._engine = engine
        self.refuse = Refuser(settings)
        self._log = logger or structlog.get_logger()
        self.rooms = furnish(engine, settings, self._log)
        self._handlers: dict[str, Handler] = {
            command.name: self.rooms.find(command.handler) for command in COMMANDS if command.tier == "cold"
        }

    def __call__(self, connection: Connection, msgpack: bool, frame: bytes) -> bytes | None:
        """The whole reply to one frame (framing bytes excluded), None when it comes later. Never raises."""
        req_id: bytes | None = None
        name = ""
        try:
            decoded = decode(msgpack, frame)
            text = req_id_of(decoded)
            req_id = None if text is None else encode_req_id(msgpack, text)
            request = check(decoded)
            name = request.command.name
            body = self._durable(Call(connection, msgpack, request.values, req_id), self._handlers[name])
            return None if body is None else encode_ok(msgpack, req_id, body)
        except Refused as refused:
            return self.refuse.refused(msgpack, req_id, refused)
        except MemoryError:
            return self.refuse.reply(msgpack, req_id, NO_MEMORY)
        except Exception:
            # As text, because a renderer given the exception itself may show local variables, and frames hold secrets.
            self._log.error("command_failed", command=name, exception=traceback.format_exc())
            return self.refuse.reply(msgpack, req_id, INTERNAL_ERROR)

    dispatch = __call__

    def _durable(self, call: Call, handler: Handler) -> Body | None:
        """What the handler says, with the receipt and the durability that were asked for."""
        engine = self._engine
        asked = call.values.get("durability")
        durability = engine.durability if asked is None else max(engine.durability, DURABILITIES.index(asked))
        if durability > engine.durability == 0:
            raise Refused(NOT_DURABLE)
        body = handler(call)
        if body is not None and call.values.get("receipt"):
            body["receipt"] = {"durability": DURABILITIES[durability], "position": engine.position}
        if durability > engine.durability:
            engine.answer_synced()
        return body
