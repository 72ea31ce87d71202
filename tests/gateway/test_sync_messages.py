"""Messages between gateways: every kind whole, truncated, with garbage and beyond each limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.ledger.block import HEADER_BYTES_MAX, BlockRef
from wattle_gateway.ledger.peer_card import CARD_BYTES_MAX
from wattle_gateway.sync import framing, reader
from wattle_gateway.sync import messages as m
from wattle_gateway.sync.errors import PeerMessageError
from wattle_gateway.sync.packed import PackedBlock
from wattle_wire import cbor

BLOCK = PackedBlock(b"header", (b"one", b"", b"three"))
BARE = PackedBlock(b"header of an empty block", ())
REF = BlockRef(7, 3, bytes(range(32)))

ALL: list[m.Message] = [
    m.Hello(bytes(16), b"kid of 8", 3, 0, bytes(32)),
    m.Hello(bytes(16), b"kid of 8", 3, 9, bytes(32), b"t" * 32),
    m.OwnBlock(BLOCK),
    m.OwnBlock(BARE),
    m.Holdings(1, (4, 0, 7), 12),
    m.Fetch(5, 1, (REF,), ()),
    m.Fetch(5, 1, (), (1, 2, 3, 4)),
    m.Blocks(5, ()),
    m.Blocks(5, (BLOCK, BARE, BLOCK)),
    m.Subscribe(2, 0),
    m.Commits(6, 1),
    m.History(6, 1),
    m.History(6, 1, begins=2),
    m.History(
        6,
        1,
        (m.HistoryCommit(b"leaf 1", (BARE, BLOCK)), m.HistoryCommit(b"leaf 2", (BARE,))),
        (b"leaf 3",),
        (b"vote a", b"vote b"),
    ),
    m.AskLast(b"8 octets", 2),
    m.Last(b"8 octets", 2, 0, None),
    m.Last(b"8 octets", 2, 9, b"header"),
    m.Evidence(b"an entry"),
    m.Checkpoint(60, 1234, bytes(32), bytes(64)),
    m.Cards(()),
    m.Cards((b"one", b"two")),
    m.Join(b"ready", b"card"),
    m.Bye(3, "a reason"),
    m.Carry(b"a transaction"),
    m.FalseCheckpoint(1, bytes(8), 99, bytes(32), bytes(64)),
]


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_every_message_comes_back_as_it_went(message: m.Message) -> None:
    assert reader.parse(message.encode()) == message


def test_every_kind_is_covered() -> None:
    assert {message.encode()[0] for message in ALL} == set(m.KIND_NAMES)


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_every_truncation_is_refused_or_another_message(message: m.Message) -> None:
    """Entries of a block and cards have no count: a cut between parts leaves fewer of them."""
    raw = message.encode()
    for end in range(len(raw)):
        try:
            assert isinstance(reader.parse(raw[:end]), m.OwnBlock | m.Cards)
        except PeerMessageError:
            continue


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_a_part_too_many_and_garbage_behind_are_refused(message: m.Message) -> None:
    raw = message.encode()
    if not isinstance(message, m.OwnBlock | m.Cards):
        with pytest.raises(PeerMessageError):
            reader.parse(raw + (1).to_bytes(4, "big") + b"x")
    with pytest.raises(PeerMessageError):
        reader.parse(raw + b"\x00\x00")
    with pytest.raises(PeerMessageError):
        reader.parse(raw + (9).to_bytes(4, "big") + b"short")


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_garbage_in_front_is_refused(message: m.Message) -> None:
    with pytest.raises(PeerMessageError):
        reader.parse(b"\xff" + message.encode())


def _framed(kind: int, head: object, *parts: bytes) -> bytes:
    return framing.join(kind, (cbor.encode(head), *parts))


def _heads() -> list[tuple[int, object]]:
    digest, sixteen, kid = bytes(32), bytes(16), bytes(8)
    return [
        (m.HELLO, [2, sixteen, kid, 0, 0, digest, b""]),
        (m.HELLO, [1, sixteen, kid, 0, 0, digest, b"short"]),
        (m.HELLO, [1, kid, kid, 0, 0, digest, b""]),
        (m.HELLO, [1, sixteen, kid, 0, 0, digest]),
        (m.BLOCK, [1]),
        (m.HOLDINGS, [0, [0] * 33, 0]),
        (m.HOLDINGS, [0, [-1], 0]),
        (m.HOLDINGS, [0, [1 << 53], 0]),
        (m.HOLDINGS, [0, "rounds", 0]),
        (m.FETCH, [1, 0, [[1, 0, digest]] * (m.FETCH_REFS_MAX + 1), []]),
        (m.FETCH, [1, 0, [[1, 0, b"short"]], []]),
        (m.FETCH, [1, 0, [[1, -1, digest]], []]),
        (m.FETCH, [1, True, [], []]),
        (m.BLOCKS, [1, [0]]),
        (m.BLOCKS, [1, [reader.BLOCK_ENTRIES_MAX + 1]]),
        (m.SUBSCRIBE, [0, None]),
        (m.COMMITS, [1, 0]),
        (m.HISTORY, [1, 0, [], 0, 0]),
        (m.HISTORY, [1, 1, [[]], 0, 0]),
        (m.HISTORY, [1, 1, [], m.HISTORY_TAIL_MAX + 1, 0]),
        (m.HISTORY, [1, 1, [], 0, m.VOTES_MAX + 1]),
        (m.HISTORY, [1, 1, [[]] * (m.HISTORY_COMMITS_MAX + 1), 0, 0]),
        (m.ASK_LAST, [b"seven..", 0]),
        (m.LAST, [bytes(8), 0, 1]),
        (m.EVIDENCE, []),
        (m.CHECKPOINT, [0, 1, digest, bytes(64)]),
        (m.CHECKPOINT, [1, 1, digest, bytes(63)]),
        (m.JOIN, []),
        (m.CARRY, []),
        (m.FALSE_CHECKPOINT, [0, bytes(7), 1, digest, bytes(64)]),
        (m.FALSE_CHECKPOINT, [0, bytes(8), -1, digest, bytes(64)]),
        (m.FALSE_CHECKPOINT, [0, bytes(8), 1, digest, bytes(63)]),
        (m.BYE, [0, ""]),
        (m.BYE, [0, "x" * (m.BYE_TEXT_MAX + 1)]),
        (0, []),
        (18, []),
    ]


@pytest.mark.parametrize(("kind", "head"), _heads())
def test_heads_that_spec_does_not_allow_are_refused(kind: int, head: object) -> None:
    with pytest.raises(PeerMessageError):
        reader.parse(_framed(kind, head))


@pytest.mark.parametrize(
    "raw",
    [
        _framed(m.BLOCK, [], bytes(HEADER_BYTES_MAX + 1)),
        _framed(m.BLOCK, []),
        _framed(m.BLOCK, [], b"header", bytes(reader.ENTRY_BYTES_MAX + 1)),
        _framed(m.BLOCK, [], b"header", *[b""] * (reader.BLOCK_ENTRIES_MAX + 1)),
        _framed(m.LAST, [bytes(8), 0, 0], b"a header for no round"),
        _framed(m.CARDS, [], bytes(CARD_BYTES_MAX + 1)),
        _framed(m.CARDS, [], *[b"card"] * (m.CARDS_MAX + 1)),
        _framed(m.HISTORY, [1, 1, [[]], 0, 0], bytes(reader.LEAF_BYTES_MAX + 1)),
        framing.join(m.BLOCK, ()),
        framing.join(m.BLOCKS, (bytes(cbor.INPUT_BYTES_MAX + 1),)),
        b"",
        bytes([m.BYE]) + bytes(framing.MESSAGE_BYTES_MAX),
        bytes([m.BYE]) + bytes(4 * (framing.PARTS_MAX + 1)),
    ],
    ids=range(13),
)
def test_oversized_parts_are_refused(raw: bytes) -> None:
    with pytest.raises(PeerMessageError):
        reader.parse(raw)


def test_the_largest_of_each_count_is_taken() -> None:
    refs = (REF,) * m.FETCH_REFS_MAX
    assert reader.parse(m.Fetch(1, 0, refs, (0,) * 32).encode())
    assert reader.parse(m.Cards((bytes(CARD_BYTES_MAX),) * m.CARDS_MAX).encode())
    block = PackedBlock(bytes(HEADER_BYTES_MAX), (b"",) * reader.BLOCK_ENTRIES_MAX)
    assert reader.parse(m.OwnBlock(block).encode())
    history = m.History(
        1,
        1,
        (m.HistoryCommit(bytes(reader.LEAF_BYTES_MAX), ()),) * m.HISTORY_COMMITS_MAX,
        (b"",) * m.HISTORY_TAIL_MAX,
        (b"",) * m.VOTES_MAX,
    )
    assert reader.parse(history.encode()) == history


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_garbage_raises_nothing_else(raw: bytes) -> None:
    try:
        reader.parse(raw)
    except PeerMessageError:
        return


HEADS = st.recursive(
    st.one_of(st.integers(-5, 1 << 54), st.binary(max_size=33), st.text(max_size=4), st.none()),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=12,
)


@given(st.integers(0, 17), st.lists(HEADS, max_size=7), st.lists(st.binary(max_size=9), max_size=5))
@settings(max_examples=400)
def test_well_framed_garbage_raises_nothing_else(
    kind: int, head: list[object], parts: list[bytes]
) -> None:
    try:
        message = reader.parse(_framed(kind, head, *parts))
    except PeerMessageError:
        return
    assert message.encode() == _framed(kind, head, *parts)


@given(st.sampled_from(ALL), st.data())
@settings(max_examples=300)
def test_a_flipped_bit_raises_nothing_else(message: m.Message, data: st.DataObject) -> None:
    raw = bytearray(message.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        reader.parse(bytes(raw))
    except PeerMessageError:
        return
