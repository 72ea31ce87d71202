"""Which commits the stored blocks of an epoch decide: the rules once more, from nothing but blocks.

The same pure functions as in the engine, without its clock, pool and key.
"""

from collections.abc import Sequence

from wattle_gateway.audit.stored_blocks import StoredBlock
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot.horizon import Horizon


class CommitReplay:
    """Takes blocks by rising round and gives each commit as soon as they decide it.

    A block waits while a parent above the floor has not come: a gateway that was far behind took
    commits as proved by votes and has nothing of what they left (see `adopt`).
    """

    def __init__(
        self,
        epoch: Epoch,
        before: CommitHead,
        leader: BlockRef | None = None,
        past: Horizon | None = None,
    ) -> None:
        """`before`: the head before the epoch's first commit; or the one that the ledger begins
        with, if that is of this epoch, then with its `leader` and what is known of the `past`."""
        window = () if past is None else past.window
        self._sequencer = Sequencer(epoch, before.index, before.time_ms, leader, window)
        self._dag = Dag(epoch, self._sequencer.floor)
        for block in () if past is None else past.committed:
            vertex = self._dag.add(block)
            assert vertex is not None
            self._dag.take([vertex])
        self._waiting: list[StoredBlock] = []

    @property
    def floor(self) -> int:
        """The round up to which no later commit takes anything."""
        return self._sequencer.floor

    @property
    def waiting(self) -> Sequence[StoredBlock]:
        """Blocks that lack a parent above the floor."""
        return self._waiting

    def missing(self, stored: StoredBlock) -> Sequence[BlockRef]:
        """The parents that a block lacks."""
        return self._dag.missing(stored.block)

    def add(self, stored: StoredBlock) -> list[StoredBlock]:
        """One more block; those that are in the graph thereby, parents first."""
        if self._dag.missing(stored.block):
            self._waiting.append(stored)
            return []
        self._dag.add(stored.block)
        return [stored]

    def wake(self) -> list[StoredBlock]:
        """The waiting blocks that lack nothing any more, parents first."""
        waiting, self._waiting = self._waiting, []
        entered: list[StoredBlock] = []
        for stored in waiting:
            entered += self.add(stored)
        return entered

    def decide(self) -> list[Commit]:
        """The commits that the graph allows by now, in order. Raises SafetyError (rule 23)."""
        commits = self._sequencer.decide(self._dag)
        self._dag.raise_floor(self._sequencer.floor)
        return commits

    def adopt(self, leader: BlockRef, blocks: Sequence[BlockRef]) -> Commit:
        """The next commit as the store has it. Raises HistoryError if the graph gives another."""
        commit = self._sequencer.adopt(self._dag, leader, blocks)
        self._dag.raise_floor(self._sequencer.floor)
        return commit
