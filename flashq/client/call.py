"""One call as a value: which command with which fields, how its reply is read, and whether it may be sent again."""
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from flashq.client.methods import BY_COMMAND, Again
from flashq.client.results import Receipt
from flashq.client.shapes import Job

T = TypeVar("T")
Fields = dict[str, Any]
Reply = dict[str, Any]
OnReceipt = Callable[[Receipt], object]

KEY_SECONDS = 240.0     # the server knows a push_key for five minutes: not sent again in the last of them


class Call(NamedTuple, Generic[T]):
    """What a method was asked for. `deadline` is in seconds, None for the client's own.

    `lasting`: what a SUB or the like of it asks for holds for later connections, until it is taken back.
    """

    command: str
    fields: Fields
    read: Callable[[Reply], T]
    on_receipt: OnReceipt | None = None
    deadline: float | None = None
    lasting: bool = True

    def result(self, reply: Reply) -> T:
        """What the method returns; the receipt goes where it was asked for."""
        if self.on_receipt is not None and "receipt" in reply:
            self.on_receipt(Receipt(**reply["receipt"]))
        return self.read(reply)

    @property
    def again(self) -> bool:
        """Whether it may be sent twice, as the table of commands says."""
        return may_be_sent_again(self.command, self.fields)


def make(
    command: str, fields: Fields, read: Callable[[Reply], T], on_receipt: OnReceipt | None, deadline: float | None
) -> Call[T]:
    """A call of these fields; those that are None are left out, which the server takes for the same.

    A Job in place of an id brings its token along. A push gets a key, so that it may be sent again.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if isinstance(job := given.get("id"), Job):
        _name_delivery(given, job, "token" in fields)
    if command == "ACKB":
        _name_deliveries(given)
    if "push_key" in fields and "push_key" not in given:
        given["push_key"] = os.urandom(12).hex()    # of the system: the same state twice, after a fork, loses pushes
    if on_receipt is not None:
        given["receipt"] = True
    return Call(command, given, read, on_receipt, deadline)


def _name_delivery(fields: Fields, job: Job, fenced: bool) -> None:
    fields["id"] = job.id
    if fenced and job.token is not None:
        fields.setdefault("token", job.token)


def _name_deliveries(fields: Fields) -> None:
    ids: Sequence[Job | int] = fields["ids"]
    held = [one for one in ids if isinstance(one, Job)]
    if held and len(held) == len(ids) and all(job.token is not None for job in held):
        fields.setdefault("tokens", [job.token for job in held])
    fields["ids"] = [one.id if isinstance(one, Job) else one for one in ids]


_RULES: dict[Again, Callable[[Mapping[str, Any]], bool]] = {
    Again.ALWAYS: lambda _fields: True,
    Again.KEYED: lambda fields: "push_key" in fields,
    Again.FENCED: lambda fields: "token" in fields or "tokens" in fields,
    Again.UNLIMITED: lambda fields: not fields.get("limit"),
    Again.NAMED: lambda fields: all("job_id" in one for one in (fields, *fields["children"])),
    Again.NEVER: lambda _fields: False,
}


def may_be_sent_again(command: str, fields: Mapping[str, Any]) -> bool:
    """Whether a command with these fields changes nothing when it comes a second time."""
    return _RULES[BY_COMMAND[command].again](fields)
