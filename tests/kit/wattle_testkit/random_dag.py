"""Random DAGs of valid signed blocks, as a committee with at most f equivocators could make."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import BlockRef, VerifiedBlock

from wattle_testkit import dag_builder
from wattle_testkit.dag_builder import ROUND_MS, Committee, committee_of


@dataclass(frozen=True)
class Shape:
    """What a random DAG looks like.

    `equivocators` authors make 1 to 1 + `twins_max` blocks a round; any `faulty_max` - of those
    equivocators included - may have no block in a round (`absent_permille`). A block names the
    leader of the round below with `leader_permille`, and others with `link_permille` beyond the
    quorum that it must name. The blocks of the `slow` highest authors are named a round or more
    late, as weak links. Clocks differ by up to `skew_ms`.
    """

    members: int
    rounds: int
    equivocators: int = 0
    twins_max: int = 1
    absent_permille: int = 50
    leader_permille: int = 800
    link_permille: int = 900
    slow: int = 0
    gc_depth: int = 60
    leader_commits: int = 30
    skew_ms: int = 500

    @property
    def committee(self) -> Committee:
        """The committee, with the constants of the shape."""
        return committee_of(
            self.members, gc_depth=self.gc_depth, leader_commits=self.leader_commits
        )


@dataclass(frozen=True)
class RandomDag:
    """Blocks by rising round: an order that adds parents first."""

    shape: Shape
    blocks: tuple[VerifiedBlock, ...]


def random_dag(shape: Shape, seed: int) -> RandomDag:
    """The DAG of a seed: same shape and seed, same bytes."""
    return RandomDag(shape, tuple(_Weaver(shape, Random(seed)).weave()))


class _Weaver:
    """Makes the blocks round by round."""

    def __init__(self, shape: Shape, random: Random) -> None:
        self._shape = shape
        self._random = random
        self._committee = shape.committee
        epoch = self._committee.epoch
        authors = list(range(shape.members))
        self._equivocators = set(random.sample(authors, shape.equivocators))
        self._slow = set(authors[shape.members - shape.slow :])
        # author -> its blocks of the newest round it has any in
        self._newest: dict[int, tuple[BlockRef, ...]] = {
            author: (block_format.round_zero(epoch, author),) for author in authors
        }
        # author -> the newest round of each other author that its blocks named
        self._named = {author: dict.fromkeys(authors, 0) for author in authors}
        self._last: dict[int, tuple[BlockRef, ...]] = dict(self._newest)

    def weave(self) -> list[VerifiedBlock]:
        made: list[VerifiedBlock] = []
        for number in range(1, self._shape.rounds + 1):
            before = dict(self._newest)
            row = {author: self._blocks(author, number, before) for author in self._present()}
            made += [block for author in sorted(row) for block in row[author]]
            self._last = {
                author: tuple(block.block.ref for block in blocks) for author, blocks in row.items()
            }
            self._newest.update(self._last)
        return made

    def _present(self) -> list[int]:
        """The authors with a block in this round: at least a quorum."""
        epoch = self._committee.epoch
        absent = [
            author
            for author in self._random.sample(range(epoch.size), epoch.faulty_max)
            if self._chance(self._shape.absent_permille)
        ]
        return [author for author in range(epoch.size) if author not in absent]

    def _blocks(
        self, author: int, number: int, before: dict[int, tuple[BlockRef, ...]]
    ) -> tuple[VerifiedBlock, ...]:
        count = 1
        if author in self._equivocators:
            count += self._random.randint(0, self._shape.twins_max)
        return tuple(self._block(author, number, twin, before) for twin in range(count))

    def _block(
        self, author: int, number: int, twin: int, before: dict[int, tuple[BlockRef, ...]]
    ) -> VerifiedBlock:
        parents = {author: self._random.choice(before[author])}
        leader = (number - 1) % self._shape.members
        for other in self._strong(author, leader):
            parents[other] = self._random.choice(self._last[other])
        for other, refs in before.items():
            if other not in parents and refs[0].round > self._named[author][other]:
                weak = refs[0].round < number - 1
                if weak and self._chance(self._shape.link_permille):
                    parents[other] = self._random.choice(refs)
        for other, ref in parents.items():
            self._named[author][other] = max(self._named[author][other], ref.round)
        skew_ms = self._random.randint(-self._shape.skew_ms, self._shape.skew_ms)
        return dag_builder.sign_block(
            self._committee,
            author,
            number,
            [parents.pop(author), *(parents[other] for other in sorted(parents))],
            time_ms=self._committee.epoch.created_ms + ROUND_MS * number + skew_ms * 10 + twin,
        )

    def _strong(self, author: int, leader: int) -> list[int]:
        """The other authors whose block of the round below is named; with the own, if there is
        one, they are a quorum."""
        likes = {}
        for other in self._last:
            permille = self._shape.link_permille
            if other == leader:
                permille = self._shape.leader_permille
            if other in self._slow:
                permille = 0
            likes[other] = (self._chance(permille), self._random.random())
        ranked = sorted((other for other in likes if other != author), key=likes.__getitem__)
        ranked.reverse()
        needed = self._committee.epoch.quorum - (author in self._last)
        wanted = sum(liked for other, (liked, _) in likes.items() if other != author)
        return ranked[: max(needed, wanted)]

    def _chance(self, permille: int) -> bool:
        return self._random.randrange(1000) < permille


def shuffled(blocks: Sequence[VerifiedBlock], window: int, seed: int) -> list[VerifiedBlock]:
    """A delivery order: every block at most about `window` places from its own; 0 keeps all."""
    random = Random(seed)
    keyed = [(at + random.uniform(0, window), at) for at in range(len(blocks))]
    return [blocks[at] for _, at in sorted(keyed)]


def doubled(blocks: Sequence[VerifiedBlock], permille: int, seed: int) -> list[VerifiedBlock]:
    """The same deliveries, some of them twice in a row."""
    random = Random(seed)
    twice = ([made] * (1 + (random.randrange(1000) < permille)) for made in blocks)
    return list(itertools.chain.from_iterable(twice))
