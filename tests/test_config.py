"""Settings: where they come from, how they are read, what is refused, what stays secret."""

from pathlib import Path

import pytest

from flashq import machine
from flashq.config import SETTINGS, SettingError, Settings, load
from support.server import PACKAGE_ROOT

MIB = 1024 * 1024


def test_defaults() -> None:
    settings = load({}, {})
    assert (settings.host, settings.port, settings.unix_socket, settings.no_tcp) == ("127.0.0.1", 6789, "", False)
    assert (settings.max_frame, settings.max_job_size, settings.max_queues) == (16 * MIB, MIB, 10_000)
    assert (settings.lease, settings.disconnect_grace, settings.lost_workers) == (30_000, 5_000, 3)
    assert (settings.keep_completed, settings.keep_results) == (50_000, 5_000)
    assert settings.auth_tokens == () and settings.durability == "commit"
    assert (settings.data_dir, settings.sync_interval, settings.segment_size) == ("./flashq-data", 50, 64 * MIB)
    assert (settings.max_connections, settings.log_format) == (16_384, "console")
    assert 0 < settings.memory_limit < machine.memory_bytes()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load({}, {}).port = 1  # type: ignore[misc]


def test_flags_win_over_the_environment() -> None:
    environ = {"FLASHQ_LEASE": "10s", "FLASHQ_MAX_QUEUES": "5"}
    settings = load({"lease": "20s", "max_queues": None}, environ)
    assert (settings.lease, settings.max_queues) == (20_000, 5)


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"PORT": "7000"}, 7000),
        ({"TCP_PORT": "7001", "PORT": "7000"}, 7001),
        ({"TCP_PORT": "", "PORT": "7000"}, 7000),
        ({"TCP_PORT": "0"}, 0),
        ({"TCP_PORT": "many", "PORT": "7000"}, 6789),
        ({"PORT": "70000"}, 6789),
        ({"PORT": "-1"}, 6789),
        ({"PORT": "65535"}, 65535),
    ],
)
def test_ports_of_the_environment(environ: dict[str, str], port: int) -> None:
    assert load({}, environ).port == port


@pytest.mark.parametrize("text", ["many", "65536", "-1", "", "1.5"])
def test_a_bad_port_flag_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"^--port: "):
        load({"port": text}, {})


@pytest.mark.parametrize(
    ("value", "path"),
    [("1", "/tmp/flashq.sock"), ("", "/tmp/flashq.sock"), ("/run/q.sock", "/run/q.sock"), ("./q", "./q")],
)
def test_unix_socket_of_the_environment(value: str, path: str) -> None:
    assert load({}, {"UNIX_SOCKET": value}).unix_socket == path


def test_unix_socket_flag_is_taken_as_it_is() -> None:
    assert load({"unix_socket": "q.sock"}, {}).unix_socket == "q.sock"


@pytest.mark.parametrize(
    ("value", "tokens"), [("a", ("a",)), (" a , b,, ", ("a", "b")), ("", ()), ("ü", ("ü",))]
)
def test_tokens_are_trimmed_and_empty_ones_dropped(value: str, tokens: tuple[str, ...]) -> None:
    assert load({}, {"AUTH_TOKENS": value}).auth_tokens == tokens


@pytest.mark.parametrize("value", [",", " , ", " ", ",,,"])
def test_a_list_without_a_token_is_refused(value: str) -> None:
    """It must not start a server that everybody may use."""
    for flags, environ, source in (
        ({}, {"AUTH_TOKENS": value}, "AUTH_TOKENS"),
        ({"auth_tokens": value}, {}, "--auth-tokens"),
        ({"auth_tokens": value, "insecure": True}, {"AUTH_TOKENS": "a"}, "--auth-tokens"),
    ):
        with pytest.raises(SettingError, match=rf"^{source}: holds no token"):
            load(flags, environ)


@pytest.mark.parametrize("name", ["auth_tokens", "tls_cert", "tls_key", "unix_socket"])
def test_an_empty_flag_does_not_switch_off_what_it_names(name: str) -> None:
    with pytest.raises(SettingError, match=rf"^--{name.replace('_', '-')}: (is empty|holds no token)"):
        load({name: ""}, {})


def test_tokens_stay_secret() -> None:
    settings = load({}, {"AUTH_TOKENS": "hunter2"})
    assert "hunter2" not in repr(settings) and "hunter2" not in str(settings)
    with pytest.raises(SettingError) as caught:
        load({}, {"AUTH_TOKENS": "hunter2", "FLASHQ_LEASE": "soon"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"), [("65536", 65536), ("64KB", 65536), ("64k", 65536), ("2 MiB", 2 * MIB), ("1mb", MIB), ("9b", 9)]
)
def test_sizes(text: str, size: int) -> None:
    assert load({"max_job_size": text}, {}).max_job_size == size


@pytest.mark.parametrize(
    ("text", "ms"), [("500ms", 500), ("30s", 30_000), ("2 m", 120_000), ("1H", 3_600_000), ("0", 0)]
)
def test_times(text: str, ms: int) -> None:
    assert load({"disconnect_grace": text}, {}).disconnect_grace == ms


@pytest.mark.parametrize(
    ("flags", "environ", "told"),
    [
        ({}, {"FLASHQ_MAX_FRAME": "12x"}, "FLASHQ_MAX_FRAME: '12x' is no size"),
        ({}, {"FLASHQ_MAX_FRAME": "17MB"}, "FLASHQ_MAX_FRAME: 17825792 is not between 1024 and 16777216"),
        ({}, {"FLASHQ_LEASE": "30"}, "FLASHQ_LEASE: '30' is no time"),
        ({"lease": "-5s"}, {}, "--lease: '-5s' is no time"),
        ({"lease": "0"}, {}, "--lease: 0 is not between 1 and"),
        ({"max_queues": "0"}, {}, "--max-queues: 0 is not between 1 and"),
        ({"max_queues": "9" * 5000}, {}, "--max-queues: "),
        ({"max_queues": True}, {}, "--max-queues: True is not between"),
        ({"log_level": "loud"}, {}, "--log-level: 'loud' is none of debug, info, warning, error"),
        ({"durability": "always"}, {}, "--durability: 'always' is none of memory, interval, commit"),
        ({"segment_size": "63KB"}, {}, "--segment-size: 64512 is not between 65536 and"),
        ({"sync_interval": "0"}, {}, "--sync-interval: 0 is not between 1 and 60000"),
        ({"data_dir": ""}, {}, "--data-dir: is empty; leave it out, or name a path"),
        ({}, {"FLASHQ_NO_TCP": "maybe"}, "FLASHQ_NO_TCP: 'maybe' is neither 1 nor 0"),
        ({"insecure": 1}, {}, "--insecure: 1 is neither true nor false"),
        ({"colour": "red"}, {}, "colour: there is no such setting"),
        ({"tls_cert": "c.pem"}, {}, "--tls-key: must be given together with --tls-cert"),
        ({"tls_key": "k.pem"}, {}, "--tls-cert: must be given together with --tls-key"),
        ({"no_tcp": True}, {}, "--no-tcp: needs --unix-socket"),
        ({"max_frame": "1MB", "max_job_size": "2MB"}, {}, "--max-job-size: is larger than --max-frame"),
        ({"write_high_water": "2MB", "write_limit": "1MB"}, {}, "--write-high-water: is larger than --write-limit"),
        ({"host": "0.0.0.0"}, {}, "--host: others can reach '0.0.0.0'"),
        ({"host": "::"}, {}, "--host: others can reach '::'"),
        ({"host": ""}, {}, "--host: others can reach 'every address'"),
        ({"host": "example.org"}, {}, "--host: others can reach 'example.org'"),
        ({"host": "0.0.0.0"}, {"AUTH_TOKENS": ""}, "--host: others can reach '0.0.0.0'"),
    ],
)
def test_refused(flags: dict[str, object], environ: dict[str, str], told: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(flags, environ)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert load({"host": host}, {}).host == host


@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        ({"host": "0.0.0.0", "insecure": True}, {}),
        ({"host": "0.0.0.0"}, {"FLASHQ_INSECURE": "yes"}),
        ({"host": "0.0.0.0"}, {"AUTH_TOKENS": "a"}),
        ({}, {"AUTH_TOKENS": "a"}),
        ({"host": "0.0.0.0", "no_tcp": True, "unix_socket": "/run/q"}, {}),
    ],
)
def test_public_addresses_that_are_allowed(flags: dict[str, object], environ: dict[str, str]) -> None:
    assert load(flags, environ).host == "0.0.0.0"


def test_a_given_host_stays_when_tokens_are_set() -> None:
    assert load({"host": "127.0.0.1"}, {"AUTH_TOKENS": "a"}).host == "127.0.0.1"


def test_switches_of_the_environment() -> None:
    environ = {"UNIX_SOCKET": "/run/q", "FLASHQ_NO_TCP": "TRUE"}
    assert load({}, environ).no_tcp is True
    assert load({}, environ | {"FLASHQ_NO_TCP": "0"}).no_tcp is False


def test_values_may_come_in_their_own_type() -> None:
    settings = load({"lease": 200, "max_job_size": 10, "auth_tokens": ("a",)}, {})
    assert (settings.lease, settings.max_job_size, settings.auth_tokens) == (200, 10, ("a",))


def test_flags_and_variables_are_unique_and_named_alike() -> None:
    flags = [one.flag for one in SETTINGS]
    variables = [name for one in SETTINGS for name in one.env]
    assert len(set(flags)) == len(flags) and len(set(variables)) == len(variables)
    legacy = {"TCP_PORT", "PORT", "UNIX_SOCKET", "AUTH_TOKENS"}
    assert all(name in legacy or name.startswith("FLASHQ_") for name in variables)
    assert "--max-job-size" in flags and "FLASHQ_MAX_JOB_SIZE" in variables


def test_every_setting_has_help_and_a_default_within_its_limits() -> None:
    for one in SETTINGS:
        assert one.help.endswith(".") and one.section
        if one.type.ranged and one.default is not None:
            assert isinstance(one.default, int) and one.low <= one.default <= one.high, one.name


def test_the_engine_is_given_every_limit_it_names() -> None:
    text = (PACKAGE_ROOT / "flashq" / "_core" / "state.pxd").read_text()
    body = text.split("cdef struct Limits:")[1].split("\n\n")[0]
    names = {line.split("#")[0].split()[-1] for line in body.splitlines()[1:] if line.strip()}
    limits = Settings().engine_limits()
    assert set(limits) == names
    assert limits["reply_size"] + limits["job_size"] <= 16 * MIB


def test_memory_is_the_smaller_of_machine_and_container(tmp_path: Path) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemFree:  1 kB\nMemTotal:  2048 kB\n")
    assert machine.memory_bytes(meminfo, (limit,)) == 2 * MIB
    limit.write_text("max\n")
    assert machine.memory_bytes(meminfo, (limit,)) == 2 * MIB
    limit.write_text("1048576\n")
    assert machine.memory_bytes(meminfo, (limit,)) == MIB
    assert machine.memory_bytes(tmp_path / "none", ()) == machine.FALLBACK_BYTES
