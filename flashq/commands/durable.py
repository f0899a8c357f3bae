"""How sure a change is: what a push may ask for, what a reply may say, and waiting for the disk."""
from flashq.commands.shared import AGAIN
from flashq.config import DURABILITIES
from flashq.errors import NOTHING_SYNCED, POSITION_UNKNOWN, SYNC_TIMEOUT, TOO_MANY_PENDING
from flashq.fields import Command, Field, Kind, ReplyField

# Of every command that changes something.
RECEIPT = Field(
    "receipt", Kind.BOOL, "Show what the change survives, and where it stands: `receipt` {durability (`commit`: a "
    "crash of the machine, `interval`: of the server, `memory`: none), position (in the journal; see [SYNC](#sync))}.",
    default=False,
)
# Of every push.
DURABILITY = Field(
    "durability", Kind.CHOICE, "Wait for more than the server promises by its `--durability`, as for `commit` where "
    "that is `interval`; what asks for less, or as much, changes nothing.", choices=DURABILITIES,
)

COMMANDS = (
    Command(
        "SYNC", "Wait until changes are on disk.",
        (Field("position", Kind.U64, "Those up to this one, from a `receipt`; left out, all that were made so far."),
         Field("timeout", Kind.U64, "ms to wait; 0 = do not wait.", default=30_000)),
        (ReplyField("position", "u64", "All up to this one are on disk, and survive a crash of the machine."),),
        (POSITION_UNKNOWN, NOTHING_SYNCED, SYNC_TIMEOUT, TOO_MANY_PENDING), "cold", AGAIN,
        ({"cmd": "SYNC", "position": 431}, {"ok": True, "success": True, "position": 502}), "syncs.sync",
    ),
)
