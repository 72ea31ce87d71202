"""The commit rule: what the graph says about the leader slots (rules 13 to 23).

    round r    the leader's block: a proposal
    round r+1  a block with it as parent: a vote; one with no parent in the slot: a blame
    round r+2  a block whose parents include votes of q authors: a certificate
    certificates of q authors: committed; blames of q authors: skipped
    neither:   the first slot from r+3 up that is not skipped decides, by its history

Pure functions of a graph and a list of leaders. Nothing is kept between two calls: verdicts
beyond a change of the leaders would be those of another schedule (rule 21).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.consensus.dag import Dag, Vertex
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


@dataclass(frozen=True)
class Commit:
    """The slot commits this block."""

    block: Block


@dataclass(frozen=True)
class Skip:
    """The slot stays empty for ever."""


Verdict = Commit | Skip | None
"""What a slot is decided to be, None while it is undecided."""

SKIP = Skip()

# An indirect decision looks at a slot this many rounds above: every block from there on has a
# certificate of a directly committed one in its history (CONSENSUS, argument C).
ANCHOR_DISTANCE = 3


def leader_of(leaders: Sequence[int], round_number: int) -> int:
    """The author whose slot a round >= 1 has (rule 13)."""
    return leaders[round_number % len(leaders)]


def voters(dag: Dag, candidate: BlockRef) -> int:
    """Mask of authors with a block of the next round that has the candidate as a parent (15)."""
    return dag.vertex(candidate).voters


def certifiers(dag: Dag, candidate: BlockRef) -> int:
    """Mask of authors with a block two rounds above that certifies the candidate (17)."""
    return dag.vertex(candidate).certifiers


def decide(dag: Dag, epoch: Epoch, leaders: Sequence[int], slot_round: int) -> Verdict:
    """What the graph says about the slot of a round (above the floor).

    Raises SafetyError if two blocks of a slot from this one up have a certificate (23).
    """
    return _judge(dag, epoch, leaders, slot_round).get(slot_round)


def decided_prefix(
    dag: Dag, epoch: Epoch, leaders: Sequence[int], above_round: int
) -> list[Commit | Skip]:
    """The verdicts of the slots above a round, up to the first undecided one (21).

    Raises SafetyError like `decide`.
    """
    verdicts = _judge(dag, epoch, leaders, above_round + 1)
    prefix: list[Commit | Skip] = []
    for round_number in range(above_round + 1, dag.top):
        verdict = verdicts[round_number]
        if verdict is None:
            break
        prefix.append(verdict)
    return prefix


def _judge(dag: Dag, epoch: Epoch, leaders: Sequence[int], lowest: int) -> dict[int, Verdict]:
    """The verdicts of all slots from a round up; those that are not here are undecided.

    From above to below, since a slot may hang on one above it. `standing[r]` is the first slot
    at or above round r that is not skipped: where the search for an anchor ends.
    """
    highest = dag.top - 1  # a slot needs at least the blames of the round above
    verdicts: dict[int, Verdict] = {}
    standing: dict[int, int] = {}
    for round_number in range(highest, lowest - 1, -1):
        verdict = _judge_directly(dag, epoch, leaders, round_number)
        anchor = standing.get(round_number + ANCHOR_DISTANCE)
        if verdict is None and anchor is not None:
            found = verdicts[anchor]
            if isinstance(found, Commit):
                verdict = _judge_by_anchor(dag, leaders, round_number, found.block)
        verdicts[round_number] = verdict
        if verdict is not SKIP:
            standing[round_number] = round_number
        elif round_number + 1 in standing:
            standing[round_number] = standing[round_number + 1]
    return verdicts


def _judge_directly(dag: Dag, epoch: Epoch, leaders: Sequence[int], round_number: int) -> Verdict:
    """Rules 18 and 19."""
    leader = leader_of(leaders, round_number)
    if dag.blamers(round_number, leader).bit_count() >= epoch.quorum:
        return SKIP
    certified = [vertex for vertex in dag.slot(round_number, leader) if vertex.certifiers]
    if len(certified) > 1:
        _stop(epoch, certified[0], certified[1])
    for vertex in certified:
        if vertex.certifiers.bit_count() >= epoch.quorum:
            return Commit(vertex.block)
    return None


def _judge_by_anchor(
    dag: Dag, leaders: Sequence[int], round_number: int, anchor: Block
) -> Commit | Skip:
    """Rule 20, where the anchor is committed."""
    certified = [
        vertex
        for vertex in dag.slot(round_number, leader_of(leaders, round_number))
        if vertex.certifier_places
    ]
    if certified:
        assert len(certified) == 1  # two have stopped us before
        history = dag.ancestors_at(dag.vertex(anchor.ref), round_number + 2)
        if certified[0].certifier_places & history:
            return Commit(certified[0].block)
    return SKIP


def _stop(epoch: Epoch, one: Vertex, other: Vertex) -> None:
    raise SafetyError(
        f"two blocks of author {one.block.author} in round {one.block.round} have certificates: "
        f"more than {epoch.faulty_max} members are faulty",
        (one.block, other.block),
    )
