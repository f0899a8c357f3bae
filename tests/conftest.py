"""Fixtures that all tests share; what they are made of stands in support/."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from flashq.testing import TestServer, allow_real_server
from support.certificates import Certificate, make_certificate
from support.server import PACKAGE_ROOT, ServerProcess
from support.simulated import Client, Simulation, simulation
from support.wire import CODECS, Codec

SLOW_BUILD = os.environ.get("FLASHQ_ASAN") == "1"
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("default", max_examples=30 if SLOW_BUILD else 100, deadline=None, suppress_health_check=QUIET)
settings.register_profile("full", max_examples=2000, deadline=None, suppress_health_check=QUIET, print_blob=True)
settings.load_profile(os.environ.get("FLASHQ_TEST_PROFILE", "default"))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what runs in the background so, and every process that a test starts would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

allow_real_server()     # most tests of apps have a server process

StartServer = Callable[..., ServerProcess]
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here, because pytest reads the options before it looks into folders."""
    parser.addoption("--address", help="host:port of the server that tests/conformance asks; else one is started")


def pytest_report_header() -> str:
    """Which build is tested: a sanitizer run that imports the normal one would show nothing."""
    return f"flashq: {PACKAGE_ROOT / 'flashq'}"


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers with the flags and environment given; each is stopped and checked at the end of the test."""
    started: list[ServerProcess] = []

    def start(*flags: str, **options: Any) -> ServerProcess:
        started.append(ServerProcess(tmp_path, *flags, **options))
        return started[-1]

    yield start
    try:
        for server in started:
            if server.process.returncode is None:
                server.stop()
    finally:
        for server in started:
            server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with the defaults, shared by the tests of a module: each takes queue names of its own."""
    running = ServerProcess(tmp_path_factory.mktemp("server"))
    try:
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture(params=list(CODECS))
def codec(request: pytest.FixtureRequest) -> Codec:
    """Each test that asks for it runs once in JSON and once in MessagePack."""
    return CODECS[request.param]


@pytest.fixture
def sim() -> Iterator[Simulation]:
    """A simulated server with the defaults; a module whose tests want other settings has its own."""
    with simulation() as running:
        yield running


@pytest.fixture
def client(sim: Simulation, codec: Codec) -> Client:
    """A client of the simulated server: the test runs in both formats."""
    return sim.connect(codec)


@pytest.fixture
def worker(sim: Simulation) -> Client:
    """Another one, in JSON, for what is done beside the matter of a test."""
    return sim.connect()


@pytest.fixture
def still() -> Iterator[TestServer]:
    """A server in this process whose clock stands still at NEW_YEAR."""
    with TestServer(now=NEW_YEAR, frozen=True) as server:
        yield server


@pytest.fixture
def queue_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test of the server uses."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in request.node.name)
    return f"{plain[:200]}-{os.getpid()}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for localhost and 127.0.0.1 that the server and the clients of a test share."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
