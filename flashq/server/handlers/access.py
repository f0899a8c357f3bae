"""AUTH, HELLO, PING: saying who one is, and whether the other is there."""
import hmac

from flashq import __version__
from flashq.commands import MAX_BATCH
from flashq.config import Settings
from flashq.errors import INVALID_TOKEN, Refused
from flashq.server.handlers.call import Body, Call, require


class AccessHandlers:
    """Knows the tokens, and what the server allows."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tokens = tuple(token.encode() for token in settings.auth_tokens)

    def auth(self, call: Call) -> Body:
        """Every token is compared, each in constant time: how long it takes tells nothing about any."""
        token = call.values["token"].encode()
        matches = [hmac.compare_digest(token, known) for known in self._tokens]
        if self._tokens and not any(matches):
            raise Refused(INVALID_TOKEN)
        call.connection.authenticated = True
        return {}

    def hello(self, call: Call) -> Body:
        """Name the session, and say what this server allows."""
        session, push = call.values["session"], call.values["push"]
        require(call.connection.hello(session, push) or 0)
        return {
            "session": session,
            "server": "flashq",
            "version": __version__,
            "push": push,
            "max_batch": MAX_BATCH,
            "max_frame": self._settings.max_frame,
            "max_job_size": self._settings.max_job_size,
            "max_parked": self._settings.max_parked,
        }

    def ping(self, _call: Call) -> Body:
        """Any answer will do."""
        return {"pong": True}
