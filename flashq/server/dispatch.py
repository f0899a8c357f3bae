"""The cold tier: a frame in, its command's handler called, the whole reply out."""
import traceback

import structlog

from flashq._core.engine import Engine
from flashq.commands import COMMANDS
from flashq.config import Settings
from flashq.errors import INTERNAL_ERROR, NO_MEMORY, Refused
from flashq.server.handlers import Handler, furnish
from flashq.server.handlers.call import Call, Connection
from flashq.server.replies import Refuser, encode_ok, encode_req_id
from flashq.server.requests import check, decode, req_id_of


class Dispatcher:
    """Answers cold commands for the connections of one server. `refuse` makes the error replies of both tiers."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.refuse = Refuser(settings)
        self.rooms = furnish(engine, settings)
        self._log = structlog.get_logger()
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
            body = self._handlers[name](Call(connection, msgpack, request.values, req_id))
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
