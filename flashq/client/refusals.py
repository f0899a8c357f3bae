"""Refusals: one exception for each code of flashq/errors.py.

Made by `python -m flashq.generate`: change the tables it comes from.
"""
from flashq.client.errors import CommandError


class ServiceUnavailable(CommandError):
    """The machine gave no memory; nothing was changed. Try again later. The server is over `memory_limit`. Only pushes
    are refused; ACK, FAIL and CANCEL go on. The server drains; connect to it again in a moment.
    """

    code = "SERVICE_UNAVAILABLE"


class InvalidJson(CommandError):
    """The line breaks the grammar of RFC 8259."""

    code = "INVALID_JSON"


class InvalidUtf8(CommandError):
    """A text is not UTF-8, or is half of a surrogate pair."""

    code = "INVALID_UTF8"


class TooDeep(CommandError):
    """Objects and lists stand in each other more than 128 levels deep, the request itself included."""

    code = "TOO_DEEP"


class InvalidMsgpack(CommandError):
    """The frame is no MessagePack value, or holds bin, ext or a key that is not a str."""

    code = "INVALID_MSGPACK"


class NotAnObject(CommandError):
    """The frame holds a value, but no object or map."""

    code = "NOT_AN_OBJECT"


class MessageTooLarge(CommandError):
    """The frame is over `max_frame`; the connection is closed."""

    code = "MESSAGE_TOO_LARGE"


class DuplicateField(CommandError):
    """A field was given twice, perhaps once by an alias."""

    code = "DUPLICATE_FIELD"


class MissingField(CommandError):
    """A required field is absent, or null."""

    code = "MISSING_FIELD"


class InvalidField(CommandError):
    """A field has the wrong type."""

    code = "INVALID_FIELD"


class OutOfRange(CommandError):
    """A number is too small or too large. KVINCR past the end; nothing was changed."""

    code = "OUT_OF_RANGE"


class InvalidReqId(CommandError):
    """`reqId` is no string or too long, and so cannot be echoed."""

    code = "INVALID_REQ_ID"


class UnknownCommand(CommandError):
    """`cmd` names no command; names are upper case."""

    code = "UNKNOWN_COMMAND"


class FieldTooLong(CommandError):
    """A text is over its limit."""

    code = "FIELD_TOO_LONG"


class InvalidQueueName(CommandError):
    """`queue` is empty. `queue` is longer than 256 bytes. `queue` holds another character than letters, digits, `_`,
    `-` and `.`.
    """

    code = "INVALID_QUEUE_NAME"


class QueueLimit(CommandError):
    """The name is new and `max_queues` names are in use."""

    code = "QUEUE_LIMIT"


class DataTooLarge(CommandError):
    """`data` is over `max_job_size`. `message` is over `max_job_size`."""

    code = "DATA_TOO_LARGE"


class BatchTooLarge(CommandError):
    """A batch has more than 1000 items. KVMSET has more than 1000 entries."""

    code = "BATCH_TOO_LARGE"


class TooManyPending(CommandError):
    """`max_parked` pulls, or as many WAITJOBs, of one client wait."""

    code = "TOO_MANY_PENDING"


class AuthRequired(CommandError):
    """Tokens are set and this connection has not sent a valid AUTH."""

    code = "AUTH_REQUIRED"


class DiskFull(CommandError):
    """What adds jobs or data is refused until there is space again; ACK, FAIL and CANCEL go on. Try again later."""

    code = "DISK_FULL"


class StorageFailed(CommandError):
    """The disk did not take what was written. The change may be there after a restart, or not."""

    code = "STORAGE_FAILED"


class NotDurable(CommandError):
    """Nothing is written there that could be as durable. SYNC would wait for ever."""

    code = "NOT_DURABLE"


class JobNotFound(CommandError):
    """The id is unknown, or the job is not active any more. The id is unknown, or no parent of a flow. WAITJOB for an
    unknown id, or one that is no more.
    """

    code = "JOB_NOT_FOUND"


class JobNotActive(CommandError):
    """PROGRESS for a job that is not active. HEARTBEAT for a job that is not active."""

    code = "JOB_NOT_ACTIVE"


class CannotCancel(CommandError):
    """CANCEL for a job that has ended."""

    code = "CANNOT_CANCEL"


class StaleToken(CommandError):
    """The job was delivered again since; this delivery may change nothing any more."""

    code = "STALE_TOKEN"


class CannotPrioritize(CommandError):
    """CHANGEPRIORITY for a job that is unknown or completed."""

    code = "CANNOT_PRIORITIZE"


class NotDelayed(CommandError):
    """PROMOTE for a job in another state than `delayed`. PROMOTE for an unknown id."""

    code = "NOT_DELAYED"


class CannotDiscard(CommandError):
    """DISCARD for a job that is unknown or has ended."""

    code = "CANNOT_DISCARD"


class Contradiction(CommandError):
    """FAIL says that there is no retry, and also when or how there is one; or a pull names `queue` and `queues`."""

    code = "CONTRADICTION"


class DuplicateKey(CommandError):
    """Another job of the queue holds `unique_key`."""

    code = "DUPLICATE_KEY"


class Debounced(CommandError):
    """The window that an earlier push with this `debounce_id` opened is still open."""

    code = "DEBOUNCED"


class PushKeyTaken(CommandError):
    """A push with this `push_key` was taken not long ago, and this one is not it: of the two one is PUSH and one PUSHB,
    or their `jobs` differ in number.
    """

    code = "PUSH_KEY_TAKEN"


class NameLimit(CommandError):
    """Jobs of 256 names, each version counted, wait in the queue; `name` is another one."""

    code = "NAME_LIMIT"


class InvalidFlow(CommandError):
    """`children` is empty."""

    code = "INVALID_FLOW"


class InvalidState(CommandError):
    """CLEAN without one of these states, in letters of either case."""

    code = "INVALID_STATE"


class InvalidToken(CommandError):
    """AUTH with a token that is not among those set."""

    code = "INVALID_TOKEN"


class InternalError(CommandError):
    """A fault of the server, logged there with its cause."""

    code = "INTERNAL_ERROR"


class ReplyTooLarge(CommandError):
    """What was asked for does not fit in a frame: ask for less."""

    code = "REPLY_TOO_LARGE"


class TooManySubscriptions(CommandError):
    """None of the names of the request was added."""

    code = "TOO_MANY_SUBSCRIPTIONS"


class JobFailed(CommandError):
    """The job failed for good; its dead letter says more."""

    code = "JOB_FAILED"


class JobCancelled(CommandError):
    """The job was removed: by CANCEL, CLEAN, DRAIN or OBLITERATE."""

    code = "JOB_CANCELLED"


class JobExpired(CommandError):
    """The job's `ttl` ended before it was done."""

    code = "JOB_EXPIRED"


class Timeout(CommandError):
    """The job has not ended; it goes on. The disk is slow, or full; the change is not lost by that."""

    code = "TIMEOUT"


class WaiterClosed(CommandError):
    """The client sends no more while its WAITJOB waits."""

    code = "WAITER_CLOSED"


class PositionUnknown(CommandError):
    """`position` is none that a receipt showed."""

    code = "POSITION_UNKNOWN"


class InvalidKey(CommandError):
    """`key` is empty. `key` is over 1024 bytes."""

    code = "INVALID_KEY"


class ValueTooLarge(CommandError):
    """`value` is over 10 MiB as compact JSON."""

    code = "VALUE_TOO_LARGE"


class KvFull(CommandError):
    """The keys would not fit; nothing was changed."""

    code = "KV_FULL"


class NotAnInteger(CommandError):
    """KVINCR of a fraction, or of a number beyond 64 bits."""

    code = "NOT_AN_INTEGER"


class NotANumber(CommandError):
    """KVINCR of something else than a number."""

    code = "NOT_A_NUMBER"


class InvalidSchedule(CommandError):
    """Both are missing. `schedule` is too long. `*/N` or `repeat_every` with an N that is no number, 0, or beyond all
    time. `schedule` cannot be read, or never comes.
    """

    code = "INVALID_SCHEDULE"


class InvalidTimeZone(CommandError):
    """`tz` names no zone known here."""

    code = "INVALID_TIME_ZONE"


class CronLimit(CommandError):
    """`cron_max_entries` are listed, or the list would not fit in a frame any more."""

    code = "CRON_LIMIT"


class CronNotFound(CommandError):
    """There is no entry of this name."""

    code = "CRON_NOT_FOUND"


BY_CODE: dict[str, type[CommandError]] = {
    ServiceUnavailable.code: ServiceUnavailable,
    InvalidJson.code: InvalidJson,
    InvalidUtf8.code: InvalidUtf8,
    TooDeep.code: TooDeep,
    InvalidMsgpack.code: InvalidMsgpack,
    NotAnObject.code: NotAnObject,
    MessageTooLarge.code: MessageTooLarge,
    DuplicateField.code: DuplicateField,
    MissingField.code: MissingField,
    InvalidField.code: InvalidField,
    OutOfRange.code: OutOfRange,
    InvalidReqId.code: InvalidReqId,
    UnknownCommand.code: UnknownCommand,
    FieldTooLong.code: FieldTooLong,
    InvalidQueueName.code: InvalidQueueName,
    QueueLimit.code: QueueLimit,
    DataTooLarge.code: DataTooLarge,
    BatchTooLarge.code: BatchTooLarge,
    TooManyPending.code: TooManyPending,
    AuthRequired.code: AuthRequired,
    DiskFull.code: DiskFull,
    StorageFailed.code: StorageFailed,
    NotDurable.code: NotDurable,
    JobNotFound.code: JobNotFound,
    JobNotActive.code: JobNotActive,
    CannotCancel.code: CannotCancel,
    StaleToken.code: StaleToken,
    CannotPrioritize.code: CannotPrioritize,
    NotDelayed.code: NotDelayed,
    CannotDiscard.code: CannotDiscard,
    Contradiction.code: Contradiction,
    DuplicateKey.code: DuplicateKey,
    Debounced.code: Debounced,
    PushKeyTaken.code: PushKeyTaken,
    NameLimit.code: NameLimit,
    InvalidFlow.code: InvalidFlow,
    InvalidState.code: InvalidState,
    InvalidToken.code: InvalidToken,
    InternalError.code: InternalError,
    ReplyTooLarge.code: ReplyTooLarge,
    TooManySubscriptions.code: TooManySubscriptions,
    JobFailed.code: JobFailed,
    JobCancelled.code: JobCancelled,
    JobExpired.code: JobExpired,
    Timeout.code: Timeout,
    WaiterClosed.code: WaiterClosed,
    PositionUnknown.code: PositionUnknown,
    InvalidKey.code: InvalidKey,
    ValueTooLarge.code: ValueTooLarge,
    KvFull.code: KvFull,
    NotAnInteger.code: NotAnInteger,
    NotANumber.code: NotANumber,
    InvalidSchedule.code: InvalidSchedule,
    InvalidTimeZone.code: InvalidTimeZone,
    CronLimit.code: CronLimit,
    CronNotFound.code: CronNotFound,
}
