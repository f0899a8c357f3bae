"""Changing jobs from outside."""
from flashq.commands.shared import GONE_AGAIN, ID
from flashq.errors import CANNOT_CANCEL, JOB_NOT_FOUND
from flashq.fields import Command

COMMANDS = (
    Command(
        "CANCEL", "Remove a job that has not ended; a worker that holds it loses it.", (ID,), (),
        (JOB_NOT_FOUND, CANNOT_CANCEL), "cold", GONE_AGAIN,
        ({"cmd": "CANCEL", "id": 97}, {"ok": True, "success": True}), "management.cancel",
    ),
)
