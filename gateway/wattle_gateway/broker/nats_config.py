"""The configuration of the embedded nats-server, as text.

Options: https://docs.nats.io/running-a-nats-service/configuration (version 2.15).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.broker.permissions import (
    MeterAccess,
    gateway_publishes,
    gateway_subscribes,
    reader_subscribes,
)

# A sample is at most 16,384 bytes; up to here one that is too large still reaches the gateway,
# which refuses it with a reason; above, the broker closes the connection.
PAYLOAD_BYTES_MAX = 65_536
# QoS 1 messages on their way to the gateway; when full, publishers are not acknowledged.
STORE_BYTES_MAX = 256 << 20
MEMORY_BYTES_MAX = 32 << 20
# Messages the gateway has in hand: back-pressure reaches the broker's disk, not our memory.
UNACKNOWLEDGED_MAX = 1_000


@dataclass(frozen=True)
class NatsFiles:
    """The files nats-server reads (PEM) and the folder it writes."""

    certificate: Path
    key: Path
    authority: Path
    store: Path


def render(
    listen: str,
    port: int,
    files: NatsFiles,
    gateway_name: str,
    meters: Iterable[MeterAccess],
    store_key: str = "",
    readers: Iterable[str] = (),
) -> str:
    """The text of nats.conf for MQTT on `listen`:`port`.

    `store_key`: what it encrypts its store with, "": nothing. `gateway_name` is the common name of
    the gateway's own certificate, which nobody else knows; `readers` those of who reads alarms.

    The NATS protocol itself cannot be switched off: its listener is put on a random port of
    127.0.0.1, wants TLS before the first byte, and no user may log in there. Meters may come with
    TLS 1.2: ESP-IDF's mbedTLS has 1.3 switched off, and mbedTLS 2.28 has none.
    """
    cipher = f', cipher: aes, key: "{store_key}"' if store_key else ""
    tls = (
        f"cert_file: {_quote(files.certificate)}, key_file: {_quote(files.key)}, "
        f"ca_file: {_quote(files.authority)}, verify_and_map: true"
    )
    users = [_user(gateway_name, gateway_publishes(), gateway_subscribes())]
    users += [_user(meter.meter, meter.publishes(), meter.subscribes()) for meter in sorted(meters)]
    users += [_user(reader, (), reader_subscribes()) for reader in sorted(readers)]
    return "\n".join(
        [
            "# Written by wattle-gateway on every start and whenever meters or members change.",
            "# Keep it secret: it holds the name that opens the gateway's own rights.",
            "server_name: wattle",
            'host: "127.0.0.1"',
            "port: -1",
            f"max_payload: {PAYLOAD_BYTES_MAX}",
            f'tls {{ {tls}, handshake_first: true, min_version: "1.3" }}',
            f"jetstream {{ store_dir: {_quote(files.store)}, max_file_store: {STORE_BYTES_MAX}, "
            f"max_memory_store: {MEMORY_BYTES_MAX}{cipher} }}",
            "accounts { METERS { jetstream: enabled, users: [",
            *users,
            "] } }",
            f"mqtt {{ host: {_quote(listen)}, port: {port}, "
            f'max_ack_pending: {UNACKNOWLEDGED_MAX}, tls {{ {tls}, min_version: "1.2" }} }}',
            "",
        ]
    )


def subject(topic_filter: str) -> str:
    """The NATS subject of an MQTT topic or filter (no dots or blanks occur in ours)."""
    return topic_filter.replace("/", ".").replace("+", "*")


def _user(common_name: str, publishes: Sequence[str], subscribes: Sequence[str]) -> str:
    # An empty list would allow everything.
    may_publish = f"[{_subjects(publishes)}]" if publishes else '{ deny: [">"] }'
    return (
        f'  {{ user: "CN={common_name}", allowed_connection_types: ["MQTT"], permissions: '
        f"{{ publish: {may_publish}, subscribe: [{_subjects(subscribes)}] }} }}"
    )


def _subjects(filters: Sequence[str]) -> str:
    return ", ".join(f'"{subject(topic_filter)}"' for topic_filter in filters)


def _quote(value: Path | str) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
