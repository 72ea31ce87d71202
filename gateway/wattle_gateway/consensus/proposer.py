"""Makes own blocks: one a round, with the parents of rule 12."""

from collections.abc import Sequence

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef, CommitVote, VerifiedBlock
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import Epoch


class Proposer:
    """What is known of the own blocks; every block of this author in the graph is shown to it."""

    def __init__(self, epoch: Epoch, author: int, sign: Sign, own_floor: int) -> None:
        """`own_floor` the highest round for which this key is known to have signed."""
        self._epoch = epoch
        self._author = author
        self._sign = sign
        self._round = own_floor
        self._time_ms = epoch.created_ms
        # By author, the highest round of a block that an own one names.
        self._named = [0] * epoch.size

    @property
    def round(self) -> int:
        """The highest round for which this key has signed."""
        return self._round

    def go_above(self, round_number: int) -> None:
        """Never sign this round or one below."""
        self._round = max(self._round, round_number)

    def saw(self, block: Block) -> None:
        """An own block: made here, recovered, or come back from others."""
        self.go_above(block.round)
        self._time_ms = max(self._time_ms, block.time_ms)
        for ref in block.parents:
            self._named[ref.author] = max(self._named[ref.author], ref.round)

    def make(
        self,
        dag: Dag,
        round_number: int,
        *,
        ignored: int,
        unix_ms: int,
        vote: CommitVote,
        entries: Sequence[bytes],
    ) -> VerifiedBlock:
        """The own block of a round above all own ones; `ignored` is a mask of authors."""
        assert round_number > self._round
        made = block_format.build(
            self._epoch,
            self._author,
            self._sign,
            round_number=round_number,
            time_ms=max(unix_ms, self._time_ms),
            parents=self.parents(dag, round_number, ignored),
            commit_vote=vote,
            entries=entries,
        )
        self.saw(made.block)
        return made

    def parents(self, dag: Dag, round_number: int, ignored: int) -> list[BlockRef]:
        """Own newest block; of every other author its newest below the round, if it is of the
        round just below or no own block names it yet; of ignored authors only as many as q
        parents of the round below need.

        An own block below the floor is as good as none: others could not ask for it.
        """
        own = dag.newest(self._author)
        first = self._round_zero(self._author) if own is None else own.block.ref
        others: list[BlockRef] = []
        for author in range(self._epoch.size):
            if author == self._author or ignored >> author & 1:
                continue
            if round_number == 1:
                others.append(self._round_zero(author))
                continue
            newest = dag.newest(author, round_number)
            if newest is None:
                continue
            number = newest.block.round
            if number == round_number - 1 or number > self._named[author]:
                others.append(newest.block.ref)
        below = sum(ref.round == round_number - 1 for ref in (first, *others))
        spare = self._of_ignored(dag, round_number - 1, ignored)
        others += spare[: max(0, self._epoch.quorum - below)]
        return [first, *sorted(others, key=lambda ref: ref.author)]

    def _of_ignored(self, dag: Dag, round_number: int, ignored: int) -> list[BlockRef]:
        """One block of each ignored author at a round, by rising author."""
        found = []
        for author in range(self._epoch.size):
            if author == self._author or not ignored >> author & 1:
                continue
            if round_number == 0:
                found.append(self._round_zero(author))
            else:
                found += [vertex.block.ref for vertex in dag.slot(round_number, author)[:1]]
        return found

    def _round_zero(self, author: int) -> BlockRef:
        return block_format.round_zero(self._epoch, author)
