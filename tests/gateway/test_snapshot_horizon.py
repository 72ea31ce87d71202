"""From what a snapshot has of the graph, the same commits follow as for who was there."""

import pytest
from wattle_gateway.audit.commit_replay import CommitReplay
from wattle_gateway.consensus.linearizer import floor_after
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import horizon
from wattle_gateway.snapshot.horizon import Horizon, Reach
from wattle_gateway.store.block_rows import StoredBlock
from wattle_testkit.random_dag import Shape, random_dag

SHAPES = {
    "calm": Shape(4, 40, absent_permille=0, gc_depth=6, leader_commits=5),
    "absent, twins": Shape(
        4, 60, equivocators=1, absent_permille=300, link_permille=500, gc_depth=6, leader_commits=5
    ),
    "one is slow": Shape(4, 60, slow=1, link_permille=600, gc_depth=8, leader_commits=4),
    "seven, two lie": Shape(
        7, 40, equivocators=2, leader_permille=900, link_permille=800, gc_depth=5, leader_commits=3
    ),
    "no liar is borne": Shape(3, 30, gc_depth=5, leader_commits=4),
}


def decided(replay: CommitReplay, blocks: list[Block]) -> list[Commit]:
    """The commits that come out as the blocks go in."""
    commits = []
    for place, block in enumerate(blocks):
        replay.add(StoredBlock(place, block, ()))
        commits += replay.decide()
        replay.wake()
    return commits


def horizon_at(epoch: Epoch, commits: list[Commit], index: int) -> tuple[Reach, Horizon]:
    """What a snapshot of commit `index` has to have, and what is made of it."""
    leaders = {commit.index: commit.leader for commit in commits[:index]}
    needed = horizon.reach(epoch, 1, index, leaders.get)
    taken = [block for commit in commits[needed.walked - 1 : index] for block in commit.blocks]
    above = sorted(
        (block for block in taken if block.round > needed.floor), key=lambda block: block.ref
    )
    return needed, horizon.settle(epoch, index, leaders, needed, above)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("seed", [1, 2])
def test_who_begins_anywhere_decides_as_who_was_there(shape: Shape, seed: int) -> None:
    epoch = shape.committee.epoch
    blocks = [made.block for made in random_dag(shape, seed).blocks]
    commits = decided(CommitReplay(epoch, first_head(epoch)), blocks)
    assert len(commits) > shape.rounds // 3
    for index in range(1, len(commits), 3):
        leader = commits[index - 1].leader
        needed, past = horizon_at(epoch, commits, index)
        window = [commit.blocks for commit in commits[needed.window - 1 : index]]
        assert list(past.window) == window
        taken = {block.ref: block for commit in commits[:index] for block in commit.blocks}
        floor = floor_after(leader, shape.gc_depth)
        assert set(past.committed) == {block for block in taken.values() if block.round > floor}
        head = CommitHead(index, commits[index - 1].time_ms, bytes(32), bytes(32))
        rest = [block for block in blocks if block.ref not in taken and block.round > floor]
        assert decided(CommitReplay(epoch, head, leader, past), rest) == commits[index:], index


def test_leaves_that_end_too_early_are_named() -> None:
    shape = SHAPES["calm"]
    epoch = shape.committee.epoch
    blocks = [made.block for made in random_dag(shape, 1).blocks]
    commits = decided(CommitReplay(epoch, first_head(epoch)), blocks)
    index = len(commits) - 1
    leaders = {commit.index: commit.leader for commit in commits}
    needed = horizon.reach(epoch, 1, index, leaders.get)
    assert 1 < needed.walked < needed.exact <= needed.window
    del leaders[needed.walked - 1]
    with pytest.raises(SnapshotError, match=f"leaf of commit {needed.walked - 1} is missing"):
        horizon.reach(epoch, 1, index, leaders.get)
