"""Asks the rules of a drawing twice, of the production code and of the dumb twin, and takes no
answer on which the two differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from wattle_gateway.consensus import committer
from wattle_gateway.consensus.committer import Commit, Skip
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import ANCHOR_RULES

from wattle_testkit import dumb_twin
from wattle_testkit.dag_builder import Drawing
from wattle_testkit.dag_text import letter_of
from wattle_testkit.dumb_twin import Name, PlainBlock, Rules, TwinCommit, TwoCertifiedError


def rules_of(epoch: Epoch) -> Rules:
    """The numbers of an epoch, for the dumb twin."""
    constants = epoch.constants
    return Rules(
        epoch.size,
        constants.gc_depth,
        constants.leader_commits,
        constants.leader_permille,
        epoch.created_ms,
        repeats_best=epoch.rules >= ANCHOR_RULES,
        resting=tuple(epoch.resting_authors),
    )


def plain(blocks: Sequence[VerifiedBlock]) -> list[PlainBlock]:
    """Blocks as the dumb twin reads them."""
    return [
        PlainBlock(
            (made.block.round, made.block.author, made.block.digest),
            made.block.time_ms,
            tuple((ref.round, ref.author, ref.digest) for ref in made.block.parents),
        )
        for made in blocks
    ]


def dag_of(epoch: Epoch, blocks: Sequence[VerifiedBlock]) -> Dag:
    """The graph of blocks that come parents first."""
    dag = Dag(epoch)
    for made in blocks:
        dag.add(made.block)
    return dag


def sequence(epoch: Epoch, blocks: Sequence[VerifiedBlock]) -> list[TwinCommit]:
    """All commits of blocks that come parents first, by the production code alone; one block
    after the other, as it would see them if they came in this order."""
    dag = Dag(epoch)
    sequencer = Sequencer(epoch, 0, epoch.created_ms)
    found = []
    for made in blocks:
        dag.add(made.block)
        for commit in sequencer.decide(dag):
            names = tuple((block.round, block.author, block.digest) for block in commit.blocks)
            # Of several commits at one block the last one's schedule is known.
            found.append(TwinCommit(names[-1], names, commit.time_ms, sequencer.leaders))
    return found


def verdict(drawing: Drawing, slot: int) -> str:
    """What becomes of a slot: the name of a block, "skip" or "undecided"."""
    epoch, blocks = drawing.epoch, list(drawing.verified.values())
    match committer.decide(dag_of(epoch, blocks), epoch, drawing.leaders, slot):
        case Commit(block):
            fast = drawing.name(block.ref)
        case Skip():
            fast = "skip"
        case None:
            fast = "undecided"
    slow = _twin(drawing).of(slot)
    assert fast == (slow if isinstance(slow, str) else name_of(drawing, slow))
    return fast


def two_certified(drawing: Drawing, slot: int) -> set[str]:
    """The two blocks that a slot stops the ledger with."""
    epoch, blocks = drawing.epoch, list(drawing.verified.values())
    with pytest.raises(SafetyError) as fast:
        committer.decide(dag_of(epoch, blocks), epoch, drawing.leaders, slot)
    with pytest.raises(TwoCertifiedError) as slow:
        _twin(drawing).of(slot)
    names = set(drawing.names(fast.value.blocks))
    assert names == {name_of(drawing, name) for name in slow.value.names}
    return names


@dataclass(frozen=True)
class Decided:
    """A commit of a drawing: names, time in ms after the creation, letters of the schedule that
    it leaves behind."""

    leader: str
    blocks: str
    offset_ms: int
    leaders: str


def decided(drawing: Drawing) -> list[Decided]:
    """All commits of a drawing."""
    epoch, blocks = drawing.epoch, list(drawing.verified.values())
    assert drawing.leaders == tuple(range(epoch.size)), "commits make their own schedule"
    slow = dumb_twin.commits_of(rules_of(epoch), plain(blocks))
    fast = sequence(epoch, blocks)
    assert [(commit.leader, commit.blocks, commit.time_ms) for commit in fast] == [
        (commit.leader, commit.blocks, commit.time_ms) for commit in slow
    ]
    if slow:
        assert fast[-1].leaders == slow[-1].leaders
    return [
        Decided(
            name_of(drawing, commit.leader),
            " ".join(name_of(drawing, name) for name in commit.blocks),
            commit.time_ms - epoch.created_ms,
            "".join(map(letter_of, commit.leaders)),
        )
        for commit in slow
    ]


def commits(drawing: Drawing) -> list[str]:
    """The leaders of all commits of a drawing."""
    return [commit.leader for commit in decided(drawing)]


def name_of(drawing: Drawing, name: Name) -> str:
    """What a drawing calls a block of the dumb twin."""
    (found,) = [drawn for drawn, made in drawing.verified.items() if made.block.digest == name[2]]
    return found


def _twin(drawing: Drawing) -> dumb_twin.Verdicts:
    graph = {block.name: block for block in plain(list(drawing.verified.values()))}
    return dumb_twin.Verdicts(rules_of(drawing.epoch), graph, drawing.leaders)
