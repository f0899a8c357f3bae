"""How long jobs wait that came before those that they wait for were done."""
FIRST_DELAY_MS = 250        # until a job comes again whose predecessor is not done; then twice as long each time
LONGEST_DELAY_MS = 30_000
MAX_DELAYED = 10_000        # of which it is known how often they came; others begin anew


class Delays:
    """How long jobs wait that came too early, each time longer."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def take(self, id: int) -> int:
        """The delay of a job that came too early once more; ms."""
        delay = self._next.pop(id, FIRST_DELAY_MS)
        self._next[id] = min(2 * delay, LONGEST_DELAY_MS)
        while len(self._next) > MAX_DELAYED:
            del self._next[next(iter(self._next))]
        return delay

    def forget(self, id: int) -> None:
        """It runs."""
        self._next.pop(id, None)
