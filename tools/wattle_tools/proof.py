"""The enrolment proof that a board writes: who it is, and that it holds the keys."""

from dataclasses import dataclass
from pathlib import Path

from wattle_wire import cose, p256, topics, uplink
from wattle_wire.errors import WireError

from wattle_tools.errors import BoardError

PROOF_FILE = "enrol.cbor"
_PROOF_BYTES_MAX = 1_024  # SPEC section 10
_ADVICE = "provision the board: that makes its proof, and keeps keys that are there"


@dataclass(frozen=True)
class Proof:
    """A verified proof. `meter` is the meter id, `signing_public` and `tls_public` uncompressed
    points, `protection` what the meter says of its keys (SPEC section 7), `raw` the signed bytes.
    """

    meter: str
    eui64: bytes
    tls_public: bytes
    signing_public: bytes
    protection: str
    raw: bytes


def verified(folder: Path, ledger_id: bytes) -> Proof:
    """The proof in a board's folder.

    Raises BoardError unless its signature verifies for this ledger under the key it names.
    """
    path = folder / PROOF_FILE
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: cannot be read: {error.strerror}", _ADVICE) from error
    return parse(raw, ledger_id, str(path))


def parse(raw: bytes, ledger_id: bytes, source: str) -> Proof:
    """The proof in `raw`, which came from `source`.

    Raises BoardError unless its signature verifies for this ledger under the key it names.
    """
    if len(raw) > _PROOF_BYTES_MAX:
        raise BoardError(
            f"{source}: {len(raw)} bytes, expected at most {_PROOF_BYTES_MAX}", _ADVICE
        )
    try:
        signed = cose.parse_sign1("enrol", ledger_id, raw)
        eui64, signing_public, _, tls_public, _, protection = uplink.decode_proof(signed.payload)
        p256.verify(signing_public, signed.digest, signed.signature)
    except WireError as error:
        raise BoardError(
            f"{source}: the enrolment proof does not hold: {error}", _ADVICE
        ) from error
    if signed.kid != cose.kid_of(signing_public):
        raise BoardError(
            f"{source}: the proof names another key than the one that signed it", _ADVICE
        )
    meter = topics.meter_id(signed.kid)
    return Proof(meter, eui64, tls_public, signing_public, protection, raw)
