"""Entries: what a block carries, as opaque bytes with a kind (SPEC section 10)."""

from dataclasses import dataclass

from wattle_wire import cbor, structure

from wattle_gateway.ledger import signed_sample
from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.signed_sample import SignedSample

SAMPLE = 1
TRANSACTION = 2
BATCH = 3  # reserved
EVIDENCE = 4
KINDS = (SAMPLE, TRANSACTION, EVIDENCE)
KIND_NAMES = {SAMPLE: "sample", TRANSACTION: "transaction", EVIDENCE: "evidence"}

_URGENT_BEGINNINGS = (b"\x82\x02", b"\x82\x04")
_EVIDENCE_TWO_SAMPLES = 1


@dataclass(frozen=True)
class Entry:
    """A decoded entry: `kind` one of KINDS, `body` the signed bytes verbatim."""

    kind: int
    body: bytes


def encode(kind: int, body: bytes, bytes_max: int) -> bytes:
    """Entry bytes `[kind, body]`; LimitError above `bytes_max` (constant `entry_bytes_max`)."""
    assert kind in KINDS, kind
    raw = cbor.encode([kind, body])
    if len(raw) > bytes_max:
        raise LimitError(f"entry of {len(raw)} bytes, expected at most {bytes_max}")
    return raw


def is_urgent(raw: bytes) -> bool:
    """Whether an entry is a transaction or evidence, for which rounds follow fast. Reads no
    more than the two bytes that `[kind, ..` begins with."""
    return raw[:2] in _URGENT_BEGINNINGS


def decode(raw: bytes) -> Entry:
    """The entry in `raw`; FormatError if it is none. Its size was checked with its block."""
    with wire_errors_named("entry"):
        row = structure.array(cbor.decode(raw), 2, "entry")
        kind = structure.uint(row[0], "entry kind")
    if kind not in KINDS:
        raise FormatError(f"entry kind {kind}, expected one of {KINDS}")
    if not isinstance(row[1], bytes):
        raise FormatError("entry body is not a byte string")
    return Entry(kind, row[1])


@dataclass(frozen=True)
class Evidence:
    """Two samples of one meter and seq with different digests, the lower digest first.

    That both were signed by the meter is verified by whoever acts on it.
    """

    low: SignedSample
    high: SignedSample


def encode_evidence(one: SignedSample, other: SignedSample) -> bytes:
    """The body of an evidence entry; FormatError if the two do not show a fork."""
    low, high = sorted((one, other), key=lambda signed: signed.digest)
    _check_fork(low, high)
    return cbor.encode([_EVIDENCE_TWO_SAMPLES, low.raw, high.raw])


def decode_evidence(body: bytes, ledger_id: bytes) -> Evidence:
    """The evidence in an entry's body; FormatError if it shows no fork. Verifies no signature."""
    with wire_errors_named("evidence"):
        row = structure.array(cbor.decode(body), 3, "evidence")
        form = structure.uint(row[0], "evidence form")
    if form != _EVIDENCE_TWO_SAMPLES:
        raise FormatError(f"evidence form {form}, expected {_EVIDENCE_TWO_SAMPLES}")
    if not isinstance(row[1], bytes) or not isinstance(row[2], bytes):
        raise FormatError("a sample of the evidence is not a byte string")
    low = signed_sample.parse(row[1], ledger_id)
    high = signed_sample.parse(row[2], ledger_id)
    _check_fork(low, high)
    return Evidence(low, high)


def _check_fork(low: SignedSample, high: SignedSample) -> None:
    if low.kid != high.kid or low.sample.seq != high.sample.seq:
        raise FormatError("evidence: the samples are not of one meter and seq")
    if low.digest >= high.digest:
        raise FormatError("evidence: the digests are not different and rising")
