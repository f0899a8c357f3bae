"""Whole replies, framing included: of the cold commands, and every error reply of both tiers."""
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq.commands import COMMANDS, PUSH_OPTIONS
from flashq.config import Settings
from flashq.errors import BAD_TYPE, BY_STATUS, INTERNAL_ERROR, LIMITS, OUT_OF_RANGE, STORAGE_FAILED, ErrorCode, Refused
from flashq.fields import RANGES, Kind, field_rule, kind_rule

SHOWN_NAME = 64  # characters of an unknown command's name that are told back
_LENGTH = struct.Struct(">I")
_HOT_FIELDS = {field.name: field for command in COMMANDS if command.tier == "hot" for field in command.fields}
_PARTS = {f"{field.name}.{part.name}": part for field in PUSH_OPTIONS for part in field.items}


@dataclass(frozen=True, slots=True)
class Raw:
    """A value that is encoded already, in the format of the reply it goes into; top level only."""

    value: bytes


def encode_req_id(in_msgpack: bool, req_id: str) -> bytes:
    """A reqId as the raw bytes that `encode` splices in: JSON's between the quotes, or UTF-8."""
    return req_id.encode() if in_msgpack else orjson.dumps(req_id)[1:-1]


def encode(in_msgpack: bool, req_id: bytes | None, body: Mapping[str, object]) -> bytes:
    """The reply with these keys, in their order, after `reqId`; `body` is never empty."""
    return _encode_msgpack(req_id, body) if in_msgpack else _encode_json(req_id, body)


def encode_ok(in_msgpack: bool, req_id: bytes | None, body: Mapping[str, object]) -> bytes:
    """A successful reply: `ok` and `success`, then these keys."""
    return encode(in_msgpack, req_id, {"ok": True, "success": True, **body})


def in_format(value: bytes, from_msgpack: bool, to_msgpack: bool) -> bytes:
    """A stored value in the format of a reply; integers past 64 bits become floats."""
    if from_msgpack == to_msgpack:
        return value
    found: bytes = msgpack.packb(orjson.loads(value)) if to_msgpack else orjson.dumps(msgpack.unpackb(value))
    return found


def _encode_json(req_id: bytes | None, body: Mapping[str, object]) -> bytes:
    shown = {key: orjson.Fragment(value.value) if isinstance(value, Raw) else value for key, value in body.items()}
    text = orjson.dumps(shown)
    if req_id is None:
        return text + b"\n"
    return b"".join((b'{"reqId":"', req_id, b'",', text[1:], b"\n"))


def _encode_msgpack(req_id: bytes | None, body: Mapping[str, object]) -> bytes:
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(body) + (req_id is not None))
    parts = [packer.bytes()]
    if req_id is not None:
        parts += [msgpack.packb("reqId"), _msgpack_str(req_id)]
    for key, value in body.items():
        parts += [msgpack.packb(key), value.value if isinstance(value, Raw) else msgpack.packb(value)]
    payload = b"".join(parts)
    return _LENGTH.pack(len(payload)) + payload


def _msgpack_str(utf8: bytes) -> bytes:
    """A MessagePack str of bytes that the core found to be UTF-8."""
    size = len(utf8)
    if size < 32:
        return bytes((0xA0 | size,)) + utf8
    return (b"\xd9" + bytes((size,)) if size < 256 else b"\xda" + struct.pack(">H", size)) + utf8


class Refuser:
    """Makes error replies; callable with what the core knows of a refusal."""

    def __init__(self, settings: Settings) -> None:
        self._limits = {name: getattr(settings, name) for name in LIMITS}

    def __call__(
        self, in_msgpack: bool, status: int, req_id: bytes | None, field: str | None, number: int, text: bytes | None
    ) -> bytes:
        """The error reply for a Status of the core. `req_id` is raw: escaped JSON without its quotes, or UTF-8."""
        error = BY_STATUS.get(status, INTERNAL_ERROR)
        return self.reply(in_msgpack, req_id, error, field or "", number, text)

    def partly(
        self, in_msgpack: bool, req_id: bytes | None, ids: list[int], failures: list[tuple[int, int, int, bytes | None]]
    ) -> bytes:
        """PUSHB's reply when items were refused; a failure is (index, Status, number, text)."""
        errors = [
            {"index": index, "error": self.told(Refused(BY_STATUS[status], number=number, text=text), in_msgpack)}
            for index, status, number, text in failures
        ]
        failed = [failure[0] for failure in failures]
        return encode_ok(in_msgpack, req_id, {"ids": ids, "errors": errors, "failed": failed})

    def reply(
        self,
        in_msgpack: bool,
        req_id: bytes | None,
        error: ErrorCode,
        field: str = "",
        number: int = 0,
        text: bytes | None = None,
    ) -> bytes:
        """The error reply for any error of the table."""
        return self.refused(in_msgpack, req_id, Refused(error, field=field, number=number, text=text))

    def refused(self, in_msgpack: bool, req_id: bytes | None, refused: Refused) -> bytes:
        """The error reply for what a check or a handler raised."""
        told = self.told(refused, in_msgpack)
        return encode(in_msgpack, req_id, {"ok": False, "error": told, "code": refused.error.code})

    def withdrawn(self, in_msgpack: bool, frames: bytes) -> bytes:
        """In place of replies that were held when the storage failed: an error for each; events are left out."""
        errors = []
        for reply in _decoded(in_msgpack, frames):
            if "ok" in reply:
                req_id = reply.get("reqId")
                told = None if req_id is None else encode_req_id(in_msgpack, req_id)
                errors.append(self.reply(in_msgpack, told, STORAGE_FAILED))
        return b"".join(errors)

    def told(self, refused: Refused, in_msgpack: bool = False) -> str:
        """What a client is told of a refusal."""
        return self.text(refused.error, refused.field, refused.number, refused.text, in_msgpack, refused.rule)

    def text(
        self,
        error: ErrorCode,
        field: str = "",
        number: int = 0,
        text: bytes | None = None,
        in_msgpack: bool = False,
        rule: str = "",
    ) -> str:
        """What a client is told. `field` and `number` as flashq/_core/status.pxd says of each Status."""
        template = error.msgpack_text if in_msgpack and error.msgpack_text else error.text
        name = (text or b"").decode(errors="replace")[:SHOWN_NAME]
        return template.format(
            field=field, number=number, text=name, rule=rule or _rule(error, field, number), **self._limits
        )


def _decoded(in_msgpack: bool, frames: bytes) -> Iterator[dict[str, Any]]:
    """Whole frames, as this server wrote them."""
    if not in_msgpack:
        yield from map(orjson.loads, frames.split(b"\n")[:-1])
        return
    at = 0
    while at < len(frames):
        (size,) = _LENGTH.unpack_from(frames, at)
        at += _LENGTH.size
        yield msgpack.unpackb(frames[at:at + size])
        at += size


def _rule(error: ErrorCode, field: str, number: int) -> str:
    """What the field must be. BAD_TYPE tells its Kind, OUT_OF_RANGE its largest value."""
    name = field.partition("].")[2] or field  # `jobs[3].priority` is priority
    if name in _PARTS:
        return field_rule(_PARTS[name])
    hot = _HOT_FIELDS.get(name)
    if error in (BAD_TYPE, OUT_OF_RANGE) and hot is not None and (hot.rule or hot.choices):
        return field_rule(hot)
    if error is BAD_TYPE:
        return kind_rule(Kind(number)) if number in Kind._value2member_map_ else "of another type"
    if error is OUT_OF_RANGE:
        return kind_rule(hot.kind if hot is not None and hot.kind in RANGES else Kind.U64, number)
    return ""
