"""Which test servers of this process run, and which apps may be used beside them: no real server by accident."""
import weakref

from flashq.client.endpoint import Endpoint, parse
from flashq.tasks import app as apps
from flashq.tasks.app import App

_Place = tuple[str, int, str]
_running: dict[_Place, object] = {}     # and what stands for that one run: a later server may get the same port
_connected: weakref.WeakKeyDictionary[App, tuple[_Place, object]] = weakref.WeakKeyDictionary()
_allowed: weakref.WeakSet[App] = weakref.WeakSet()
_all_allowed = False


def begun(url: str) -> None:
    """A test server serves there: from now on apps that are connected to none are refused."""
    _running[_place(parse(url))] = object()
    if check not in apps.USE_CHECKS:
        apps.USE_CHECKS.append(check)


def ended(url: str) -> None:
    """It does so no more."""
    _running.pop(_place(parse(url)), None)


def connected(app: App) -> None:
    """The app was pointed to a test server that runs."""
    place = _place(app.endpoint)
    _connected[app] = (place, _running[place])


def allow_real_server(*apps: App) -> None:
    """Let these apps reach a real server although a test server runs or has run; without any, all of the process."""
    global _all_allowed
    _allowed.update(apps)
    _all_allowed = _all_allowed or not apps


def check(app: App) -> None:
    """RuntimeError for an app whose test server has ended, or that points to a real one which nobody has allowed."""
    if not (_is_tested(app) or _all_allowed or app in _allowed):
        raise RuntimeError(f"the app points to {app.endpoint}, which is no test server, and this process tests with "
                           "one: call server.connect(app) first (or flashq.testing.allow_real_server(app))")


def check_tested(app: App) -> None:
    """RuntimeError for an app that points to no test server which runs in this process."""
    if not _is_tested(app):
        raise RuntimeError(f"the app points to {app.endpoint}, which is no test server of this process: "
                           "call server.connect(app) first")


def _is_tested(app: App) -> bool:
    """RuntimeError when the test server that it was connected to has ended."""
    place = _place(app.endpoint)
    run = _running.get(place)
    was, its_run = _connected.get(app, (None, None))
    if was == place and its_run is not run:
        raise RuntimeError("the test server this app was connected to has ended; call connect of another one")
    return run is not None


def _place(endpoint: Endpoint) -> _Place:
    return endpoint.host, endpoint.port, endpoint.path
