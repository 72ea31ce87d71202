"""Entries, evidence and leaves as bytes."""

import pytest
from wattle_gateway.ledger import entry, evidence, leaf, signed_sample
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.errors import FormatError, LimitError
from wattle_gateway.ledger.leaf import CommitLeaf, EntryLeaf
from wattle_testkit.alliance import CREATED_MS, Board, epoch_of, reading
from wattle_wire import cbor

EPOCH = epoch_of()
BOARD = Board("board", EPOCH)
ONE = BOARD.sample(7)
OTHER = BOARD.sample(7, [reading(CREATED_MS, ei=5)])


def test_entry_round_trip() -> None:
    raw = entry.encode(entry.SAMPLE, ONE.raw, 60_000)
    assert raw == cbor.encode([1, ONE.raw])
    assert entry.decode(raw) == entry.Entry(entry.SAMPLE, ONE.raw)


def test_an_entry_may_be_as_long_as_its_limit_and_no_longer() -> None:
    assert len(entry.encode(entry.SAMPLE, bytes(20), 23)) == 23  # 3 bytes of heads
    with pytest.raises(LimitError, match="24 bytes, expected at most 23"):
        entry.encode(entry.SAMPLE, bytes(21), 23)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        cbor.encode([1]),
        cbor.encode([0, b""]),
        cbor.encode([entry.BATCH, b""]),
        cbor.encode([5, b""]),
        cbor.encode([1, "text"]),
        cbor.encode([True, b""]),
        cbor.encode([1, b""]) + b"\0",
    ],
)
def test_other_bytes_are_no_entry(raw: bytes) -> None:
    with pytest.raises(FormatError, match="entry"):
        entry.decode(raw)


def test_evidence_is_the_same_from_either_side() -> None:
    body = evidence.two_samples(ONE, OTHER).encode()
    assert body == evidence.two_samples(OTHER, ONE).encode()
    found = evidence.decode(body, EPOCH.ledger_id)
    assert {found.low, found.high} == {ONE, OTHER}
    assert found.low.digest < found.high.digest


def test_the_same_sample_twice_is_no_evidence() -> None:
    with pytest.raises(FormatError, match="different"):
        evidence.two_samples(ONE, ONE)


@pytest.mark.parametrize("other", [BOARD.sample(8), Board("another", EPOCH).sample(7)])
def test_samples_of_two_seqs_or_meters_are_no_evidence(
    other: signed_sample.SignedSample,
) -> None:
    with pytest.raises(FormatError, match="one meter and seq"):
        evidence.two_samples(ONE, other)


def evidence_rows() -> list[object]:
    low, high = sorted([ONE, OTHER], key=lambda signed: signed.digest)
    return [
        [2, low.raw, high.raw],
        [1, high.raw, low.raw],
        [1, low.raw, low.raw],
        [1, low.raw],
        [1, low.raw, "text"],
        [1, low.raw, b""],
    ]


@pytest.mark.parametrize("row", evidence_rows())
def test_evidence_of_another_form_is_refused(row: object) -> None:
    with pytest.raises(FormatError):
        evidence.decode(cbor.encode(row), EPOCH.ledger_id)


def test_a_sample_of_another_ledger_has_another_digest() -> None:
    elsewhere = signed_sample.parse(ONE.raw, bytes(16))
    assert elsewhere.digest != ONE.digest


def test_a_sample_above_its_limit_is_refused_unread() -> None:
    with pytest.raises(LimitError, match="16385 bytes"):
        signed_sample.parse(bytes(16385), EPOCH.ledger_id)


def test_entry_leaf_round_trip() -> None:
    made = EntryLeaf(entry.SAMPLE, 513, 3, 99, b"entry")
    assert made.encode() == cbor.encode([1, 513, 3, 99, b"entry"])
    assert leaf.decode(made.encode()) == made


def test_commit_leaf_round_trip() -> None:
    made = CommitLeaf(0, 5, CREATED_MS, BlockRef(9, 0, bytes(32)), b"\1" * 32, b"\2" * 32)
    row = [0, 0, 5, CREATED_MS, [9, 0, bytes(32)], b"\1" * 32, b"\2" * 32]
    assert made.encode() == cbor.encode(row)
    assert leaf.decode(made.encode()) == made


@pytest.mark.parametrize(
    "row",
    [
        [0, 0, 0, 0, b""],
        [3, 0, 0, 0, b""],
        [1, -1, 0, 0, b""],
        [1, 0, 0, 0, "text"],
        [1, 0, 5, 0, [9, 0, bytes(32)], bytes(32), bytes(32)],
        [0, 0, 5, 0, [9, 0, bytes(31)], bytes(32), bytes(32)],
        [0, 0, 5, 0, [9, 0, bytes(32)], bytes(32), b""],
        [0, 0, 5, 0],
        {},
    ],
)
def test_other_rows_are_no_leaf(row: object) -> None:
    with pytest.raises(FormatError, match="leaf"):
        leaf.decode(cbor.encode(row))


def test_the_longest_entry_fits_a_leaf() -> None:
    raw = entry.encode(entry.TRANSACTION, bytes(59_995), 60_000)
    made = EntryLeaf(entry.TRANSACTION, 0, 31, 2**53 - 1, raw)
    assert leaf.decode(made.encode()) == made
