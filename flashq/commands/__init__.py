"""THE command table: each command's fields, limits, reply and errors, once; a room for each kind of work.

The core's parsers (flashq/_core/fieldtable), the Dispatcher and docs/commands.md read it. Hot commands share one
field table, so a name has one kind, limit and set of aliases in all of them; a cold command's fields are its own.
"""
from dataclasses import replace

from flashq.commands import (
    access,
    cron,
    dead,
    durable,
    flows,
    jobs,
    kv,
    management,
    pubsub,
    queues,
    reading,
    statistics,
)
from flashq.commands.options import ON_DUPLICATE, ON_PARENT_FAILURE, PUSH_OPTIONS
from flashq.commands.retry import ATTEMPT_TEXT, ATTEMPTS_KEPT, REASONS, RETRY_TYPES
from flashq.commands.shared import COMMON, MAX_BATCH, QUEUE_RULE, STATES
from flashq.errors import (
    AUTH_REQUIRED,
    BAD_REQ_ID,
    BAD_TYPE,
    DUPLICATE_FIELD,
    MISSING_FIELD,
    OUT_OF_RANGE,
    SHUTTING_DOWN,
    TEXT_TOO_LONG,
    ErrorCode,
)
from flashq.fields import Command, Field, Kind, ReplyField

__all__ = ["ANY_COMMAND_ERRORS", "ATTEMPTS_KEPT", "ATTEMPT_TEXT", "BY_NAME", "COMMANDS", "COMMON",
           "MAX_BATCH", "ON_DUPLICATE", "ON_PARENT_FAILURE", "PUSH_OPTIONS", "QUEUE_RULE", "REASONS", "RETRY_TYPES",
           "STATES", "Command", "Field", "Kind", "ReplyField"]


def _whole(command: Command) -> Command:
    """With the field of all that change something."""
    return replace(command, fields=(*command.fields, durable.RECEIPT)) if command.changes else command


COMMANDS: tuple[Command, ...] = tuple(map(_whole, (
    *jobs.COMMANDS,
    *access.COMMANDS,
    *reading.COMMANDS,
    *management.COMMANDS,
    *dead.COMMANDS,
    *queues.COMMANDS,
    *statistics.COMMANDS,
    *cron.COMMANDS,
    *flows.COMMANDS,
    *kv.COMMANDS,
    *pubsub.COMMANDS,
    *durable.COMMANDS,
)))
BY_NAME: dict[str, Command] = {command.name: command for command in COMMANDS}
# What any command may be refused with, beside a frame that cannot be read.
ANY_COMMAND_ERRORS: tuple[ErrorCode, ...] = (
    AUTH_REQUIRED, SHUTTING_DOWN, MISSING_FIELD, BAD_TYPE, OUT_OF_RANGE, TEXT_TOO_LONG, DUPLICATE_FIELD, BAD_REQ_ID,
)
