"""From a committed leader to an ordered list of blocks and a time (SPEC section 11)."""

from collections.abc import Set

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


def floor_after(leader: BlockRef | None, gc_depth: int) -> int:
    """The round up to which the commit after this leader's collects nothing (rule 24)."""
    return 0 if leader is None else max(0, leader.round - gc_depth)


def order(dag: Dag, leader: BlockRef, committed: Set[BlockRef], floor: int) -> tuple[Block, ...]:
    """The leader's block and its ancestors above round `floor` that no commit has taken.

    "Taken" is asked for each block, not for each author's highest round (rule 25); sorted by
    (round, author, digest) (rule 26).
    """
    taken = [block for block in dag.history(leader, floor) if block.ref not in committed]
    taken.sort(key=lambda block: block.ref)
    return tuple(taken)


def commit_time_ms(dag: Dag, epoch: Epoch, leader: Block, previous_ms: int) -> int:
    """The commit time: never below the previous one, else the lower median of the leader
    block's time and those of its parents of the round below by other authors.

    With q values and at most f liars a median lies between two honest clocks.
    """
    times = [leader.time_ms]
    for ref in leader.parents:
        if ref.author != leader.author and ref.round == leader.round - 1:
            times.append(epoch.created_ms if ref.round == 0 else dag.get(ref).time_ms)
    times.sort()
    return max(previous_ms, times[(len(times) - 1) // 2])
