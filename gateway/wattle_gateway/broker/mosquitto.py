"""Ready configuration files for an outside mosquitto (2.0), the broker for production.

One pattern ACL for all meters: the certificate's common name is the user name and the client id,
so enrolling a meter changes nothing here and nobody can take another's id. A revoked meter is
denied every topic; the site's own meters are also kept out by a revocation list, as long as no
other authority is trusted and no technician has one: mosquitto wants a list of each or of none.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.broker.permissions import (
    DOWNLINK_LEAVES,
    UPLINK_LEAVES,
    gateway_publishes,
    gateway_subscribes,
    reader_subscribes,
)
from wattle_gateway.errors import UsageError

# A sample is at most 16,384 bytes; up to here one that is too large still reaches the gateway,
# which refuses it with a reason.
PACKET_BYTES_MAX = 65_536
# What waits for a gateway that is away. A message dropped here is sent again by its meter.
QUEUED_MESSAGES_MAX = 20_000
QUEUED_BYTES_MAX = 64 << 20
# Messages the gateway has in hand (the broker's default of 20 would wait for every round trip).
UNACKNOWLEDGED_MAX = 1_000

ACL_FILE = "acl"
CONFIG_FILE = "mosquitto.conf"
CRL_FILE = "revoked.pem"
# The access list holds the gateway's user name, which is as good as a password.
_PRIVATE = ("broker.key", ACL_FILE)


@dataclass(frozen=True)
class MosquittoAccess:
    """`gateway_name`: common name of the gateway's own certificate; `revoked`: ids of meters;
    `readers` of alarms: common names."""

    gateway_name: str
    revoked: Iterable[str] = ()
    readers: Iterable[str] = ()


def write_files(
    folder: Path, listen: str, port: int, access: MosquittoAccess, pem_files: Mapping[str, bytes]
) -> Path:
    """Write the configuration into `folder` (made if need be) and give the path to start with.

    `pem_files`: authority.pem (all that are trusted), broker.pem, broker.key and, if there is one
    authority only, revoked.pem. Existing files are replaced, so that the command renews them after
    a revocation or a change of members. UsageError if the folder cannot be written.
    """
    folder = folder.absolute()
    files = dict(pem_files)
    files[ACL_FILE] = acl(access).encode()
    files[CONFIG_FILE] = configuration(folder, listen, port, CRL_FILE in pem_files).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            draft = folder / f"{name}.new"
            mode = 0o600 if name in _PRIVATE else 0o644
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            draft.replace(folder / name)
    except OSError as error:
        raise UsageError(f"{folder}: cannot write the broker's files: {error.strerror}") from error
    return folder / CONFIG_FILE


def configuration(folder: Path, listen: str, port: int, has_crl: bool) -> str:
    """The text of mosquitto.conf; options: https://mosquitto.org/man/mosquitto-conf-5.html."""
    crl = f"crlfile {folder / CRL_FILE}\n" if has_crl else ""
    return f"""\
# Written by `wattle-gateway broker-config`; run it again after a revocation or a change of members
# and restart mosquitto.
# Start with: mosquitto -c {folder / CONFIG_FILE}
# The broker must be able to read broker.key: set `user` when it is started as root.

per_listener_settings true
persistence false
max_packet_size {PACKET_BYTES_MAX}
max_inflight_messages {UNACKNOWLEDGED_MAX}
max_queued_messages {QUEUED_MESSAGES_MAX}
max_queued_bytes {QUEUED_BYTES_MAX}

listener {port} {listen}
cafile {folder / "authority.pem"}
certfile {folder / "broker.pem"}
keyfile {folder / "broker.key"}
{crl}tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder / ACL_FILE}
"""


def acl(access: MosquittoAccess) -> str:
    """The access list: %u is the user name, which is the certificate's common name."""
    lines = ["# A meter: its own samples up, its own acks and commands down, nothing else."]
    lines += [f"pattern write wattle/1/+/%u/{leaf}" for leaf in UPLINK_LEAVES]
    lines += [f"pattern read wattle/1/+/%u/{leaf}" for leaf in DOWNLINK_LEAVES]
    for meter in sorted(access.revoked):
        # A denial for a user comes before any pattern.
        lines += ["", f"user {meter}", "topic deny #"]
    for reader in sorted(access.readers):
        lines += ["", f"user {reader}", *(f"topic read {name}" for name in reader_subscribes())]
    lines += ["", f"user {access.gateway_name}"]
    lines += [f"topic read {name}" for name in gateway_subscribes()]
    lines += [f"topic write {name}" for name in gateway_publishes()]
    return "\n".join(lines) + "\n"
