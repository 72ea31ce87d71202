"""Whatever bytes a stranger sends, the ledger's parsers raise their own errors and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.ledger import (
    block,
    checkpoint,
    entry,
    evidence,
    genesis,
    leaf,
    market,
    merkle,
    peer_card,
    ready,
    signed_sample,
    transaction,
)
from wattle_gateway.ledger.block import BlockRef, CommitVote
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.market import Market, ZoneRow
from wattle_gateway.ledger.transaction import Change
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    enrol_entry,
    following,
    genesis_of,
    note_of,
    reading,
    ready_of,
    two_blocks_of,
)
from wattle_testkit.alliance import epoch_of as epoch
from wattle_wire import cbor

EPOCH = epoch()
BOARD = Board("board", EPOCH)
LEDGER_ID = EPOCH.ledger_id
_SAMPLE = BOARD.sample(9, prev=bytes(32), gaps=[(1, 3, 1)])
_BLOCK = block.build(
    EPOCH,
    0,
    GRID.sign,
    round_number=1,
    time_ms=CREATED_MS,
    parents=[block.round_zero(EPOCH, 0)],
    commit_vote=CommitVote(0, EPOCH.digest),
    entries=(),
).block
_EVIDENCE = evidence.two_samples(
    BOARD.sample(9), BOARD.sample(9, [reading(CREATED_MS, ei=1)])
).encode()
_COMMIT = CommitLeaf(0, 1, CREATED_MS, BlockRef(1, 0, bytes(32)), bytes(32), bytes(32))
_ENROL = enrol_entry(BOARD)
_MARKET = Market(holidays=(1, 2), zone=ZoneRow(3600, ((0, 7200), (9, -1))))
_READY = ready_of(EPOCH, GRID, first_head(EPOCH))
_CARD = peer_card.build(
    LEDGER_ID,
    GRID.kid,
    GRID.sign,
    version=1,
    certificate=b"DER",
    host="host",
    port=1,
    broker_host="host",
    broker_port=2,
)
_NOTE = note_of(EPOCH, 1, bytes(32), GRID)
_BLOCKS = evidence.two_blocks(*two_blocks_of(EPOCH, GRID))
_NOTES = evidence.two_checkpoints(_NOTE, note_of(EPOCH, 1, b"r" * 32, GRID), b"r" * 32, ())


def _body(data: bytes) -> object:
    """Bytes -> decoded CBOR for parsers of bodies; a LedgerError where they are not CBOR."""
    try:
        return cbor.decode(data)
    except ValueError as error:
        raise LedgerError from error


# parser -> bytes that it accepts
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "block": (lambda data: block.parse(data, LEDGER_ID), _BLOCK.raw),
    "entry": (entry.decode, _ENROL),
    "evidence": (lambda data: evidence.decode(data, LEDGER_ID), _EVIDENCE),
    "genesis": (genesis.decode, genesis_of(GRID).raw),
    "market": (market.decode, _MARKET.raw),
    "genesis with a market": (
        genesis.decode,
        genesis_of(GRID, constants=Constants(market=_MARKET), rules=3).raw,
    ),
    "leaf": (leaf.decode, _COMMIT.encode()),
    "right edge": (merkle.decode_right_edge, merkle.RightEdge(1, (bytes(32),)).encode()),
    "sample": (lambda data: signed_sample.parse(data, LEDGER_ID), _SAMPLE.raw),
    "transaction": (
        lambda data: transaction.parse(data, LEDGER_ID),
        entry.decode(_ENROL).body,
    ),
    "enrol": (
        lambda data: transaction.parse_enrol(_body(data)),
        cbor.encode(transaction.enrol_body(BOARD.enrol())),
    ),
    "change": (
        lambda data: transaction.parse_change(_body(data)),
        cbor.encode(transaction.change_body(Change(0, following(GRID), (b"ready",)))),
    ),
    "approve": (lambda data: transaction.parse_approve(_body(data)), cbor.encode([bytes(32)])),
    "ready": (lambda data: ready.parse(data, LEDGER_ID), _READY),
    "peer card": (lambda data: peer_card.parse(data, LEDGER_ID), _CARD),
    "note": (checkpoint.parse_note, _NOTE.encode()),
    "evidence of blocks": (lambda data: evidence.decode(data, LEDGER_ID), _BLOCKS.encode()),
    "evidence of checkpoints": (lambda data: evidence.decode(data, LEDGER_ID), _NOTES.encode()),
    "revoke": (
        lambda data: transaction.parse_revoke(_body(data)),
        cbor.encode([BOARD.kid, 5]),
    ),
}
each_parser = pytest.mark.parametrize("name", sorted(PARSERS))


def parse_or_refuse(name: str, data: bytes) -> bool:
    """Whether the parser took the bytes; any error but its own goes through."""
    try:
        PARSERS[name][0](data)
    except LedgerError:
        return False
    return True


@each_parser
def test_the_good_bytes_are_taken(name: str) -> None:
    assert parse_or_refuse(name, PARSERS[name][1])


@each_parser
def test_every_beginning_is_refused(name: str) -> None:
    good = PARSERS[name][1]
    for length in range(len(good)):
        assert not parse_or_refuse(name, good[:length])


@each_parser
def test_bytes_behind_are_refused(name: str) -> None:
    good = PARSERS[name][1]
    assert not parse_or_refuse(name, good + b"\0")
    assert not parse_or_refuse(name, good + good)


@each_parser
@given(data=st.binary(max_size=64))
def test_garbage_raises_nothing_else(name: str, data: bytes) -> None:
    parse_or_refuse(name, data)
    parse_or_refuse(name, data + PARSERS[name][1])


@each_parser
@given(st.data())
def test_a_changed_byte_raises_nothing_else(name: str, data: st.DataObject) -> None:
    good = bytearray(PARSERS[name][1])
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    parse_or_refuse(name, bytes(good))


CBOR = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.integers(-9, 9) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@each_parser
@given(value=CBOR)
def test_any_structure_raises_nothing_else(name: str, value: object) -> None:
    parse_or_refuse(name, cbor.encode(value))
