"""A meter on paper: keys, certificate and signed samples, but no board behind them.

It signs as fast as this machine can, so that a gateway can be given more than boards would.
"""

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from wattle_wire import cose, topics, uplink
from wattle_wire import sample as wire_sample
from wattle_wire.sample import Reading, Sample

FIRST_SEQ = 1
_HALF_ORDER = 0x7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A8
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_DIGEST = ec.ECDSA(Prehashed(hashes.SHA256()))
# What an SDM120 and an SDM630 give with the firmware's profiles.
_ONE_PHASE = ("ee", "ei", "f", "i", "p", "q", "u")
_THREE_PHASES = (
    *("ee", "ee1", "ee2", "ee3", "ei", "ei1", "ei2", "ei3", "f", "i1", "i2", "i3"),
    *("p", "p1", "p2", "p3", "q", "q1", "q2", "q3", "u1", "u2", "u3"),
)
_VALUES = {
    "ee": 113_791,
    "ei": 1_137_911,
    "f": 4_999,
    "i": 10_043,
    "p": 23_100,
    "q": 120,
    "u": 2_303,
}


@dataclass
class PaperMeter:
    """Fresh keys for one ledger. Samples are chained and one second apart."""

    ledger_id: bytes

    def __post_init__(self) -> None:
        self._signing, self._link, self.tls = (
            ec.generate_private_key(ec.SECP256R1()) for _ in "slt"
        )
        self.kid = cose.kid_of(_point(self._signing))
        self.meter_id = topics.meter_id(self.kid)
        self._eui64 = b"\x02" + secrets.token_bytes(2) + b"\xff\xfe" + secrets.token_bytes(3)
        self._seq = FIRST_SEQ
        self._prev: bytes | None = None

    def enrolment_proof(self) -> bytes:
        """The signed proof of possession (SPEC section 7)."""
        payload = uplink.encode_proof(
            self._eui64,
            _point(self._signing),
            _point(self._link),
            _point(self.tls),
            FIRST_SEQ,
            "file",
        )
        return self._signed("enrol", payload)[0]

    def tls_key_pem(self) -> bytes:
        """The private key of the client certificate."""
        return self.tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sample(self, time_ms: int, three_phases: bool = False) -> bytes:
        """The next sample: one reading of one device."""
        names = _THREE_PHASES if three_phases else _ONE_PHASE
        values: dict[str, int | str] = {name: _VALUES[name.rstrip("123")] for name in names}
        values["ei"] = _VALUES["ei"] + self._seq
        reading = Reading(1, time_ms, "G", values)
        content = Sample(self._eui64, self._seq, 1, self._prev, "S", [reading], seen=(7, bytes(16)))
        raw, self._prev = self._signed("sample", wire_sample.encode(content))
        self._seq += 1
        return raw

    def _signed(self, kind: str, payload: bytes) -> tuple[bytes, bytes]:
        digest = cose.digest(kind, self.ledger_id, self.kid, payload)
        r, s = decode_dss_signature(self._signing.sign(digest, _DIGEST))
        low = _ORDER - s if s > _HALF_ORDER else s
        return cose.sign1(
            self.kid, payload, r.to_bytes(32, "big") + low.to_bytes(32, "big")
        ), digest


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
