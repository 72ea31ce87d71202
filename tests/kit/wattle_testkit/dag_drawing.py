"""DAGs drawn in text.

    1: A B C D
    2: A B C D D'
    3: A(A2 B2 D2') B C

One line a round, one word a block: the author's letter and a prime for a second block of the same
round. In brackets its parents by letter and round; without brackets all unprimed blocks of the
line above (of round 0 in the first line). The author's own parent is put first, and is its
newest drawn block below if none is named.
"""

import re
from dataclasses import dataclass

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import Block, BlockRef, CommitVote
from wattle_gateway.ledger.epoch import Epoch

from wattle_testkit.alliance import CREATED_MS, Party, epoch_of

_LINE = re.compile(r"(\d+): (.*)")
_BLOCK = re.compile(r"([A-Z])('*)(?:\(([^)]*)\))?")
_PARENT = re.compile(r"([A-Z])(\d+)('*)")
ROUND_MS = 1000


@dataclass(frozen=True)
class Committee:
    """An epoch of members A, B, C, .. by author index."""

    epoch: Epoch
    parties: tuple[Party, ...]


def committee_of(size: int) -> Committee:
    """A committee of `size` members."""
    parties = {party.kid: party for party in (Party(f"member {n}") for n in range(size))}
    epoch = epoch_of(*parties.values())
    return Committee(epoch, tuple(parties[member.kid] for member in epoch.members))


@dataclass(frozen=True)
class Drawing:
    """The drawn blocks by name (`A1`, `D2'`), every one valid, and a DAG of all of them."""

    committee: Committee
    blocks: dict[str, Block]
    dag: Dag

    def names(self, blocks: tuple[Block, ...]) -> list[str]:
        """The names of blocks."""
        by_ref = {block.ref: name for name, block in self.blocks.items()}
        return [by_ref[block.ref] for block in blocks]


def draw(committee: Committee, text: str, times_ms: dict[str, int] | None = None) -> Drawing:
    """The DAG in `text`. A block's time is `times_ms[name]`, else CREATED_MS + ROUND_MS x round."""
    drawing = Drawing(committee, {}, Dag(0))
    for line in text.strip().splitlines():
        match = _LINE.fullmatch(line.strip())
        assert match, f"not a line of a drawing: {line!r}"
        for letter, primes, parents in _BLOCK.findall(match[2]):
            _add(drawing, int(match[1]), letter, primes, parents, times_ms or {})
    return drawing


def _add(
    drawing: Drawing,
    round_number: int,
    letter: str,
    primes: str,
    parents: str,
    times_ms: dict[str, int],
) -> None:
    committee = drawing.committee
    author = ord(letter) - ord("A")
    name = f"{letter}{round_number}{primes}"
    refs = _parents(drawing, round_number, letter, parents)
    time_ms = times_ms.get(name, CREATED_MS + ROUND_MS * round_number + len(primes))
    made = block_format.build(
        committee.epoch,
        author,
        committee.parties[author].sign,
        round_number=round_number,
        time_ms=time_ms,
        parents=refs,
        commit_vote=CommitVote(0, committee.epoch.digest),
        entries=(),
    )
    block_format.check(made.block, (), committee.epoch, crypto.verify)
    drawing.blocks[name] = made.block
    drawing.dag.add(made.block)


def _parents(drawing: Drawing, round_number: int, letter: str, parents: str) -> list[BlockRef]:
    """Own parent first, then rising author."""
    epoch = drawing.committee.epoch
    named = [f"{author}{number}{primes}" for author, number, primes in _PARENT.findall(parents)]
    if not parents and round_number > 1:
        named = [name for name in drawing.blocks if re.fullmatch(f"[A-Z]{round_number - 1}", name)]
    refs = {
        name[0]: drawing.blocks[name].ref
        if not name[1:].startswith("0")
        else block_format.round_zero(epoch, ord(name[0]) - ord("A"))
        for name in named
    }
    if not parents and round_number == 1:
        refs = {chr(65 + n): block_format.round_zero(epoch, n) for n in range(epoch.size)}
    if letter not in refs:
        below = [
            block.ref
            for name, block in drawing.blocks.items()
            if name[0] == letter and block.round < round_number
        ]
        author = ord(letter) - ord("A")
        refs[letter] = max(below, default=block_format.round_zero(epoch, author))
    return [refs.pop(letter), *(refs[other] for other in sorted(refs))]
