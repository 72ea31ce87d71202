"""`commit show`: one commit, how it came about and what it brought."""

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.audit import commit_story
from wattle_gateway.audit.commit_story import CommitStory
from wattle_gateway.ledger import entry
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.reports.alliance import Who
from wattle_gateway.store import tree_rows


@dataclass(frozen=True)
class Phase:
    """One of the three steps: `count` members `who` of `size` did their part in `round`; it is
    complete with `needed`, which is more than two thirds."""

    name: str
    round: int
    count: int
    needed: int
    size: int
    who: list[Who]


@dataclass(frozen=True)
class BlockLine:
    """A block that the commit took."""

    author: Who
    round: int
    time_ms: int
    entries: int
    payload_bytes: int
    digest: str


@dataclass(frozen=True)
class LeafLine:
    """An entry that the commit put on the ledger; `index` its ledger index."""

    index: int
    kind: str
    verdict: int


@dataclass(frozen=True)
class CommitReport:
    """The whole answer. `slot` the round whose leader it is; `phases` proposal (P1), votes (P2),
    certificates (P3); `direct`: the certificates decide it by themselves; `leaf` its own ledger
    index; `entries` how many its blocks carried, of which `leaves` are on the ledger; `rounds` for
    the three rounds of the phases the members of whom a block is stored."""

    index: int
    digest: str
    previous_digest: str
    state_digest: str
    epoch: int
    time_ms: int
    leaf: int
    slot: int
    leader: Who
    direct: bool
    phases: list[Phase]
    rounds: list[list[str]]
    members: list[Who]
    blocks: list[BlockLine]
    entries: int
    leaves: list[LeafLine]

    def as_json(self) -> dict[str, Any]:
        """The shape of `commit show --format json`."""
        return asdict(self)


def read(connection: sqlite3.Connection, first: Epoch, index: int) -> CommitReport | None:
    """A commit, None if there is none of this index; `first` is epoch 0.

    StoreError or LedgerError for a damaged ledger.
    """
    story = commit_story.read(connection, first, index)
    if story is None:
        return None
    epoch, commit = story.epoch, story.commit.leaf
    slot = commit.leader.round
    return CommitReport(
        index=index,
        digest=story.digest.hex(),
        previous_digest=commit.previous_digest.hex(),
        state_digest=commit.state_digest.hex(),
        epoch=epoch.number,
        time_ms=commit.time_ms,
        leaf=story.commit.at,
        slot=slot,
        leader=_who(epoch, commit.leader.author),
        direct=story.direct,
        phases=_phases(story),
        rounds=[
            _present(connection, story, round_number) for round_number in range(slot, slot + 3)
        ],
        members=[_who(epoch, author) for author in range(epoch.size)],
        blocks=[_block_line(epoch, block) for block in story.blocks],
        entries=story.entries,
        leaves=_leaves(connection, story),
    )


def _phases(story: CommitStory) -> list[Phase]:
    """What PBFT calls pre-prepare, prepare and commit, each over more than two thirds: the blocks
    that the proposal stands on, those that name it, and those that name a quorum of these."""
    slot = story.proposal.round
    below = {ref.author for ref in story.proposal.parents if ref.round == slot - 1}
    return [
        _phase("proposal", slot, below, story.epoch),
        _phase("votes", slot + 1, story.votes, story.epoch),
        _phase("certificates", slot + 2, story.certificates, story.epoch),
    ]


def _phase(name: str, round_number: int, authors: Iterable[int], epoch: Epoch) -> Phase:
    who = [_who(epoch, author) for author in sorted(authors)]
    return Phase(name, round_number, len(who), epoch.quorum, epoch.size, who)


def _who(epoch: Epoch, author: int) -> Who:
    member = epoch.members[author]
    return Who(member.name, member.kid.hex())


def _present(connection: sqlite3.Connection, story: CommitStory, round_number: int) -> list[str]:
    """Kids of the authors of whom a block of a round is stored, by rising index."""
    epoch, index = story.epoch, story.commit.leaf.index
    blocks = commit_story.round_at(connection, epoch, index, round_number)
    return [_who(epoch, author).kid for author in sorted({block.author for block in blocks})]


def _block_line(epoch: Epoch, block: Block) -> BlockLine:
    payload = block.payload
    return BlockLine(
        _who(epoch, block.author),
        block.round,
        block.time_ms,
        0 if payload is None else payload.count,
        0 if payload is None else payload.size_bytes,
        block.digest.hex(),
    )


def _leaves(connection: sqlite3.Connection, story: CommitStory) -> list[LeafLine]:
    first = story.commit.at - story.leaves
    lines = []
    for index, raw in enumerate(tree_rows.leaves(connection, first, story.commit.at), start=first):
        found = leaf_format.decode(raw)
        assert isinstance(found, EntryLeaf)  # a commit's own leaf is its last
        lines.append(LeafLine(index, entry.KIND_NAMES[found.kind], found.verdict))
    return lines
