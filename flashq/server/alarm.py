"""How a handler says that its timed work has become due earlier, without knowing who keeps the time."""
from collections.abc import Callable


class Alarm:
    """Silent until somebody listens: a server that is being built, or a test without a clock."""

    def __init__(self) -> None:
        self._listener: Callable[[], None] | None = None

    def listen(self, listener: Callable[[], None]) -> None:
        """The one that arms the timer."""
        self._listener = listener

    def ring(self) -> None:
        """Something may be due earlier than was thought."""
        if self._listener is not None:
            self._listener()
