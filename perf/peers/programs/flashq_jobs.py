"""flashQ: an async handler, pushed by one call."""
import tally

from flashq import App

app = App()


@app.task(queue="peers", retries=0)
async def noop() -> None:
    """An empty job."""
    tally.done()


def push(count: int) -> None:
    """In batches, some of them under way at once."""
    noop.push_many(() for _ in range(count))
