"""What consensus reads of the commits before a snapshot's: the blocks above the floor, and those
of the commits that the leader schedule is made of (rules 24 and 28).

Which block a commit took is not believed but found again: every leader stands in a commit leaf,
blocks name their parents by digest, and a commit takes what its leader's history holds above the
floor and no commit took before. To know the latter of the oldest commit that matters, the
histories of the leaders before it are walked, down to its floor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.engine import window_first
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


@dataclass(frozen=True)
class Reach:
    """How far back what is needed lies, in commits of one epoch: `walked` the first whose history
    is walked, `exact` the first whose blocks matter, `window` the first of the leader schedule's;
    `floor`: blocks of this round and below do not matter."""

    walked: int
    exact: int
    window: int
    floor: int


@dataclass(frozen=True)
class Horizon:
    """`committed` the blocks above the newest floor that commits took; `window` those of each
    commit that the schedule is made of, in their order; as `engine.Recovered` has them."""

    committed: tuple[Block, ...] = ()
    window: tuple[tuple[Block, ...], ...] = ()


Leaders = Mapping[int, BlockRef]
"""Commit index -> its leader, of commits of one epoch."""


def reach(
    epoch: Epoch, first_index: int, head_index: int, leader_of: Callable[[int], BlockRef | None]
) -> Reach:
    """What an engine needs that goes on from commit `head_index` of `epoch`, whose first commit is
    `first_index`. `leader_of` the commit of an index; SnapshotError where it gives None."""
    depth = epoch.constants.gc_depth

    def leader(index: int) -> BlockRef | None:
        """None before the epoch's first commit."""
        if index < first_index:
            return None
        found = leader_of(index)
        if found is None:
            raise SnapshotError(f"the leaf of commit {index} is missing, which consensus reads")
        return found

    def back_to(floor: int, index: int) -> int:
        """The oldest commit, from `index` down, whose leader stands above a round."""
        while (below := leader(index - 1)) is not None and below.round > floor:
            index -= 1
        return index

    window = max(window_first(first_index, head_index, epoch), first_index)
    newest_floor = linearizer.floor_after(leader(head_index), depth)
    exact = min(window, back_to(newest_floor, head_index))
    floor = linearizer.floor_after(leader(exact - 1), depth)
    return Reach(back_to(floor, exact), exact, window, floor)


def settle(
    epoch: Epoch, head_index: int, leaders: Leaders, needed: Reach, blocks: Sequence[Block]
) -> Horizon:
    """The horizon after commit `head_index`, out of `blocks` by rising (round, author, digest):
    exactly those above `needed.floor` that commits from `needed.walked` on took.

    SnapshotError if one is missing, or is in no commit's history.
    """
    dag = Dag(epoch, needed.floor)
    _fill(dag, blocks)
    taken = 0
    window = []
    for index in range(needed.walked, head_index + 1):
        vertex = dag.find(leaders[index])
        if vertex is None:
            raise SnapshotError(f"the leader's block of commit {index} is missing")
        floor = needed.floor
        if index > needed.exact:
            floor = linearizer.floor_after(leaders[index - 1], epoch.constants.gc_depth)
        order = linearizer.order(dag, vertex, floor)
        dag.take(order)
        taken += len(order)
        if index >= needed.window:
            window.append(tuple(found.block for found in order))
    if taken != len(blocks):
        raise SnapshotError(f"{len(blocks) - taken} of its blocks are in no commit's history")
    newest = linearizer.floor_after(leaders[head_index], epoch.constants.gc_depth)
    committed = tuple(block for block in blocks if block.round > newest)
    return Horizon(committed, tuple(window))


def _fill(dag: Dag, blocks: Sequence[Block]) -> None:
    last: BlockRef | None = None
    for block in blocks:
        if last is not None and block.ref <= last:
            raise SnapshotError("its blocks are not sorted, each once")
        last = block.ref
        missing = dag.missing(block)
        if missing or block.round <= dag.floor:
            raise SnapshotError(
                f"the block of round {block.round}, author {block.author} lacks a parent or lies "
                f"below round {dag.floor}"
            )
        dag.add(block)
