"""The operator's choices: config.toml, checked whole when it is loaded.

Nothing here decides what is valid on the ledger (that stands in genesis and epochs); it says
where the gateway listens and how much of this machine it may use.
"""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_gateway.config_keys import (
    ALWAYS,
    ASK,
    BROKER_KINDS,
    EMBEDDED,
    EXTERNAL,
    JSON,
    KEYS,
    METRICS_PORT,
    PEERS_PORT,
    TEXT,
    WORKERS_MAX,
)
from wattle_gateway.errors import ConfigError

__all__ = [
    "ALWAYS",
    "ASK",
    "BROKER_KINDS",
    "EMBEDDED",
    "EXTERNAL",
    "JSON",
    "METRICS_PORT",
    "PEERS_PORT",
    "TEXT",
    "WORKERS_MAX",
    "AlarmsConfig",
    "AllianceConfig",
    "BrokerConfig",
    "GatewayConfig",
    "IngestConfig",
    "LogConfig",
    "MetricsConfig",
    "PeersConfig",
    "PolicyConfig",
    "ResourcesConfig",
    "StorageConfig",
    "load",
    "load_storage",
    "parse",
    "render",
    "toml_value",
]


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
class StorageConfig:
    """What opens this folder; `key` "": it is not sealed."""

    key: str


@dataclass(frozen=True)
class ResourcesConfig:
    """What this gateway may use of its machine; 0: what the machine has."""

    disk_mib: int
    memory_mib: int
    cpu_percent: int


@dataclass(frozen=True)
class AlarmsConfig:
    """Where alarms go besides the log and the metrics; "" = nowhere."""

    mqtt: bool
    webhook: str
    webhook_secret_file: str


@dataclass(frozen=True)
class ArchiveConfig:
    """Where what is older than `retention_days` goes; `target` "" = it stays here. `plain`: not
    sealed, though the folder is."""

    target: str
    retention_days: int
    endpoint: str
    region: str
    credentials: str
    plain: bool = False


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
    storage: StorageConfig
    resources: ResourcesConfig
    alarms: AlarmsConfig
    archive: ArchiveConfig


def load(path: Path) -> GatewayConfig:
    """The configuration in a file.

    Raises ConfigError that names file, key, what was found and what was expected.
    """
    return parse(_document(path), str(path))


def load_storage(path: Path) -> StorageConfig:
    """What opens the folder of a configuration file, whatever else is wrong with it. Raises
    ConfigError as `load`."""
    return StorageConfig(**_section(_document(path), "storage", str(path)))


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the configuration: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def parse(document: dict[str, object], source: str) -> GatewayConfig:
    """The configuration in a parsed TOML document; `source` names it in errors."""
    for section in document:
        if section not in KEYS:
            raise ConfigError(f"{source}: [{section}] is not known; known: {_list(KEYS)}")
    values = {section: _section(document, section, source) for section in KEYS}
    return GatewayConfig(
        site=str(values["gateway"]["site"]),
        broker=BrokerConfig(**values["broker"]),
        peers=PeersConfig(**values["peers"]),
        alliance=AllianceConfig(**values["alliance"]),
        ingest=IngestConfig(**values["ingest"]),
        policy=PolicyConfig(**values["policy"]),
        metrics=MetricsConfig(**values["metrics"]),
        log=LogConfig(**values["log"]),
        storage=StorageConfig(**values["storage"]),
        resources=ResourcesConfig(**values["resources"]),
        alarms=AlarmsConfig(**values["alarms"]),
        archive=ArchiveConfig(**values["archive"]),
    )


def render(given: dict[str, dict[str, str | int]]) -> str:
    """A commented config.toml with `given` values and the defaults of the rest."""
    lines = [
        "# Configuration of one Wattle gateway; read when it starts.",
        "# Every key is listed. What is valid on the ledger is not set here but in its genesis.",
    ]
    for section, keys in KEYS.items():
        lines += ["", f"[{section}]"]
        for name, key in keys.items():
            value = given.get(section, {}).get(name, key.default)
            assert value is not None, name
            lines += [f"# {key.comment}; {key.expected}", f"{name} = {toml_value(value)}"]
    return "\n".join(lines) + "\n"


def _section(document: dict[str, object], section: str, source: str) -> dict[str, Any]:
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {section} is {table!r}, expected a table [{section}]")
    known = KEYS[section]
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


def toml_value(value: str | int) -> str:
    """A value as it stands in a TOML file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    # JSON's escapes are among those of a basic string (TOML 1.0).
    return json.dumps(value, ensure_ascii=False)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
