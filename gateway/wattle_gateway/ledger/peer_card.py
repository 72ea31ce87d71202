"""Peer cards: where a gateway and its broker are reached, which certificate it shows (SPEC 9)."""

import re
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure

from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.genesis import CERTIFICATE_BYTES_MAX

CARD_BYTES_MAX = 2048
HOST_CHARS_MAX = 253  # the longest name of the DNS (RFC 1035 section 3.1, as text)
# A DNS name, an IPv4 or an IPv6 address; what a name resolves to is checked by the certificate.
HOST_PATTERN = re.compile(r"[A-Za-z0-9.:_-]+")
PORT_MAX = 65535


@dataclass(frozen=True)
class PeerCard:
    """A parsed card whose signature nobody has verified yet.

    `kid` names the member whose block key must verify `signature` over `digest` (32 bytes);
    `version` Unix ms at its making, the highest counts; `certificate` DER, its own issuer; peers
    come to `host`:`port`, meters to `broker_host`:`broker_port`.
    """

    kid: bytes
    version: int
    certificate: bytes
    host: str
    port: int
    broker_host: str
    broker_port: int
    digest: bytes
    signature: bytes
    raw: bytes


def build(
    ledger_id: bytes,
    kid: bytes,
    sign: Sign,
    *,
    version: int,
    certificate: bytes,
    host: str,
    port: int,
    broker_host: str,
    broker_port: int,
) -> bytes:
    """A signed card (COSE_Sign1 bytes) of the member `kid`; FormatError if `parse` would refuse
    it."""
    payload = cbor.encode([version, certificate, host, port, broker_host, broker_port])
    raw = cose.sign1(kid, payload, sign(cose.digest("peer", ledger_id, kid, payload)))
    parse(raw, ledger_id)
    return raw


def parse(raw: bytes, ledger_id: bytes) -> PeerCard:
    """Take a card apart; FormatError if it is none. The signature is NOT verified."""
    if len(raw) > CARD_BYTES_MAX:
        raise LimitError(f"peer card of {len(raw)} bytes, expected at most {CARD_BYTES_MAX}")
    with wire_errors_named("peer card"):
        signed = cose.parse_sign1("peer", ledger_id, raw)
        row = structure.array(cbor.decode(signed.payload), 6, "peer card")
        version = structure.uint(row[0], "version")
        host, port = _address(row[2], row[3], "gateway")
        broker_host, broker_port = _address(row[4], row[5], "broker")
    certificate = row[1]
    if not isinstance(certificate, bytes) or not 1 <= len(certificate) <= CERTIFICATE_BYTES_MAX:
        raise LimitError(f"peer certificate is not 1 to {CERTIFICATE_BYTES_MAX} bytes")
    return PeerCard(
        signed.kid,
        version,
        certificate,
        host,
        port,
        broker_host,
        broker_port,
        signed.digest,
        signed.signature,
        raw,
    )


def _address(host: object, port: object, of: str) -> tuple[str, int]:
    name = structure.text(host, HOST_CHARS_MAX, f"host of the {of}")
    number = structure.uint(port, f"port of the {of}", PORT_MAX)
    if not HOST_PATTERN.fullmatch(name):
        raise FormatError(f"host of the {of} {name!r}, expected a name or an address")
    if number == 0:
        raise FormatError(f"port 0 of the {of}, expected 1 to {PORT_MAX}")
    return name, number
