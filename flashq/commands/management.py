"""Changing single jobs from outside, read by the core itself."""
from flashq.commands.shared import AGAIN, GONE_AGAIN, ID, ROOM_ERRORS
from flashq.errors import (
    CANNOT_CANCEL,
    CANNOT_DISCARD,
    CANNOT_PRIORITIZE,
    DATA_TOO_LARGE,
    JOB_NOT_FOUND,
    NOT_DELAYED,
    NOT_FOUND_DELAYED,
    NOT_PROCESSING,
)
from flashq.fields import Command, Field, Kind

_DATA = Field("data", Kind.RAW, "The new payload, any value; at most `max_job_size` bytes.", required=True)

COMMANDS = (
    Command(
        "CANCEL", "Remove a job that has not ended. A worker that holds it loses it; one that said HELLO with `push` "
        'hears `{event: "cancel", id, queue, token}`.', (ID,), (),
        (JOB_NOT_FOUND, CANNOT_CANCEL), "hot", GONE_AGAIN,
        ({"cmd": "CANCEL", "id": 97}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "CHANGEPRIORITY", "Give a job that has not completed another priority.",
        (ID, Field("priority", Kind.I32, "Greater runs sooner.", required=True)), (),
        (CANNOT_PRIORITIZE,), "hot", AGAIN,
        ({"cmd": "CHANGEPRIORITY", "id": 97, "priority": 10}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "PROMOTE", "Make a delayed job ready now.", (ID,), (),
        (NOT_FOUND_DELAYED, NOT_DELAYED), "hot", "Safe: the second is refused and changes nothing.",
        ({"cmd": "PROMOTE", "id": 97}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "MOVETODELAYED", "Take an active job back, to run again after `delay`; its attempts stay as they are.",
        (ID, Field("delay", Kind.U64, "ms from now until it may run.", required=True)), (),
        (NOT_PROCESSING,), "hot", "Safe: the second is refused, unless a worker has the job again by then.",
        ({"cmd": "MOVETODELAYED", "id": 97, "delay": 60000}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "UPDATEJOB", "Replace the data of a job that has not completed.", (ID, _DATA), (),
        (JOB_NOT_FOUND, DATA_TOO_LARGE, *ROOM_ERRORS), "hot", AGAIN,
        ({"cmd": "UPDATEJOB", "id": 97, "data": {"to": "c@d.e"}}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "UPDATE", "The same as UPDATEJOB.", (ID, _DATA), (),
        (JOB_NOT_FOUND, DATA_TOO_LARGE, *ROOM_ERRORS), "hot", AGAIN,
        ({"cmd": "UPDATE", "id": 97, "data": {"to": "c@d.e"}}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "DISCARD", "Make a job that has not ended a dead letter at once.", (ID,), (),
        (CANNOT_DISCARD,), "hot", "Safe: the second is refused and changes nothing.",
        ({"cmd": "DISCARD", "id": 97}, {"ok": True, "success": True}), changes=True,
    ),
    Command(
        "LOG", "Add a line to a job's log, which keeps the newest 100; of an active job it renews the lease.",
        (ID, Field("message", Kind.STR, "The line, cut after 64 KiB.", required=True),
         Field("level", Kind.STR, "Any word, cut after 11 bytes.", default="info")), (),
        (JOB_NOT_FOUND, *ROOM_ERRORS), "hot", "It adds a second line.",
        ({"cmd": "LOG", "id": 97, "message": "page 4 of 10", "level": "debug"}, {"ok": True, "success": True}),
        changes=True,
    ),
)
