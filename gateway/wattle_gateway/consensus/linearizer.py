"""From a committed leader to an ordered list of blocks and a time (rules 24 to 27)."""

from wattle_gateway.consensus.dag import Dag, Vertex
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


def floor_after(leader: BlockRef | None, gc_depth: int) -> int:
    """The round up to which the commit after this leader's collects nothing (rule 24)."""
    return 0 if leader is None else max(0, leader.round - gc_depth)


def order(dag: Dag, leader: Vertex, floor: int) -> list[Vertex]:
    """The leader's block and its ancestors above round `floor` that no commit has taken.

    "Taken" is asked of each block, not of its author's highest round (rule 25); sorted by
    (round, author, digest) (rule 26).
    """
    return sorted(dag.untaken(leader, floor), key=lambda vertex: vertex.block.ref)


def commit_time_ms(dag: Dag, epoch: Epoch, leader: Block, previous_ms: int) -> int:
    """The commit time: never below the previous one, else the lower median of the leader
    block's time and those of its parents of the round below by other authors (SPEC section 11).

    With q values and at most f liars a median lies between two honest clocks.
    """
    times = [leader.time_ms]
    for ref in leader.parents:
        if ref.author != leader.author and ref.round == leader.round - 1:
            times.append(epoch.created_ms if ref.round == 0 else dag.get(ref).time_ms)
    times.sort()
    return max(previous_ms, times[(len(times) - 1) // 2])
