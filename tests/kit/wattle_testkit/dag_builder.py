"""Real signed blocks, valid each, from DAGs drawn in text (see dag_text)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto, entry, genesis
from wattle_gateway.ledger.block import Block, BlockRef, CommitVote, VerifiedBlock
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.epoch import Epoch, EpochChange, next_epoch
from wattle_gateway.ledger.genesis import Constants

from wattle_testkit import dag_text
from wattle_testkit.alliance import CREATED_MS, Party, epoch_of
from wattle_testkit.dag_text import BlockText, DagText

ROUND_MS = 1000


@dataclass(frozen=True)
class Committee:
    """An epoch of members A, B, C, .. by author index."""

    epoch: Epoch
    parties: tuple[Party, ...]

    @property
    def letters(self) -> str:
        """The letters of all members."""
        return "".join(dag_text.letter_of(author) for author in range(self.epoch.size))


@cache
def committee_of(
    size: int, *, rules: int = genesis.RULES, resting: tuple[int, ...] = (), **constants: Any
) -> Committee:
    """A committee of `size` members, `resting` those that lead no slot; constants that are not
    named are those of a new ledger."""
    parties = {party.kid: party for party in (Party(f"member {n}") for n in range(size))}
    epoch = epoch_of(*parties.values(), constants=Constants(**constants), rules=rules)
    if resting:
        kids = tuple(epoch.members[author].kid for author in resting)
        change = EpochChange(epoch.everyone, epoch.rules, epoch.constants, kids)
        epoch = next_epoch(epoch, change, first_head(epoch))
    return Committee(epoch, tuple(parties[member.kid] for member in epoch.members))


@dataclass(frozen=True)
class Drawing:
    """What was drawn: `verified` by name (`A1`, `D2'`), in an order that adds parents first."""

    committee: Committee
    leaders: tuple[int, ...]
    verified: dict[str, VerifiedBlock]

    @property
    def epoch(self) -> Epoch:
        """The epoch of the blocks."""
        return self.committee.epoch

    def block(self, name: str) -> Block:
        """The block of a name."""
        return self.verified[name].block

    def ref(self, name: str) -> BlockRef:
        """The reference of a drawn block, or of a round 0 such as `A0`."""
        if name[1:] == "0":
            return block_format.round_zero(self.epoch, dag_text.author_of(name[0]))
        return self.block(name).ref

    def pick(self, names: str) -> list[VerifiedBlock]:
        """Blocks by their names, parted by spaces."""
        return [self.verified[name] for name in names.split()]

    def all_but(self, names: str = "") -> list[VerifiedBlock]:
        """All blocks without those named."""
        left_out = set(names.split())
        assert left_out <= self.verified.keys(), "left out what is not drawn"
        return [block for name, block in self.verified.items() if name not in left_out]

    def name(self, ref: BlockRef) -> str:
        """The name of a reference to a drawn block or a round 0."""
        if ref.round == 0:
            return f"{dag_text.letter_of(ref.author)}0"
        (name,) = [name for name, made in self.verified.items() if made.block.ref == ref]
        return name

    def names(self, blocks: Iterable[Block]) -> list[str]:
        """The names of blocks, in their order."""
        return [self.name(block.ref) for block in blocks]


def draw(text: str, members: int | None = None) -> Drawing:
    """The blocks in `text`, every one checked. A block's time is CREATED_MS plus what the
    drawing says, else ROUND_MS for each round and 1 ms for each prime.

    Raises DagTextError for an unclear drawing, ValueError for twins that are one block.
    """
    return build(dag_text.parse(text, members))


def build(read: DagText) -> Drawing:
    """The blocks of a drawing that was read."""
    committee = committee_of(read.members, resting=read.resting, **read.constants)
    drawing = Drawing(committee, read.leaders, {})
    for drawn in read.blocks:
        made = sign_block(
            committee,
            drawn.author,
            drawn.round,
            [drawing.ref(parent) for parent in drawn.parents],
            time_ms=CREATED_MS + _offset_ms(drawn),
            entries=[entry_of(word) for word in drawn.entries],
        )
        if any(made.block.ref == other.block.ref for other in drawing.verified.values()):
            raise ValueError(f"{drawn.name} is the same block as one before it: give it a time")
        drawing.verified[drawn.name] = made
    return drawing


def sign_block(
    committee: Committee,
    author: int,
    round_number: int,
    parents: Sequence[BlockRef],
    *,
    time_ms: int | None = None,
    entries: Sequence[bytes] = (),
    vote: CommitVote | None = None,
) -> VerifiedBlock:
    """A checked block; time CREATED_MS + ROUND_MS x round and the first vote by default.

    Raises BlockError if a rule of validity forbids it.
    """
    epoch = committee.epoch
    made = block_format.build(
        epoch,
        author,
        committee.parties[author].sign,
        round_number=round_number,
        time_ms=CREATED_MS + ROUND_MS * round_number if time_ms is None else time_ms,
        parents=parents,
        commit_vote=vote or CommitVote(0, epoch.digest),
        entries=entries,
    )
    return block_format.check(made.block, made.entries, epoch, crypto.verify)


def entry_of(word: str) -> bytes:
    """The entry of a word of a drawing: a sample, or with `!` a transaction."""
    kind = entry.TRANSACTION if word.endswith("!") else entry.SAMPLE
    return entry.encode(kind, word.removesuffix("!").encode(), 60_000)


def word_of(raw: bytes) -> str:
    """The word of an entry that `entry_of` made."""
    parsed = entry.decode(raw)
    return parsed.body.decode() + ("!" if parsed.kind == entry.TRANSACTION else "")


def _offset_ms(drawn: BlockText) -> int:
    if drawn.offset_ms is not None:
        return drawn.offset_ms
    return ROUND_MS * drawn.round + drawn.name.count("'")
