"""FLOW and GETCHILDREN."""
from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson

from flashq._core.engine import Rejected
from flashq._core.flows import Flows
from flashq.commands.flows import OPTIONS
from flashq.errors import BY_STATUS, FLOW_EMPTY, INTERNAL_ERROR, PARENT_NOT_FOUND, Refused
from flashq.server.handlers.call import Body, Call
from flashq.server.handlers.items import listed


class FlowHandlers:
    """Owns nothing: the engine keeps the flows."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def create(self, call: Call) -> Body:
        """All or nothing."""
        children = call.values["children"]
        if not children:
            raise Refused(FLOW_EMPTY)
        frames = [_push(child, call.msgpack) for child in children]
        try:
            parent_id, ids = self._flows.create(
                _push(call.values, call.msgpack), frames, call.msgpack, call.values["fail_parent"]
            )
        except Rejected as rejected:
            error = BY_STATUS.get(rejected.status, INTERNAL_ERROR)
            refused = _refused(rejected.field, call.values)
            key = refused.get("unique_key") or ""
            raise Refused(error, field=rejected.field, number=rejected.number, text=key.encode()) from None
        return {"parent_id": parent_id, "children_ids": ids}

    def children(self, call: Call) -> Body:
        """Also of a parent that has left its wait."""
        parent_id = call.values["parent_id"]
        found = self._flows.children(parent_id, call.msgpack)
        if found is None:
            raise Refused(PARENT_NOT_FOUND, number=parent_id)
        jobs, completed, ids = found
        return {"parent_id": parent_id, "children": listed(jobs, call.msgpack), "children_ids": ids,
                "completed": completed, "total": len(ids)}


def _push(values: dict[str, Any], in_msgpack: bool) -> bytes:
    """The PUSH of one job of the flow, in the format that its client speaks."""
    options = {field.name: values[field.name] for field in OPTIONS if values[field.name] != field.default}
    request = {"cmd": "PUSH", "queue": values["queue"], **options}
    frame: bytes = msgpack.packb(request) if in_msgpack else orjson.dumps(request)
    return frame


def _refused(where: str, values: dict[str, Any]) -> dict[str, Any]:
    """The job that the engine refused: the parent, or `children[i]`."""
    if not where.startswith("children["):
        return values
    child: dict[str, Any] = values["children"][int(where[len("children["):-1])]
    return child
