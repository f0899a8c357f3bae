"""The server under test: the one that `--address` names, or one with the defaults for all tests of this folder."""

from collections.abc import Callable, Iterator

import pytest

from conformance.talk import Names, Talk
from conftest import StartServer
from flashq.config import DURABILITIES
from support.server import ServerProcess
from support.wire import JSON, Codec

OpenTalk = Callable[[], Talk]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for each durability; once on a server that is there already."""
    if "address" in metafunc.fixturenames:
        modes = ["given"] if metafunc.config.getoption("--address") else list(DURABILITIES)
        metafunc.parametrize("address", modes, indirect=True, scope="session")


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    given = request.config.getoption("--address")
    if given:
        host, _, port = given.rpartition(":")
        yield host.strip("[]"), int(port)
        return
    server = ServerProcess(tmp_path_factory.mktemp("conformance"), "--durability", request.param)
    try:
        yield server.address
        server.stop()
    finally:
        server.kill()


@pytest.fixture
def names(request: pytest.FixtureRequest, address: tuple[str, int]) -> Iterator[Names]:
    """Names of this test alone; what was made under them is removed at its end."""
    given = Names(request.node.name)
    yield given
    with Talk(address, JSON) as talk:
        given.clean_up(talk)


@pytest.fixture
def open_talk(names: Names, address: tuple[str, int], codec: Codec) -> Iterator[OpenTalk]:
    """Opens further connections in the format of the test."""
    opened: list[Talk] = []

    def open_one() -> Talk:
        opened.append(Talk(address, codec))
        return opened[-1]

    yield open_one
    for talk in opened:
        talk.close()


@pytest.fixture
def talk(open_talk: OpenTalk) -> Talk:
    """One connection; the test runs once in JSON and once in MessagePack."""
    return open_talk()


@pytest.fixture
def queue(names: Names) -> str:
    """A queue of this test alone."""
    return names.queue()


@pytest.fixture
def start_own(request: pytest.FixtureRequest, start_server: StartServer) -> StartServer:
    """Starts a server with settings of the test's own; skips where a given address is to be tested."""
    if request.config.getoption("--address"):
        pytest.skip("needs settings of its own, which the server at --address may not have")
    return start_server
