"""TLS of the command port: the certificate and key that the operator gave, TLS 1.2 and later."""

import ssl
from pathlib import Path

from flashq.server.errors import StartError


def server_context(cert: str, key: str) -> ssl.SSLContext | None:
    """The context for the listener, or None when neither file is set. StartError names the file that is wrong."""
    if not cert and not key:
        return None
    if not cert or not key:
        lacking = "--tls-cert" if not cert else "--tls-key"
        raise StartError(f"TLS needs both files: {lacking} is not set")
    for flag, path in (("--tls-cert", cert), ("--tls-key", key)):
        if not Path(path).is_file():
            raise StartError(f"{flag}: there is no file {path}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key with a passphrase would ask at the terminal, and a server has none.
        context.load_cert_chain(cert, key, password=_no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise StartError(f"the TLS files {cert} and {key} do not make a certificate and its key: {error}") from None
    return context


def _no_passphrase() -> str:
    raise ValueError("the key is protected by a passphrase, which is not supported")
