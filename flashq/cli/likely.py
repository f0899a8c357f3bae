"""What listens where no flashQ server answers, by what it says to a line of JSON: in words, for the error."""

import socket
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flashq.client import Endpoint

LINE = b'{"cmd":"PING"}\r\n\r\n'     # the empty line ends a request of HTTP, which then is answered
MOST_SECONDS = 1.0
SERVICES = ((b"HTTP/", "a web server"), (b"<", "a web server"), (b"-", "Redis"), (b"SSH-", "an SSH server"),
            (b"220", "a mail or FTP server"), (b"AMQP", "an AMQP broker"))


def likely(there: "Endpoint", seconds: float) -> str:
    """What is wrong, or may be; asks without TLS and with it, and waits no longer than `seconds` for each. Empty
    when it is a flashQ server all the same."""
    said = b"" if there.path else _said(there, min(seconds, MOST_SECONDS))
    if said.startswith(b"{"):
        return "it speaks without TLS, so leave tls=1 out of the URL" if there.tls else ""
    for start, service in SERVICES:
        if said.startswith(start):
            return f"{service} seems to listen there"
    if there.tls:
        return "perhaps it is another service, or one without TLS"
    if not there.path and _speaks_tls(there, min(seconds, MOST_SECONDS)):
        return "it speaks TLS, so the URL needs ?tls=1"
    return "perhaps it is another service"


def _said(there: "Endpoint", seconds: float) -> bytes:
    """The first bytes of its answer; none when it says nothing, or hangs up."""
    try:
        with socket.create_connection((there.host, there.port), timeout=seconds) as sock:
            sock.sendall(LINE)
            return sock.recv(16)
    except OSError:
        return b""


def _speaks_tls(there: "Endpoint", seconds: float) -> bool:
    """Whoever it is: nothing is sent but the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (socket.create_connection((there.host, there.port), timeout=seconds) as sock,
              context.wrap_socket(sock, server_hostname=there.host)):
            return True
    except (OSError, ValueError):
        return False
