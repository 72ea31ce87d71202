"""The operator's choices: config.toml, checked whole when it is loaded.

Nothing here decides what is valid on the ledger (that stands in genesis and epochs); it says
where the gateway listens and how much of this machine it may use.
"""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.errors import ConfigError

EMBEDDED = "embedded"
EXTERNAL = "external"
BROKER_KINDS = (EMBEDDED, EXTERNAL)
# RFC 1035 section 2.3.4
HOST_CHARS_MAX = 253
WORKERS_MAX = 64
PEERS_PORT = 8884
METRICS_PORT = 8885
ASK = "ask"
ALWAYS = "always"
TEXT = "text"
JSON = "json"


@dataclass(frozen=True)
class BrokerConfig:
    """Where MQTT happens. `listen` and `nats_server` matter to the embedded broker only."""

    kind: str
    listen: str
    host: str
    port: int
    nats_server: str


@dataclass(frozen=True)
class PeersConfig:
    """Where the other gateways come to; `listen` "" = nowhere."""

    listen: str
    host: str
    port: int


@dataclass(frozen=True)
class AllianceConfig:
    """What this member does without asking its operator."""

    approve_enrolments: str


@dataclass(frozen=True)
class PolicyConfig:
    """What answers events for this member; `file` "" = nobody but people."""

    file: str


@dataclass(frozen=True)
class MetricsConfig:
    """Where this gateway says how it is; `listen` "" = nowhere."""

    listen: str
    port: int


@dataclass(frozen=True)
class LogConfig:
    """How log lines are written: TEXT or JSON."""

    format: str


@dataclass(frozen=True)
class IngestConfig:
    """How much a stranger's messages may cost this machine."""

    workers: int
    pool_entries_max: int
    quarantine_entries_max: int
    quarantine_bytes_max: int


@dataclass(frozen=True)
class GatewayConfig:
    """The whole of config.toml."""

    site: str
    broker: BrokerConfig
    peers: PeersConfig
    alliance: AllianceConfig
    ingest: IngestConfig
    policy: PolicyConfig
    metrics: MetricsConfig
    log: LogConfig


@dataclass(frozen=True)
class _Key:
    """One key of the file: default (None = must be given), what is allowed, a comment on it."""

    default: str | int | None
    expected: str
    allows: Callable[[object], bool]
    comment: str


def _is_site(value: object) -> bool:
    try:
        topics.check_site(value)
    except WireError:
        return False
    return True


def _is_host(value: object) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= HOST_CHARS_MAX
        and all(char.isascii() and (char.isalnum() or char in ".-:_") for char in value)
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _integer(low: int, high: int, default: int | None, comment: str) -> _Key:
    def allows(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return _Key(default, f"an integer {low} to {high}", allows, comment)


_HOST = "a host name or IP address"
_KEYS: dict[str, dict[str, _Key]] = {
    "gateway": {
        "site": _Key(None, "[a-z0-9-]{1,32}", _is_site, "site of meters enrolled without --site"),
    },
    "broker": {
        "kind": _Key(
            EMBEDDED,
            " or ".join(f'"{kind}"' for kind in BROKER_KINDS),
            lambda value: value in BROKER_KINDS,
            '"embedded": a nats-server that the gateway runs; "external": any MQTT 3.1.1 broker '
            "(`wattle-gateway broker-config` writes files for mosquitto)",
        ),
        "host": _Key(None, _HOST, _is_host, "the name meters connect to; stands in site.json"),
        "port": _integer(1, 65535, 8883, "MQTT over TLS"),
        "listen": _Key("127.0.0.1", _HOST, _is_host, "embedded only: the address it binds"),
        "nats_server": _Key(
            "", "a path", _is_path, 'embedded only: the program; "" = the one installed with Wattle'
        ),
    },
    "peers": {
        "listen": _Key(
            "",
            f'{_HOST}, or ""',
            lambda value: value == "" or _is_host(value),
            'the address that the alliance\'s other gateways connect to; "": none, as one alone',
        ),
        "host": _Key(
            "127.0.0.1", _HOST, _is_host, "the name they reach it by; stands in our peer card"
        ),
        "port": _integer(1, 65535, PEERS_PORT, "WebSocket in TLS 1.3"),
    },
    "alliance": {
        "approve_enrolments": _Key(
            ASK,
            f'"{ASK}" or "{ALWAYS}"',
            lambda value: value in (ASK, ALWAYS),
            "meters that other members enrol and that a member of our role has to approve: "
            f'"{ASK}" waits for `wattle-gateway alliance approve`, "{ALWAYS}" approves them all',
        ),
    },
    "ingest": {
        "workers": _integer(1, WORKERS_MAX, 2, "threads that verify signatures"),
        "pool_entries_max": _integer(
            100,
            1_000_000,
            20_000,
            "durable samples waiting for a block; above it meters are told `busy`",
        ),
        "quarantine_entries_max": _integer(
            0, 1_000_000, 1_000, "refused messages kept for inspection; the oldest go first"
        ),
        "quarantine_bytes_max": _integer(0, 1 << 30, 4 << 20, "and their size together"),
    },
    "policy": {
        "file": _Key(
            "",
            'a path from this folder, or ""',
            _is_path,
            "a policy file, which answers events for this member; read when the gateway starts "
            "(`wattle-gateway dr policy` tries it)",
        ),
    },
    "metrics": {
        "listen": _Key(
            "",
            f'{_HOST}, or ""',
            lambda value: value == "" or _is_host(value),
            "the address of /metrics, /healthz and /readyz, plain HTTP for whoever reaches it: "
            '"127.0.0.1", or one of a network of your own; "": none',
        ),
        "port": _integer(1, 65535, METRICS_PORT, "HTTP"),
    },
    "log": {
        "format": _Key(
            TEXT,
            f'"{TEXT}" or "{JSON}"',
            lambda value: value in (TEXT, JSON),
            "lines on standard error: for people, or a JSON object each",
        ),
    },
}


def load(path: Path) -> GatewayConfig:
    """The configuration in a file.

    Raises ConfigError that names file, key, what was found and what was expected.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return parse(document, str(path))


def parse(document: dict[str, object], source: str) -> GatewayConfig:
    """The configuration in a parsed TOML document; `source` names it in errors."""
    for section in document:
        if section not in _KEYS:
            raise ConfigError(f"{source}: [{section}] is not known; known: {_list(_KEYS)}")
    values = {section: _section(document, section, source) for section in _KEYS}
    return GatewayConfig(
        site=str(values["gateway"]["site"]),
        broker=BrokerConfig(**values["broker"]),
        peers=PeersConfig(**values["peers"]),
        alliance=AllianceConfig(**values["alliance"]),
        ingest=IngestConfig(**values["ingest"]),
        policy=PolicyConfig(**values["policy"]),
        metrics=MetricsConfig(**values["metrics"]),
        log=LogConfig(**values["log"]),
    )


def render(given: dict[str, dict[str, str | int]]) -> str:
    """A commented config.toml with `given` values and the defaults of the rest."""
    lines = [
        "# Configuration of one Wattle gateway; read when it starts.",
        "# Every key is listed. What is valid on the ledger is not set here but in its genesis.",
    ]
    for section, keys in _KEYS.items():
        lines += ["", f"[{section}]"]
        for name, key in keys.items():
            value = given.get(section, {}).get(name, key.default)
            assert value is not None, name
            text = f'"{value}"' if isinstance(value, str) else str(value)
            lines += [f"# {key.comment}; {key.expected}", f"{name} = {text}"]
    return "\n".join(lines) + "\n"


def _section(document: dict[str, object], section: str, source: str) -> dict[str, Any]:
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {section} is {table!r}, expected a table [{section}]")
    known = _KEYS[section]
    for name in table:
        if name not in known:
            raise ConfigError(f"{source}: {section}.{name} is not known; known: {_list(known)}")
    result: dict[str, Any] = {}
    for name, key in known.items():
        value = table.get(name, key.default)
        if value is None:
            raise ConfigError(f"{source}: {section}.{name} is missing, expected {key.expected}")
        if not key.allows(value):
            raise ConfigError(f"{source}: {section}.{name} is {value!r}, expected {key.expected}")
        result[name] = value
    return result


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
