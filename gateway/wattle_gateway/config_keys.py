"""The keys of config.toml: their defaults, what each allows, and the comment `init` writes."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.errors import StorageKeyError
from wattle_gateway.sealing import storage_key

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
# A month is billed and disputed from what is here; what is older is asked for seldom.
RETENTION_DAYS = 30
JSON = "json"
# A webhook's address; what is longer is no address that anybody typed.
URL_CHARS_MAX = 2_000
_LOOPBACKS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Key:
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


def _is_storage_key(value: object) -> bool:
    if value == "":
        return True
    try:
        return isinstance(value, str) and bool(storage_key.check_form(value))
    except StorageKeyError:
        return False


def _is_archive_target(value: object) -> bool:
    if not isinstance(value, str) or not _is_path(value):
        return False
    if "://" not in value:
        return True
    bucket = value.removeprefix("s3://").partition("/")[0]
    return value.startswith("s3://") and bool(bucket) and value.isascii() and value.isprintable()


def _is_region(value: object) -> bool:
    return isinstance(value, str) and all(
        char.isascii() and (char.isalnum() or char == "-") for char in value
    )


def _is_webhook(value: object) -> bool:
    """ "", an https:// address, or one of this machine, which no network carries."""
    if not isinstance(value, str) or len(value) > URL_CHARS_MAX:
        return False
    if value == "":
        return True
    if not value.isascii() or any(char.isspace() or not char.isprintable() for char in value):
        return False
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False  # a secret has a file of its own
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACKS)


def _integer(low: int, high: int, default: int | None, comment: str) -> Key:
    def allows(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Key(default, f"an integer {low} to {high}", allows, comment)


_HOST = "a host name or IP address"
KEYS: dict[str, dict[str, Key]] = {
    "gateway": {
        "site": Key(None, "[a-z0-9-]{1,32}", _is_site, "site of meters enrolled without --site"),
    },
    "broker": {
        "kind": Key(
            EMBEDDED,
            " or ".join(f'"{kind}"' for kind in BROKER_KINDS),
            lambda value: value in BROKER_KINDS,
            '"embedded": a nats-server that the gateway runs; "external": any MQTT 3.1.1 broker '
            "(`wattle-gateway broker-config` writes files for mosquitto)",
        ),
        "host": Key(None, _HOST, _is_host, "the name meters connect to; stands in site.json"),
        "port": _integer(1, 65535, 8883, "MQTT over TLS"),
        "listen": Key("127.0.0.1", _HOST, _is_host, "embedded only: the address it binds"),
        "nats_server": Key(
            "", "a path", _is_path, 'embedded only: the program; "" = the one installed with Wattle'
        ),
    },
    "peers": {
        "listen": Key(
            "",
            f'{_HOST}, or ""',
            lambda value: value == "" or _is_host(value),
            'the address that the alliance\'s other gateways connect to; "": none, as one alone',
        ),
        "host": Key(
            "127.0.0.1", _HOST, _is_host, "the name they reach it by; stands in our peer card"
        ),
        "port": _integer(1, 65535, PEERS_PORT, "WebSocket in TLS 1.3"),
    },
    "alliance": {
        "approve_enrolments": Key(
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
        "file": Key(
            "",
            'a path from this folder, or ""',
            _is_path,
            "a policy file, which answers events for this member; read when the gateway starts "
            "(`wattle-gateway dr policy` tries it)",
        ),
    },
    "metrics": {
        "listen": Key(
            "",
            f'{_HOST}, or ""',
            lambda value: value == "" or _is_host(value),
            "the address of /metrics, /healthz and /readyz, plain HTTP for whoever reaches it: "
            '"127.0.0.1", or one of a network of your own; "": none',
        ),
        "port": _integer(1, 65535, METRICS_PORT, "HTTP"),
    },
    "log": {
        "format": Key(
            TEXT,
            f'"{TEXT}" or "{JSON}"',
            lambda value: value in (TEXT, JSON),
            "lines on standard error: for people, or a JSON object each",
        ),
    },
    "storage": {
        "key": Key(
            "",
            f'{storage_key.FORMS}; or ""',
            _is_storage_key,
            "what opens this folder, if it is sealed (STORAGE.md); changed by "
            "`wattle-gateway keys rewrap`",
        ),
    },
    "resources": {
        "disk_mib": _integer(
            0, 1 << 30, 0, "what this folder may grow to; 0: all that its file system has"
        ),
        "memory_mib": _integer(
            0,
            1 << 24,
            0,
            "resident memory of the gateway, its workers and its broker together; 0: all that the "
            "machine has, or the control group it runs under",
        ),
        "cpu_percent": _integer(
            0, 100_000, 0, "100 is one core; 0: all that the machine or the control group gives"
        ),
    },
    "archive": {
        "target": Key(
            "",
            'a folder (from this one), "s3://BUCKET[/PREFIX]", or ""',
            _is_archive_target,
            "where payloads and headers go that are older than `retention_days`, as Parquet "
            '(ARCHIVE.md); "": they stay here',
        ),
        "retention_days": _integer(
            1, 36_500, RETENTION_DAYS, "full days (UTC) that this gateway keeps"
        ),
        "plain": Key(
            False,
            "true or false",
            lambda value: isinstance(value, bool),
            "of a sealed folder only: files of the archive are not sealed, so that whoever has "
            "them reads them with any Parquet tool (false: `archive export` writes such files)",
        ),
        "endpoint": Key(
            "",
            'an https:// address, http:// of this machine, or ""',
            _is_webhook,
            "S3 only: of the store that is not AWS's own",
        ),
        "region": Key("", 'a name of AWS, or ""', _is_region, "S3 only"),
        "credentials": Key(
            "",
            'a path from this folder, or ""',
            _is_path,
            "S3 only: a TOML file of mode 600 with access_key and secret_key (and session_token); "
            '"": what AWS programs find (AWS_ACCESS_KEY_ID .., ~/.aws, the role of the machine)',
        ),
    },
    "alarms": {
        "mqtt": Key(
            True,
            "true or false",
            lambda value: isinstance(value, bool),
            "alarms as a retained message on wattle/1/<site>/<gateway>/alarm",
        ),
        "webhook": Key(
            "",
            'an https:// address without a password in it, or ""',
            _is_webhook,
            'where each alarm is sent by POST as JSON (METRICS.md); "": nowhere; http:// only for '
            "an address of this machine",
        ),
        "webhook_secret_file": Key(
            "",
            'a path from this folder, or ""',
            _is_path,
            'a file whose one line is sent as `Authorization: Bearer`; "": none',
        ),
    },
}
