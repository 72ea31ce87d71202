"""Four drivers on real databases come to one ledger, whatever enters it where."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.contracts import alliance as alliance_rows
from wattle_gateway.contracts import registry
from wattle_gateway.ledger import evidence, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.store import pool_rows
from wattle_testkit.alliance import (
    CREATED_MS,
    Board,
    Party,
    epoch_of,
    evidence_entry,
    reading,
    sample_entry,
    two_blocks_of,
)
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.sample_flow import SampleFlow

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
# All of one role: a home enrols alone. A short window, so that the leader schedule changes.
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=8)
FOUR = epoch_of(*PARTIES, constants=CONSTANTS)
# A sample waits for the next round and is committed some three rounds of 2 s later.
SETTLED_MS = 12_000


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    made.run(1000)
    yield made
    made.close()


def enrolled(alliance: DrivenAlliance, name: str = "meter") -> Board:
    """A board enrolled at the first member."""
    board = Board(name, alliance.epoch)
    kid = alliance.epoch.members[0].kid
    (home,) = [found for found, member in alliance.members.items() if member.kid == kid]
    alliance.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    alliance.run(1500)
    return board


def seqs(alliance: DrivenAlliance, name: str, board: Board) -> list[int]:
    """Seqs of a meter in a gateway's ledger, rising."""
    rows = alliance[name].connection.execute(
        "SELECT seq FROM samples WHERE meter = ? ORDER BY seq", (board.kid,)
    )
    return [row[0] for row in rows]


def test_samples_at_every_gateway_come_into_one_ledger(four: DrivenAlliance) -> None:
    board = enrolled(four)
    for seq in range(1, 21):
        four.add(NAMES[seq % 4], sample_entry(board.sample(seq)))
        four.run(700)
    four.run(SETTLED_MS)
    assert len(four.heads()) == 1
    for name in NAMES:
        assert seqs(four, name, board) == list(range(1, 21))
        view = four[name].stands(board.kid)
        assert view is not None
        assert (view.final, view.durable) == (20, 20)
        assert pool_rows.size(four[name].connection) == 0
    assert all(len(headers) == 1 for headers in four.blocks().values())


def test_a_transaction_is_final_within_a_second_and_a_half(four: DrivenAlliance) -> None:
    four.run(3_600_000)  # an idle hour
    before = {name: four[name].head.index for name in NAMES}
    board = Board("late", four.epoch)
    kid = four.epoch.members[0].kid
    (home,) = [name for name, member in four.members.items() if member.kid == kid]
    four.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    four.run(1500)
    for name in NAMES:
        assert four[name].head.index > before[name]
        assert registry.meter(four[name].state, board.kid) is not None


def test_the_same_sample_at_two_gateways_is_one_sample(four: DrivenAlliance) -> None:
    board = enrolled(four)
    for seq in range(1, 6):
        body = sample_entry(board.sample(seq))
        four.add("ann", body)
        four.add("bob", body)
        four.run(300)
    four.run(2 * SETTLED_MS)
    assert len(four.heads()) == 1
    assert seqs(four, "cid", board) == [1, 2, 3, 4, 5]
    for name in NAMES:
        assert pool_rows.size(four[name].connection) == 0
        assert four[name].queue.held(board.kid) == []


def test_a_copy_that_waits_leaves_the_pool_when_another_gateways_is_in(
    four: DrivenAlliance,
) -> None:
    board = enrolled(four)
    four.cut("bob")
    body = sample_entry(board.sample(1))
    four.add("bob", body)
    four.run(3000)
    four.add("ann", body)
    four.run(SETTLED_MS)
    assert seqs(four, "ann", board) == [1]
    four.heal()
    four.run(SETTLED_MS)
    assert len(four.heads()) == 1
    assert pool_rows.size(four["bob"].connection) == 0


def test_two_samples_of_a_seq_at_two_gateways_are_shown(four: DrivenAlliance) -> None:
    board = enrolled(four)
    one = board.sample(1, [reading(CREATED_MS, ei=1)])
    other = board.sample(1, [reading(CREATED_MS, ei=2)])
    four.add("ann", sample_entry(one))
    four.add("bob", sample_entry(other))
    four.run(3 * SETTLED_MS)
    assert len(four.heads()) == 1
    for name in NAMES:
        assert seqs(four, name, board) == [1]
        assert registry.fork(four[name].state, board.kid, 1) is not None


def test_a_minority_goes_on_taking_samples_and_brings_them_in(four: DrivenAlliance) -> None:
    board = enrolled(four)
    four.cut("dee")
    for seq in range(1, 4):
        four.add("dee", sample_entry(board.sample(seq)))
        four.run(2000)
    view = four["dee"].stands(board.kid)
    assert view is not None
    assert (view.final, view.durable) == (0, 3)
    four.run(60_000)
    four.heal()
    four.run(3 * SETTLED_MS)
    assert len(four.heads()) == 1
    assert seqs(four, "ann", board) == [1, 2, 3]


def test_payload_below_the_floor_is_proposed_again(four: DrivenAlliance) -> None:
    """The block of a cut-off member is out of reach when it is back: its entries are not."""
    board = enrolled(four)
    four.add("dee", sample_entry(board.sample(1)))
    four.cut("dee")
    four.run(3000)
    for seq in range(2, 30):
        four.add("ann", sample_entry(board.sample(seq)))
        four.run(2000)
    four.heal()
    four.run(4 * SETTLED_MS)
    assert len(four.heads()) == 1
    assert seqs(four, "ann", board) == list(range(1, 30))


def test_nothing_is_lost_while_an_alliance_grows_from_one_to_four(tmp_path: Path) -> None:
    ann, bob, cid, dee = PARTIES
    alliance = DrivenAlliance(tmp_path, ann, epoch=epoch_of(ann, constants=CONSTANTS))
    flow = SampleFlow(alliance, "ann")
    flow(5, "ann")
    alliance.add_member(bob)
    flow(5, "ann")
    assert alliance["bob"].head.index > 0
    assert alliance["bob"].author is None
    alliance.change("ann", ["bob"], ["ann", "bob"])
    flow(10, "ann", "bob")
    assert (alliance["ann"].epoch.number, alliance["ann"].epoch.size) == (1, 2)
    alliance.add_member(cid)
    alliance.add_member(dee)
    flow(5, "ann", "bob")
    alliance.change("bob", ["cid", "dee"], NAMES)
    flow(10, *NAMES)
    alliance.run(2 * SETTLED_MS)
    assert len(alliance.heads()) == 1
    for name in NAMES:
        assert alliance[name].epoch.number == 2
        assert alliance[name].signing
        assert seqs(alliance, name, flow.board) == list(range(1, flow.sent + 1))
        assert pool_rows.size(alliance[name].connection) == 0
    assert all(len(headers) == 1 for headers in alliance.blocks().values())
    alliance.close()


def test_who_leaves_follows_on_without_a_vote(four: DrivenAlliance) -> None:
    board = enrolled(four)
    four.change("ann", [], ["ann", "bob", "cid"])
    four.add("ann", sample_entry(board.sample(1)))
    four.run(SETTLED_MS)
    assert len(four.heads()) == 1
    assert four["dee"].author is None
    assert not four["dee"].signing
    assert four["ann"].epoch.size == 3
    assert seqs(four, "dee", board) == [1]


def test_evidence_from_a_peer_comes_onto_every_ledger(four: DrivenAlliance) -> None:
    party = four.members["cid"].party
    pair = two_blocks_of(four.epoch, party, round_number=500)
    raw = evidence_entry(evidence.two_blocks(*pair))
    four.add("ann", raw)
    four.run(2000)
    for name in NAMES:
        shown = alliance_rows.cheat(four[name].state, party.kid)
        assert shown is not None
        assert shown.round == 500
        assert any(party.kid in progress.cheats for progress in four.members[name].heard)
        assert four[name].engine.twins == frozenset({four.epoch.author_of(party.kid)})
    four.run(60_000)
    assert len(four.heads()) == 1
