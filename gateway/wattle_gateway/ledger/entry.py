"""Entries: what a block carries, as opaque bytes with a kind (SPEC section 10)."""

from dataclasses import dataclass

from wattle_wire import cbor, structure

from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named

SAMPLE = 1
TRANSACTION = 2
BATCH = 3  # reserved
EVIDENCE = 4
KINDS = (SAMPLE, TRANSACTION, EVIDENCE)
KIND_NAMES = {SAMPLE: "sample", TRANSACTION: "transaction", EVIDENCE: "evidence"}

_URGENT_BEGINNINGS = (b"\x82\x02", b"\x82\x04")
_SAMPLE_BEGINNING = b"\x82\x01"
# Name of the record by which a sample answers an order, as CBOR text. It stands among those of
# device 0, which come first and are shorter than this together.
_ANSWER = b"\x650/cmd"
_ANSWER_WITHIN_BYTES = 512


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
    """Whether an entry is a transaction, evidence, or a sample that answers an order: for these
    rounds follow fast. Looks at its beginning only; nothing but the pace rests on it."""
    begin = raw[:2]
    if begin == _SAMPLE_BEGINNING:
        return raw.find(_ANSWER, 0, _ANSWER_WITHIN_BYTES) > 0
    return begin in _URGENT_BEGINNINGS


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
