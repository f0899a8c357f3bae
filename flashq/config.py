"""Every setting once: its name, environment variables, flag, default, limits and help, as fields of `Settings`.

Units: sizes are bytes, times are milliseconds. The command line and docs/settings.md are made from `SETTINGS`.
"""
import dataclasses
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from flashq import setting_types as types
from flashq.machine import memory_share
from flashq.setting_types import DEFAULT_SOCKET, Setting, SettingError, setting

__all__ = ["SETTINGS", "Setting", "SettingError", "Settings", "load"]

KIB, MIB = 1024, 1024 * 1024
SECOND = 1000
MAX_COUNT = 2**31 - 1
MAX_TIME = 7 * 24 * 3600 * SECOND
DURABILITIES = ("memory", "interval", "commit")     # each promises more than the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server, checked."""

    host: str = setting(
        "Listening", types.TEXT, "127.0.0.1",
        "Address to listen on. Without tokens, one that others can reach needs --insecure.",
        default_text="127.0.0.1, or 0.0.0.0 when tokens are set",
    )
    port: int = setting(
        "Listening", types.COUNT, 6789, "TCP port; 0 takes a free one.", env=("TCP_PORT", "PORT"), high=65535,
        lenient=True,
    )
    unix_socket: str = setting(
        "Listening", types.SOCKET, "", "Path of a Unix socket to listen on as well. In the environment any value that "
        f"is no path stands for {DEFAULT_SOCKET}.", env=("UNIX_SOCKET",), default_text="none",
    )
    no_tcp: bool = setting("Listening", types.SWITCH, False, "Listen on the Unix socket only.")
    max_connections: int = setting(
        "Listening", types.COUNT, 16_384, "Connections at once; more are closed at once.", low=1, high=1_000_000
    )

    auth_tokens: tuple[str, ...] = setting(
        "Access", types.TOKENS, (), "Comma-separated tokens; with any set, each connection must AUTH first. The "
        "environment keeps them out of the list of processes.", env=("AUTH_TOKENS",), default_text="none", secret=True,
    )
    insecure: bool = setting("Access", types.SWITCH, False, "Allow an address that others can reach without tokens.")
    tls_cert: str = setting("Access", types.PATH, "", "PEM file of the certificate chain.", default_text="none")
    tls_key: str = setting("Access", types.PATH, "", "PEM file of its private key.", default_text="none")

    max_frame: int = setting(
        "Limits", types.SIZE, 16 * MIB, "Largest request; over it the connection is closed.", low=KIB, high=16 * MIB
    )
    max_job_size: int = setting(
        "Limits", types.SIZE, MIB, "Largest `data` or `result` of a job.", low=1, high=16 * MIB
    )
    max_queues: int = setting("Limits", types.COUNT, 10_000, "Queue names in use at once.", low=1, high=MAX_COUNT)
    memory_limit: int = setting(
        "Limits", types.SIZE, None, "Memory for jobs; over it pushes are refused, never ACK, FAIL or CANCEL.",
        low=MIB, high=2**62, default_factory=memory_share, default_text="60 % of the memory this process may use",
    )
    max_parked: int = setting(
        "Limits", types.COUNT, 1000, "Pulls of one connection that may wait at once; as many WAITJOBs.", low=1,
        high=1_000_000,
    )
    max_subscriptions: int = setting(
        "Limits", types.COUNT, 1000, "Channels of one connection; as many patterns, and queues whose events it wants.",
        low=1, high=1_000_000,
    )
    max_channels: int = setting(
        "Limits", types.COUNT, 10_000, "Channels that somebody listens to; queues whose events somebody wants.",
        low=1, high=1_000_000,
    )
    event_buffer: int = setting(
        "Limits", types.SIZE, 32 * MIB, "Events not sent to their listeners yet; what comes then is lost to them.",
        low=KIB, high=2**31,
    )
    kv_max_keys: int = setting("Limits", types.COUNT, 100_000, "Keys of the key-value store.", high=MAX_COUNT)
    kv_max_bytes: int = setting(
        "Limits", types.SIZE, 256 * MIB, "Keys and values together, with 200 bytes for each.", high=2**62
    )
    cron_max_entries: int = setting(
        "Limits", types.COUNT, 1000, "Cron entries. CRONLIST takes about 10 ms for each thousand.", high=100_000
    )
    write_high_water: int = setting(
        "Limits", types.SIZE, MIB, "Replies a client has not taken, after which none of its requests is read.",
        low=KIB, high=2**31,
    )
    write_limit: int = setting(
        "Limits", types.SIZE, 64 * MIB, "Replies a client has not taken, after which it is closed.", low=KIB,
        high=2**31,
    )
    write_timeout: int = setting(
        "Limits", types.TIME, 30 * SECOND, "A client that takes no reply for so long is closed.", low=1, high=MAX_TIME
    )

    keep_completed: int = setting(
        "Keeping", types.COUNT, 50_000, "Completed jobs whose state is remembered; past it the older half goes.",
        low=2, high=MAX_COUNT,
    )
    keep_results: int = setting(
        "Keeping", types.COUNT, 5000, "Completed jobs kept whole, with their result; past it the older half goes.",
        high=MAX_COUNT,
    )
    keep_result_bytes: int = setting(
        "Keeping", types.SIZE, 64 * MIB, "Data and results of those together; past it the oldest go.", high=2**62
    )
    durability: str = setting(
        "Durability", types.CHOICE, "commit", "What a reply promises. `commit`: what it shows is on disk. `interval`: "
        "it is written, and on disk a --sync-interval later. `memory`: nothing is written, and all is lost when the "
        "server stops.", choices=DURABILITIES,
    )
    data_dir: str = setting(
        "Durability", types.PATH, "./flashq-data", "Directory of the journal: one server at a time may use it."
    )
    sync_interval: int = setting(
        "Durability", types.TIME, 50, "With `interval`, the longest that a written change waits for the disk.", low=1,
        high=60 * SECOND,
    )
    segment_size: int = setting(
        "Durability", types.SIZE, 64 * MIB, "Size of the journal's files; two are held ready besides.", low=64 * KIB,
        high=1024 * MIB,
    )
    checkpoint_factor: int = setting(
        "Durability", types.COUNT, 2, "The whole state is written anew once the journal since the last time has grown "
        "to so many times the size of that, and to four segments. The directory takes at most this plus 3 times what "
        "the state takes, and 10 segments.", low=1, high=100,
    )
    max_unsynced: int = setting(
        "Durability", types.SIZE, 64 * MIB, "Changes that wait for the disk, after which no request is read until half "
        "of them are written.", low=64 * KIB, high=2**31,
    )

    default_timeout: int | None = setting(
        "Jobs", types.TIME, None, "`timeout` of jobs whose push leaves it out or null; an explicit 0 is kept. Here and "
        "below, jobs of FLOW and CRON too.", default_text="none",
    )
    default_max_attempts: int | None = setting(
        "Jobs", types.COUNT, None, "Likewise `max_attempts`.", high=2**32 - 1, default_text="none"
    )
    default_backoff: int | None = setting("Jobs", types.TIME, None, "Likewise `backoff`.", default_text="none")
    default_ttl: int | None = setting("Jobs", types.TIME, None, "Likewise `ttl`.", default_text="none")

    lease: int = setting(
        "Reservations", types.TIME, 30 * SECOND, "Time for a worker whose connection is lost, before its jobs go to "
        "others; renewed by PROGRESS and HEARTBEAT.", low=1, high=MAX_TIME,
    )
    disconnect_grace: int = setting(
        "Reservations", types.TIME, 5 * SECOND, "The same for a connection that said HELLO with a session.",
        high=MAX_TIME,
    )
    lost_workers: int = setting(
        "Reservations", types.COUNT, 3, "Workers a job may lose; at the last it becomes a dead letter. A missed "
        "`stall_timeout` counts as one, until the next HEARTBEAT if its worker was still connected. Attempts are not "
        "counted here.", low=1, high=1_000_000,
    )

    drain_timeout: int = setting(
        "Running", types.TIME, 30 * SECOND, "Time to end in after SIGTERM; a second signal hurries.", high=MAX_TIME
    )
    log_level: str = setting(
        "Running", types.CHOICE, "info", "Least important messages to log.",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = setting(
        "Running", types.CHOICE, "console", "`console` is for people, coloured on a terminal only. `json` is for log "
        "collectors: an object a line on stderr, and no banner on stdout.", choices=("console", "json"),
    )

    def engine_limits(self) -> dict[str, int]:
        """What the engine needs to know, by the names of `struct Limits` in flashq/_core/state.pxd."""
        return {
            "memory": self.memory_limit,
            "job_size": self.max_job_size,
            "queue_names": self.max_queues,
            "parked": self.max_parked,
            "completed": self.keep_completed,
            "results": self.keep_results,
            "result_bytes": self.keep_result_bytes,
            "default_lease": self.lease,
            "grace": self.disconnect_grace,
            "lost_workers": self.lost_workers,
            # Half a frame leaves room for the job that crosses it: clients refuse replies of over 16 MiB.
            "reply_size": self.max_frame // 2,
            "event_bytes": self.event_buffer,
        }

    def push_defaults(self) -> dict[str, int | None]:
        """What pushes get for options that they leave out, as Engine.set_defaults takes it."""
        return {
            "timeout": self.default_timeout,
            "max_attempts": self.default_max_attempts,
            "backoff": self.default_backoff,
            "ttl": self.default_ttl,
        }


SETTINGS: tuple[Setting, ...] = tuple(types.described(field) for field in dataclasses.fields(Settings))


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings that flags (by setting name; None = not given) and the environment make. Flags win.

    SettingError names the setting that is wrong, by the flag or variable it came from.
    """
    unknown = sorted(set(flags) - {one.name for one in SETTINGS})
    if unknown:
        raise SettingError(f"{unknown[0]}: there is no such setting")
    given: dict[str, object] = {}
    for one in SETTINGS:
        value = one.given(flags.get(one.name), environ)
        if value is not None:
            given[one.name] = value
    if given.get("auth_tokens") and "host" not in given:
        given["host"] = "0.0.0.0"
    settings = Settings(**given)  # type: ignore[arg-type]  # each value was made by its own setting's parser
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """What only shows when settings are looked at together."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        lacking, other = ("--tls-cert", "--tls-key") if settings.tls_key else ("--tls-key", "--tls-cert")
        raise SettingError(f"{lacking}: must be given together with {other}")
    if settings.no_tcp and not settings.unix_socket:
        raise SettingError("--no-tcp: needs --unix-socket, else there is nothing to listen on")
    if settings.max_job_size > settings.max_frame:
        raise SettingError("--max-job-size: is larger than --max-frame, so that no such job could be sent")
    if settings.write_high_water > settings.write_limit:
        raise SettingError("--write-high-water: is larger than --write-limit")
    if not (settings.no_tcp or settings.auth_tokens or settings.insecure or is_loopback(settings.host)):
        raise SettingError(
            f"--host: others can reach {settings.host or 'every address'!r} and no AUTH_TOKENS are set; "
            "set some, or say --insecure"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. Names other than localhost count as public."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
