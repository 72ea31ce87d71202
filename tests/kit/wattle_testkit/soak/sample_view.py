"""Samples as SPEC sections 3 and 5 describe them, read with cbor2 and hashlib only."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import cbor2

VALUE, TEXT, DATA, NAME, BASE_TIME = 2, 3, 8, 0, -3
_SIGN1_TAG = 18


@dataclass(frozen=True)
class ReadingView:
    """Device number, time in Unix ms, status letter, quantity to mantissa or status letter."""

    device: int
    time_ms: int
    status: str
    values: dict[str, int | str]


@dataclass(frozen=True)
class SampleView:
    """A payload taken apart. `gaps`: (from, to, reason); `seen`: (index, 16 bytes) or None."""

    seq: int
    boot: int
    prev: bytes | None
    clock: str
    seen: tuple[int, bytes] | None
    gaps: tuple[tuple[int, int, int], ...]
    readings: tuple[ReadingView, ...]


@dataclass(frozen=True)
class SignedView:
    """A COSE_Sign1 taken apart; `digest` is the SHA-256 of its Sig_structure."""

    payload: bytes
    kid: bytes
    signature: bytes
    digest: bytes


def signed(raw: bytes, kind: str, ledger_id: bytes) -> SignedView:
    """Raises ValueError for anything else than a COSE_Sign1 as SPEC section 3 has it."""
    message = cbor2.loads(raw)
    if not isinstance(message, cbor2.CBORTag) or message.tag != _SIGN1_TAG:
        raise ValueError("not a COSE_Sign1")
    protected, unprotected, payload, signature = message.value
    header = cbor2.loads(protected)
    if set(header) != {1, 4} or header[1] != -7 or unprotected or len(signature) != 64:
        raise ValueError("header or signature of another form")
    return SignedView(payload, header[4], signature, digest(payload, kind, ledger_id, protected))


def digest(payload: bytes, kind: str, ledger_id: bytes, protected: bytes) -> bytes:
    """The 32 bytes that are signed."""
    outside = cbor2.dumps([f"wattle/1/{kind}", ledger_id])
    return sha256(cbor2.dumps(["Signature1", protected, outside, payload])).digest()


def sample(payload: bytes) -> SampleView:
    """Raises ValueError or KeyError for a payload that is no sample."""
    records = cbor2.loads(payload)
    own: dict[str, dict[int, Any]] = {}
    readings: list[ReadingView] = []
    for record in records:
        device, _, quantity = record[NAME].partition("/")
        if device == "0":
            own[quantity] = record
            continue
        if BASE_TIME in record:
            readings.append(ReadingView(int(device), _mantissa(record[BASE_TIME], -3), "", {}))
        value = record[TEXT] if TEXT in record else _mantissa(record[VALUE])
        if int(device) != readings[-1].device:
            raise ValueError("a record without the time of its reading")
        readings[-1].values[quantity] = value
    seen = cbor2.loads(own["seen"][DATA]) if "seen" in own else None
    gaps = cbor2.loads(own["gap"][DATA]) if "gap" in own else []
    return SampleView(
        own["seq"][VALUE],
        own["boot"][VALUE],
        own["prev"][DATA] if "prev" in own else None,
        own["clk"][TEXT],
        None if seen is None else (seen[0], seen[1]),
        tuple((first, to, reason) for first, to, reason in gaps),
        tuple(
            ReadingView(one.device, one.time_ms, str(one.values.pop("st")), one.values)
            for one in readings
        ),
    )


def _mantissa(value: Any, exponent: int | None = None) -> int:
    if isinstance(value, int):
        return value
    # cbor2 gives a decimal fraction (tag 4) as a Decimal, whose digits are those of the mantissa.
    sign, digits, found = value.as_tuple()
    if exponent is not None and found != exponent:
        raise ValueError(f"exponent {found}, expected {exponent}")
    number = int("".join(map(str, digits)))
    return -number if sign else number
