"""Flows: jobs that wait for the jobs pushed with them."""
from flashq.commands.durable import DURABILITY
from flashq.commands.options import PUSH_OPTIONS
from flashq.commands.shared import AGAIN, MAX_BATCH, QUEUE, QUEUE_ERRORS, ROOM_ERRORS
from flashq.errors import (
    BATCH_TOO_LARGE,
    DATA_TOO_LARGE,
    DUPLICATE_KEY,
    FLOW_EMPTY,
    NOT_DURABLE,
    PARENT_NOT_FOUND,
)
from flashq.fields import Command, Field, Kind, ReplyField
from flashq.job_shape import JOB_EXAMPLE

_ON_DUPLICATE = Field("on_duplicate", Kind.CHOICE, "When another job holds `unique_key`: refuse the flow (`error`), or "
                      "take that job in place of this one (`existing`).", default="error",
                      choices=("error", "existing"))
# A window that a push of several jobs opens half-way could not be closed again when the rest is refused, and no payload
# that `replace` overwrote could be brought back.
OPTIONS = tuple(
    _ON_DUPLICATE if field.name == "on_duplicate" else field
    for field in PUSH_OPTIONS if not field.name.startswith("debounce_")
)
_CHILD = (QUEUE, *OPTIONS)
_PARENT = tuple(
    Field("data", Kind.RAW, "The parent's payload, any value.", aliases=("parent_data",)) if field.name == "data"
    else field for field in OPTIONS
)

COMMANDS = (
    Command(
        "FLOW",
        "Push a parent and its children as one: the parent waits until all of them are completed. [Rules](waiting.md).",
        (QUEUE, Field("children", Kind.OBJECTS, f"Up to {MAX_BATCH} of them: `queue` and push options each, but those "
                      "of debounce.", required=True, items=_CHILD), *_PARENT,
         Field("fail_parent", Kind.BOOL, "When a child is dead or removed, the parent is dead as well, as "
               "`dependency_failed`. Retrying the child does not bring it back; retrying the parent does, and it "
               "waits for no child then. Without, it waits until the child is retried and done.", default=False),
         DURABILITY),
        (ReplyField("parent_id", "u64", "Id of the parent, now `waiting-children`."),
         ReplyField("children_ids", "[u64]", "Ids of the children, in their order.")),
        (FLOW_EMPTY, BATCH_TOO_LARGE, DATA_TOO_LARGE, DUPLICATE_KEY, NOT_DURABLE, *ROOM_ERRORS,
         *QUEUE_ERRORS), "cold",
        "Makes another flow, unless each of its jobs has a `job_id`.",
        ({"cmd": "FLOW", "queue": "emails", "data": {"month": 5},
          "children": [{"queue": "emails", "data": 1}, {"queue": "emails", "data": 2}]},
         {"ok": True, "success": True, "parent_id": 98, "children_ids": [97, 129]}), "flows.create", changes=True,
    ),
    Command(
        "GETCHILDREN", "Show the children of a flow's parent.",
        (Field("parent_id", Kind.U64, "The parent.", required=True),),
        (ReplyField("parent_id", "u64", "The id asked for."),
         ReplyField("children", "[Job]", "Those whose data is kept."),
         ReplyField("children_ids", "[u64]", "All of them, in the order of the push."),
         ReplyField("completed", "u32", "How many are completed."), ReplyField("total", "u32", "How many there are.")),
        (PARENT_NOT_FOUND,), "cold", AGAIN,
        ({"cmd": "GETCHILDREN", "parent_id": 98},
         {"ok": True, "success": True, "parent_id": 98, "children": [{**JOB_EXAMPLE, "parent_id": 98}],
          "children_ids": [97], "completed": 0, "total": 1}), "flows.children",
    ),
)
