"""Whatever a peer sends, and whenever: nothing is raised, nothing grows, the others go on."""

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.sync import fetching, framing
from wattle_gateway.sync import messages as m
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.parcels import Parcel
from wattle_testkit.memory_alliance import MemoryAlliance

ENTRY = b"\x82\x02an entry that hurries"

NUMBERS = st.one_of(st.integers(0, 12), st.just((1 << 53) - 1))
BYTES = st.binary(max_size=40)
DIGESTS = st.binary(min_size=32, max_size=32)
ROUNDS = st.lists(NUMBERS, max_size=5).map(tuple)
REFS = st.lists(st.builds(BlockRef, NUMBERS, NUMBERS, DIGESTS), max_size=4).map(tuple)
FEW = st.lists(BYTES, max_size=3).map(tuple)
PACKED = st.builds(PackedBlock, BYTES, FEW)
MESSAGES = st.one_of(
    st.builds(m.OwnBlock, PACKED),
    st.builds(m.Holdings, NUMBERS, ROUNDS, NUMBERS),
    st.builds(m.Fetch, NUMBERS, NUMBERS, REFS, ROUNDS),
    st.builds(m.Blocks, NUMBERS, st.lists(PACKED, max_size=3).map(tuple)),
    st.builds(m.Subscribe, NUMBERS, NUMBERS),
    st.builds(m.Commits, NUMBERS, st.integers(1, 99)),
    st.builds(
        m.History,
        NUMBERS,
        st.integers(1, 9),
        st.lists(
            st.builds(m.HistoryCommit, BYTES, st.lists(PACKED, max_size=2).map(tuple)), max_size=2
        ).map(tuple),
        FEW,
        FEW,
    ),
    st.builds(m.AskLast, st.binary(min_size=8, max_size=8), NUMBERS),
    st.builds(m.Last, st.binary(min_size=8, max_size=8), NUMBERS, st.just(3), BYTES),
    st.builds(m.Evidence, BYTES),
    st.builds(m.Checkpoint, st.integers(1, 9), NUMBERS, DIGESTS, DIGESTS.map(lambda d: d + d)),
    st.builds(m.Cards, FEW),
    st.builds(m.Join, BYTES, BYTES),
).map(lambda message: message.encode())


def _linked() -> MemoryAlliance:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.propose("a", ENTRY)
    alliance.run(1000)
    return alliance


@given(st.lists(st.one_of(MESSAGES, st.binary(max_size=60)), max_size=25))
@settings(max_examples=60, deadline=None)
def test_garbage_of_one_peer_neither_raises_nor_stops_the_others(raws: list[bytes]) -> None:
    alliance = _linked()
    before = alliance["a"].shelf.head.index
    for raw in raws:
        alliance.inject("d", "a", raw)
        alliance.run(20)
    alliance.propose("b", ENTRY)
    alliance.run_until(lambda: min(alliance.heads[:3]) > before, 5000)
    assert alliance["a"].shelf.head.digest == alliance["b"].shelf.head.digest


def test_what_a_peer_can_make_us_remember_has_an_end() -> None:
    alliance = _linked()
    peer = alliance["a"].sync._links.get(alliance.parties["d"].kid)
    assert peer is not None
    for number in range(300):
        for message in (
            m.Holdings(0, (number + 5,) * 4, number + 99),
            m.Subscribe(number, 0),
            m.AskLast(number.to_bytes(8, "big"), number),
            m.Blocks(number, ()),
        ):
            alliance.inject("d", "a", message.encode())
        alliance.run(300)
    assert len(peer.fetches) <= fetching.FETCHES_PER_PEER_MAX
    assert len(peer.late) <= fetching.LATE_MAX
    assert len(alliance["a"].sync._fetcher._wanted) <= fetching.WANTED_MAX


def test_messages_that_come_twice_and_out_of_order_are_no_faults() -> None:
    alliance = MemoryAlliance(*"abcd")
    held: list[Parcel] = []

    def shuffled(parcel: Parcel) -> list[Parcel]:
        """Every message twice, the second time after the next one."""
        out = [parcel, *held]
        held[:] = [parcel]
        return out

    alliance.alter["a"] = shuffled
    alliance.link()
    for _ in range(10):
        alliance.propose("a", ENTRY)
        alliance.run(500)
    assert not any(gateway.heard.faults for gateway in alliance.gateways.values())
    assert len({gateway.shelf.head.digest for gateway in alliance.gateways.values()}) == 1


def test_the_largest_message_is_read_in_no_more_than_its_bytes() -> None:
    alliance = _linked()
    raw = bytes([m.BYE]) + bytes(framing.MESSAGE_BYTES_MAX - 1)
    received = alliance["a"].sync.receive(alliance.parties["d"].kid, raw, alliance.steady_ms)
    assert len(received.faults) == 1
