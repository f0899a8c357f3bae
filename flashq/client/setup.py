"""What both clients are made with: where the server is, and how long a call may take."""
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from flashq.client import endpoint
from flashq.client.call import Call
from flashq.client.core import Core
from flashq.client.defaults import WAIT_MS
from flashq.client.endpoint import Endpoint
from flashq.client.streams import Told
from flashq.client.wire import Wire, wire_of

if TYPE_CHECKING:
    import ssl

DEADLINE = 30.0
CONNECT_TIMEOUT = 5.0
WAY_SHARE, WAY_SECONDS = 0.2, 0.5        # of a deadline, what an answer has to arrive


class Setup:
    """The settings of one client; `deadline` is in seconds, and that of each call that names none.

    `connect_timeout`: seconds that such a call waits for the first connection of the client; later ones it waits for
    until its deadline.
    """

    def __init__(
        self, url: str | Endpoint | None, token: str | None, format: str | None, tls: "ssl.SSLContext | None",
        session: str | None, deadline: float | None, on_told: Callable[[Told], object] | None,
        connect_timeout: float | None = None, on_connection: Callable[[bool, str], object] | None = None,
    ) -> None:
        there = url if isinstance(url, Endpoint) else endpoint.parse(url)
        chosen = format or there.format
        if chosen not in endpoint.FORMATS:
            raise ValueError(f"format must be one of {', '.join(endpoint.FORMATS)}")
        deadline = next((one for one in (deadline, there.deadline) if one is not None), DEADLINE)
        connect_timeout = next(
            (one for one in (connect_timeout, there.connect_timeout) if one is not None), CONNECT_TIMEOUT)
        if deadline <= 0:
            raise ValueError("deadline must be a positive number of seconds")
        if connect_timeout <= 0:
            raise ValueError("connect_timeout must be a positive number of seconds")
        self.endpoint = there
        self.tls = tls or there.ssl_context()
        self.format = chosen
        self.packer: Wire = wire_of(chosen)     # for packing only: any thread may
        self.deadline = deadline
        self.connect_timeout = connect_timeout
        self.on_connection = on_connection
        self._token = there.token if token is None else token
        self._session = session
        self._on_told = on_told

    def core(self) -> Core:
        """For a new start: after a fork, a process must not go on with what its parent has."""
        return Core(partial(wire_of, self.format), self._token, self._session, time.monotonic, self._on_told)

    def timed(self, call: Call[Any]) -> float:
        """Seconds until a call has failed: those of the wait that it asks for come on top of the client's own.

        One with a deadline of its own waits less than that at the server, so that the answer arrives in time.
        """
        if call.command not in WAIT_MS:
            return self.deadline if call.deadline is None else call.deadline
        wait_ms = call.fields.get("timeout", WAIT_MS[call.command])
        if call.deadline is None:
            return self.deadline + float(wait_ms) / 1000
        on_the_way = min(call.deadline * WAY_SHARE, WAY_SECONDS)
        call.fields["timeout"] = min(wait_ms, int((call.deadline - on_the_way) * 1000))
        return call.deadline
