"""The rule of queue names, as flashq/_core/queue.pyx checks it at each push, for what wants to know it before."""
from flashq.errors import QUEUE_NAME_CHARS, QUEUE_NAME_EMPTY, QUEUE_NAME_LONG, ErrorCode

MAX_BYTES = 256


def wrong_queue_name(name: str) -> ErrorCode | None:
    """The entry of the table that says what is wrong with it; None for a good one."""
    if not name:
        return QUEUE_NAME_EMPTY
    if len(name.encode()) > MAX_BYTES:
        return QUEUE_NAME_LONG
    if not all(char.isalnum() or char in "_-." for char in name):
        return QUEUE_NAME_CHARS
    return None


def check_queue_name(name: object) -> str:
    """The name. TypeError or ValueError, with the name and what is wrong with it."""
    if not isinstance(name, str):
        raise TypeError(f"a queue's name is a str, not {type(name).__name__}")
    if (wrong := wrong_queue_name(name)) is not None:
        raise ValueError(f"queue '{name}': {wrong.text}")
    return name
