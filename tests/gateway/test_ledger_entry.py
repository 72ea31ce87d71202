"""Entries and leaves as bytes."""

import pytest
from wattle_gateway.ledger import entry, leaf, signed_sample
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


def test_what_answers_an_order_is_urgent_and_other_samples_are_not() -> None:
    gaps = [(1, 2, 1), (4, 5, 1)]
    answer = BOARD.sample(7, gaps=gaps, prev=bytes(32), command=(b"\xff" * 32, -500))
    assert entry.is_urgent(entry.encode(entry.SAMPLE, answer.raw, 60_000))
    assert not entry.is_urgent(entry.encode(entry.SAMPLE, ONE.raw, 60_000))
    assert entry.is_urgent(entry.encode(entry.TRANSACTION, b"", 60_000))
    assert entry.is_urgent(entry.encode(entry.EVIDENCE, b"", 60_000))
    for raw in (b"", b"\x82", b"\x82\x01"):
        assert not entry.is_urgent(raw)


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
