"""What `wattle-tool provision` leaves on a board as its last act: who it is now, for technicians.

A JSON file at the root of the board's file system; nothing in it is secret, and the meter itself
never reads it. While it is away, a provisioning has not come to its end.
"""

import json
import re
from dataclasses import dataclass

PATH = "/meter.json"
BYTES_MAX = 2_048
_FORMAT = 1
_METER = re.compile(r"[0-9a-f]{16}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LEDGER = re.compile(r"[0-9a-f]{32}")
_SITE = re.compile(r"[a-z0-9-]{1,32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
# SPEC section 7
PROTECTIONS = ("file", "sealed", "element")
GATEWAY = "gateway"


@dataclass(frozen=True)
class CertificateRecord:
    """The TLS certificate on a board: `sha256` of the file, when it ends (`until`, ISO 8601), and
    by whom it was issued: GATEWAY, or the fingerprint of a technician's authority.
    """

    sha256: str
    until: str
    issuer: str


@dataclass(frozen=True)
class MeterRecord:
    """`meter` id, `site`, `ledger` id, how its key is protected, SHA-256 of its public key, that of
    its settings without the password of the wireless network; all hex.
    """

    meter: str
    site: str
    ledger: str
    protection: str
    key_sha256: str
    settings_sha256: str
    certificate: CertificateRecord | None = None

    def encoded(self) -> bytes:
        """The file."""
        row: dict[str, object] = {"format": _FORMAT, **vars(self)}
        row["certificate"] = vars(self.certificate) if self.certificate else None
        return json.dumps(row, separators=(",", ":")).encode()


def decoded(text: str) -> MeterRecord | None:
    """The record in a file; None when it is none of ours, as after a write that was cut off."""
    try:
        row = json.loads(text)
    except ValueError:
        return None
    if not isinstance(row, dict) or row.pop("format", None) != _FORMAT:
        return None
    certificate = row.pop("certificate", None)
    try:
        made = CertificateRecord(**certificate) if certificate is not None else None
        found = MeterRecord(**row, certificate=made)
    except TypeError:
        return None
    return found if _is_sound(found) else None


def _is_sound(record: MeterRecord) -> bool:
    """Whether all is as we write it: it is shown to people, and goes into files."""
    rules: list[tuple[re.Pattern[str], object]] = [
        (_METER, record.meter),
        (_SITE, record.site),
        (_LEDGER, record.ledger),
        (_HASH, record.key_sha256),
        (_HASH, record.settings_sha256),
    ]
    if record.certificate is not None:
        rules += [(_HASH, record.certificate.sha256), (_TIME, record.certificate.until)]
        if record.certificate.issuer != GATEWAY:
            rules.append((_HASH, record.certificate.issuer))
    return record.protection in PROTECTIONS and all(
        isinstance(value, str) and rule.fullmatch(value) for rule, value in rules
    )
