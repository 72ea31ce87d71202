"""The enrolment proof that a board writes: who it is, and that it holds the keys."""

from dataclasses import dataclass
from pathlib import Path

from wattle_wire import cose, p256, topics, uplink
from wattle_wire.errors import WireError

from wattle_tools.errors import BoardError

PROOF_FILE = "enrol.cbor"
_PROOF_BYTES_MAX = 1_024  # SPEC section 10


@dataclass(frozen=True)
class Proof:
    """A verified proof. `meter` is the meter id, `tls_public` an uncompressed point."""

    meter: str
    eui64: bytes
    tls_public: bytes


def verified(folder: Path, ledger_id: bytes) -> Proof:
    """The proof in a board's folder.

    Raises BoardError unless its signature verifies for this ledger under the key it names.
    """
    path = folder / PROOF_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _PROOF_BYTES_MAX:
        raise BoardError(f"{path}: {len(raw)} bytes, expected at most {_PROOF_BYTES_MAX}")
    try:
        signed = cose.parse_sign1("enrol", ledger_id, raw)
        eui64, signing_public, _, tls_public, _, _ = uplink.decode_proof(signed.payload)
        p256.verify(signing_public, signed.digest, signed.signature)
    except WireError as error:
        raise BoardError(f"{path}: the enrolment proof does not hold: {error}") from error
    if signed.kid != cose.kid_of(signing_public):
        raise BoardError(f"{path}: the proof names another key than the one that signed it")
    return Proof(topics.meter_id(signed.kid), eui64, tls_public)
