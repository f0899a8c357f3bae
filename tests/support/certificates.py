"""A throw-away certificate for 127.0.0.1 and localhost, made with the `openssl` program."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.tools import need_tool


@dataclass(frozen=True)
class Certificate:
    cert: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.cert))


def make_certificate(directory: Path, name: str = "server") -> Certificate:
    """A self-signed certificate and its key, valid for a day, as PEM files in `directory`."""
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    command = [need_tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.cert)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl made no certificate: {done.stderr}"
    return made
