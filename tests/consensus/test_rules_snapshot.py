"""Rule 33: a ledger that begins with a snapshot goes on as one that begins with the genesis.

What a snapshot brings is found from the leaders: `wattle_gateway.snapshot.horizon`'s business, with
tests of its own on graphs with liars (test_snapshot_horizon).
"""

from dataclasses import dataclass, field

import pytest
from wattle_gateway.consensus.engine import IDLE_ROUND_MS, Recovered
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import horizon
from wattle_gateway.snapshot.horizon import Horizon
from wattle_testkit.dag_builder import draw
from wattle_testkit.paper_member import PaperMember, PaperStore

# The window of the schedule and the floor lie far behind the newest commit, but not at the genesis.
DRAWING = draw("gc_depth: 4\nleader_commits: 3\n1-7: *\n8-9: *(* -D)\n10-24: *", 4)


@dataclass
class BegunStore(PaperStore):
    """The store of a ledger that begins after some commit of another, with what is known of the
    graph before it."""

    last: Commit | None = None
    past: Horizon = field(default_factory=Horizon)

    def recovered(self, epoch: Epoch) -> Recovered:
        assert self.last is not None
        return Recovered(
            head=self.head,
            first_index=1,
            leader=self.last.leader,
            committed=self.past.committed,
            window=self.past.window,
        )


@pytest.fixture(scope="module")
def whole() -> PaperMember:
    """An observer that was there from the genesis on."""
    made = PaperMember(DRAWING.committee, None)
    made.accept(DRAWING.all_but())
    return made


def past_of(whole: PaperMember, index: int, without: int = 0) -> Horizon:
    """What a snapshot of commit `index` has of the graph; `without` so many of its blocks."""
    leaders = {commit.index: commit.leader for commit in whole.commits[:index]}
    epoch = DRAWING.epoch
    needed = horizon.reach(epoch, 1, index, leaders.get)
    taken = [block for commit in whole.commits[:index] for block in commit.blocks]
    above = [block for block in taken if block.round > needed.floor]
    blocks = sorted(above, key=lambda block: block.ref)[without:]
    return horizon.settle(epoch, index, leaders, needed, blocks)


def begun(whole: PaperMember, index: int, author: int | None = None) -> PaperMember:
    """A member that begins after commit `index` and hears what no commit up to there took."""
    past = past_of(whole, index)
    store = BegunStore(whole.store.heads[index], last=whole.commits[index - 1], past=past)
    member = PaperMember(DRAWING.committee, author, silent=author is not None, store=store)
    member.tick(0)
    taken = {block.ref for commit in whole.commits[:index] for block in commit.blocks}
    member.accept(made for made in DRAWING.all_but() if made.block.ref not in taken)
    return member


def test_commits_after_a_snapshot_are_those_of_whoever_was_there_rule_33(
    whole: PaperMember,
) -> None:
    assert len(whole.commits) > 15
    for index in range(1, len(whole.commits)):
        member = begun(whole, index)
        assert member.commits == whole.commits[index:], index
        assert member.store.head == whole.store.head, index


def test_a_newcomer_with_a_snapshot_signs_nothing_until_the_others_answer_rules_31_33(
    whole: PaperMember,
) -> None:
    member = begun(whole, 10, author=0)
    for step in range(1, 5):
        member.tick(step * IDLE_ROUND_MS)
    assert (member.sent, member.engine.silent) == ([], True)
    member.resume(24)
    member.tick(10 * IDLE_ROUND_MS)
    assert [made.block.round for made in member.sent] == [25]


def test_a_snapshot_that_lacks_a_block_is_not_believed_rule_33(whole: PaperMember) -> None:
    with pytest.raises(SnapshotError, match="lacks a parent"):
        past_of(whole, 10, without=1)
