"""Answers are filled up to their bound, from any epoch, and no peer gets more than its share."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from wattle_gateway.ledger.leaf import CommitLeaf, decode
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader, serving
from wattle_gateway.sync.framing import ANSWER_BYTES
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.peer import SERVED_BURST_BYTES, SERVED_BYTES_PER_S
from wattle_testkit.alliance import following
from wattle_testkit.memory_alliance import MemoryAlliance
from wattle_testkit.memory_gateway import MemoryShelf

ENTRY = b"\x82\x02an entry that hurries"
LARGE = ENTRY + bytes(59_000)
CHANGE = b"\x82\x02a change of epoch"
ALL = (0, 0, 0, 0)


@pytest.fixture(scope="module")
def busy() -> MemoryAlliance:
    """Four gateways with some 2 MB of ledger."""
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    for _ in range(40):
        alliance.propose("a", LARGE)
        alliance.run(300)
    return alliance


def test_a_fetch_is_filled_up_to_its_bound_lowest_rounds_first(busy: MemoryAlliance) -> None:
    shelf = busy["a"].shelf
    answer = serving.answer_fetch(shelf, m.Fetch(1, 0, (), ALL))
    raw = answer.encode()
    assert ANSWER_BYTES <= len(raw) <= ANSWER_BYTES + len(LARGE) + 4096
    assert serving.filled(answer.blocks)
    everything = list(shelf.lacking(0, ALL))
    assert list(answer.blocks) == everything[: len(answer.blocks)]
    assert len(answer.blocks) < len(everything)


def test_what_is_asked_for_by_name_comes_before_what_is_lacking(busy: MemoryAlliance) -> None:
    shelf = busy["a"].shelf
    refs = [*sorted(shelf.stored[0])[2:4], sorted(shelf.stored[0])[-1]]
    answer = serving.answer_fetch(shelf, m.Fetch(1, 0, tuple(reversed(refs)), ALL))
    expected = [shelf.find(0, ref) for ref in refs]
    assert list(answer.blocks[:3]) == expected
    assert len({packed.header for packed in answer.blocks}) == len(answer.blocks)


def test_what_is_not_held_is_left_out(busy: MemoryAlliance) -> None:
    shelf = busy["a"].shelf
    known = sorted(shelf.stored[0])[0]
    unknown = replace(known, digest=bytes(32))
    answer = serving.answer_fetch(shelf, m.Fetch(1, 0, (unknown, known, known), ()))
    assert answer.blocks == (shelf.find(0, known),)
    assert serving.answer_fetch(shelf, m.Fetch(1, 7, (known,), ())).blocks == ()


def test_commits_are_filled_up_to_their_bound_and_no_further(busy: MemoryAlliance) -> None:
    gateway = busy["a"]
    answer = serving.answer_commits(gateway.shelf, m.Commits(1, 1), gateway.sync._intake)
    assert len(answer.encode()) <= ANSWER_BYTES + len(LARGE) + 4096
    assert 1 < len(answer.commits) < gateway.shelf.head.index
    assert len(answer.votes) == 3


def test_commits_go_up_to_what_a_quorum_has_voted_for(busy: MemoryAlliance) -> None:
    gateway = busy["a"]
    newest = gateway.shelf.head.index
    answer = serving.answer_commits(gateway.shelf, m.Commits(1, newest - 5), gateway.sync._intake)
    assert newest - 8 <= newest - 6 + len(answer.commits) <= newest
    beyond = serving.answer_commits(gateway.shelf, m.Commits(1, newest + 1), gateway.sync._intake)
    assert beyond.commits == ()


def test_commits_of_one_answer_are_of_one_epoch() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.changes[CHANGE] = following(*alliance.parties.values())
    alliance.link()
    for _ in range(8):
        alliance.propose("a", ENTRY)
        alliance.run(500)
    alliance.propose("a", CHANGE)
    alliance.run_until(lambda: alliance.epoch_of("a").number == 1, 3000)
    ended = alliance["a"].shelf.head.index
    for _ in range(8):
        alliance.propose("a", ENTRY)
        alliance.run(500)
    gateway = alliance["b"]
    first = serving.answer_commits(gateway.shelf, m.Commits(1, 1), gateway.sync._intake)
    rows = [decode(commit.leaf) for commit in first.commits]
    assert all(isinstance(row, CommitLeaf) and row.epoch == 0 for row in rows)
    assert 1 <= len(rows) <= ended
    # The last commit of an epoch has no votes in it: nobody is left there to give them.
    last = serving.answer_commits(gateway.shelf, m.Commits(1, ended), gateway.sync._intake)
    assert last.commits == ()
    second = serving.answer_commits(gateway.shelf, m.Commits(1, ended + 1), gateway.sync._intake)
    assert second.commits


def test_a_fetch_with_the_rounds_of_another_committee_is_a_fault(busy: MemoryAlliance) -> None:
    kid = busy.parties["b"].kid
    raw = m.Fetch(1, 0, (), (0, 0, 0)).encode()
    assert len(busy["a"].sync.receive(kid, raw, busy.steady_ms).faults) == 1
    assert busy["a"].sync.receive(kid, m.Holdings(0, (1,), 1).encode(), busy.steady_ms).faults


def test_who_asks_without_end_is_served_no_more_than_its_share(busy: MemoryAlliance) -> None:
    gateway, kid = busy["a"], busy.parties["c"].kid
    raw = m.Fetch(1, 0, (), ALL).encode()
    served = 0
    for _ in range(40):
        received = gateway.sync.receive(kid, raw, busy.steady_ms)
        served += sum(len(parcel.raw) for parcel in received.parcels)
    assert SERVED_BURST_BYTES * 9 // 10 <= served <= SERVED_BURST_BYTES + 2 * ANSWER_BYTES
    later = gateway.sync.receive(kid, raw, busy.steady_ms + 1000)
    assert [parcel.kind for parcel in later.parcels] == [m.BLOCKS]
    assert SERVED_BYTES_PER_S >= ANSWER_BYTES
    # Another peer's share is its own.
    other = gateway.sync.receive(busy.parties["d"].kid, raw, busy.steady_ms)
    assert [parcel.kind for parcel in other.parcels] == [m.BLOCKS]


def test_small_requests_cost_a_share_too(busy: MemoryAlliance) -> None:
    gateway, kid = busy["b"], busy.parties["c"].kid
    raw = m.Commits(1, 1 << 40).encode()
    answers = 0
    for _ in range(400):
        answers += len(gateway.sync.receive(kid, raw, busy.steady_ms).parcels)
    assert answers < 200


def test_a_stream_that_is_far_behind_goes_on_in_portions(busy: MemoryAlliance) -> None:
    gateway, kid = busy["a"], busy.parties["b"].kid
    start_ms = busy.steady_ms + 60_000
    received = gateway.sync.receive(kid, m.Subscribe(0, 0).encode(), start_ms)
    own = [packed for _round, packed in gateway.shelf.own_blocks(0, 0)]
    got = [reader.parse(parcel.raw) for parcel in received.parcels if parcel.kind == m.BLOCK]
    assert 1 < len(got) < len(own)
    due_ms = gateway.sync.next_tick_ms
    while len(got) < len(own):
        assert due_ms is not None
        parcels = gateway.sync.tick(due_ms)
        got += [
            reader.parse(parcel.raw)
            for parcel in parcels
            if parcel.kind == m.BLOCK and parcel.to == kid
        ]
        due_ms = gateway.sync.next_tick_ms
    assert got == [m.OwnBlock(packed) for packed in own]


def test_new_blocks_wait_for_a_stream_that_is_behind_and_for_rounds_that_are_held() -> None:
    alliance = MemoryAlliance("a")
    for _ in range(25):
        alliance.propose("a", LARGE)
        alliance.run(200)
    gateway = alliance["a"]
    for kid, above in ((b"far back", 0), (b"far away", 1 << 40)):
        gateway.connected(kid, alliance.steady_ms, guest=True)
        gateway.receive(kid, m.Subscribe(0, above).encode(), alliance.steady_ms)
    parcels = gateway.propose([ENTRY], alliance.steady_ms)
    assert [parcel for parcel in parcels if parcel.kind == m.BLOCK] == []


class LargeCommits(MemoryShelf):
    """As if every commit had taken five megabytes of blocks."""

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        return iter([PackedBlock(b"header", (bytes(1 << 20),))] * 5)


class ManyParts(MemoryShelf):
    """As if every commit had taken a full block of empty entries."""

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        return iter([PackedBlock(b"header", (b"",) * reader.BLOCK_ENTRIES_MAX)])

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        return iter([PackedBlock(b"header", (b"",) * reader.BLOCK_ENTRIES_MAX)] * 99)


def test_a_commit_that_no_answer_holds_is_left_to_be_fetched(busy: MemoryAlliance) -> None:
    shelf = LargeCommits(busy["a"].shelf.kid, busy.genesis)
    shelf.__dict__.update(busy["a"].shelf.__dict__)
    answer = serving.answer_commits(shelf, m.Commits(1, 1), busy["a"].sync._intake)
    assert answer == m.History(1, 1)


def test_answers_keep_within_the_parts_of_a_message(busy: MemoryAlliance) -> None:
    shelf = ManyParts(busy["a"].shelf.kid, busy.genesis)
    shelf.__dict__.update(busy["a"].shelf.__dict__)
    blocks = serving.answer_fetch(shelf, m.Fetch(1, 0, (), ALL))
    assert 10 < len(blocks.blocks) < 20
    assert reader.parse(blocks.encode()) == blocks
    history = serving.answer_commits(shelf, m.Commits(1, 1), busy["a"].sync._intake)
    assert 10 < len(history.commits) < 20
    assert reader.parse(history.encode()) == history
