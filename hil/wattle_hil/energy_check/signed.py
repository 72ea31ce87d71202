"""Samples as their meters signed them: COSE_Sign1 around SenML in CBOR (SPEC sections 3 to 5)."""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import cbor2
import ecdsa

from .errors import BadSampleError

# Reason of a declared gap: seqs lost by a restart.
RESTART = 1

_ES256 = -7
_SIGN1_TAG = 18
_SIGNATURE_BYTES = 64
_HALF_ORDER = int(ecdsa.NIST256p.order) // 2
# SenML labels (RFC 8428 section 6, table 4).
_BASE_TIME, _NAME, _UNIT, _VALUE, _TEXT, _DATA = -3, 0, 1, 2, 3, 8
_PHASES = "123"
# SPEC section 4.
_UNITS = {"ee": "Wh", "ei": "Wh", "f": "Hz", "i": "A", "p": "W", "q": "var", "u": "V"}
STATUS = "st"

Value = int | Decimal | str


@dataclass
class Signed:
    """One sample. readings: (device, Unix ms) to quantity to number or status letter."""

    digest: bytes
    signature: bytes
    seq: int = -1
    boot: int = -1
    prev: bytes | None = None
    gaps: list[tuple[int, int, int]] = field(default_factory=list)
    readings: dict[tuple[int, int], dict[str, Value]] = field(default_factory=dict)


def open_sample(raw: bytes, kid: bytes, ledger_id: bytes) -> Signed:
    """Takes a sample apart; the signature is left to `verify`. Raises BadSampleError."""
    try:
        message = cbor2.loads(raw)
        protected, unprotected, payload, signature = message.value
        if message.tag != _SIGN1_TAG or unprotected or len(signature) != _SIGNATURE_BYTES:
            raise BadSampleError("not a COSE_Sign1 with ES256")
        if cbor2.loads(protected) != {1: _ES256, 4: kid}:
            raise BadSampleError("signed by another key or algorithm than the meter's")
        external_aad = cbor2.dumps(["wattle/1/sample", ledger_id])
        structure = cbor2.dumps(["Signature1", protected, external_aad, payload])
        sample = Signed(hashlib.sha256(structure).digest(), signature)
        _read_records(cbor2.loads(payload), sample)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise BadSampleError(f"not a sample: {error!r}") from error
    return sample


def _read_records(records: list[dict[int, Any]], sample: Signed) -> None:
    reading: dict[str, Value] = {}
    for record in records:
        device, quantity = record[_NAME].split("/")
        if device == "0":
            _read_meter_record(quantity, record, sample)
            continue
        if _BASE_TIME in record:
            reading = {}
            key = int(device), int(record[_BASE_TIME] * 1_000)
            if sample.readings.setdefault(key, reading) is not reading:
                raise BadSampleError(f"two readings of device {device} at {key[1]} ms")
        if quantity in reading:
            raise BadSampleError(f"{record[_NAME]} twice in a reading")
        if _TEXT in record:
            reading[quantity] = record[_TEXT]
        elif record[_UNIT] == unit_of(quantity):
            reading[quantity] = record[_VALUE]
        else:
            raise BadSampleError(f"{record[_NAME]} in {record[_UNIT]}")


def unit_of(quantity: str) -> str:
    """The unit that a quantity has, whatever its phase. Raises LookupError for no quantity."""
    return _UNITS[quantity.rstrip(_PHASES)]


def _read_meter_record(quantity: str, record: dict[int, Any], sample: Signed) -> None:
    if quantity == "seq":
        sample.seq = record[_VALUE]
    elif quantity == "boot":
        sample.boot = record[_VALUE]
    elif quantity == "prev":
        sample.prev = record[_DATA]
    elif quantity == "gap":
        sample.gaps = [(first, to, why) for first, to, why in cbor2.loads(record[_DATA])]


def verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether the signature is one of the key's (65 bytes) over the digest, s <= n/2."""
    if int.from_bytes(signature[32:], "big") > _HALF_ORDER:
        return False
    try:
        key = ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p, hashlib.sha256)
        return bool(key.verify_digest(signature, digest))
    except (ecdsa.BadSignatureError, ecdsa.errors.MalformedPointError):
        return False
