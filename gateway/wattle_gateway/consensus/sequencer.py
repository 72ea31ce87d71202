"""From a growing graph to the sequence of commits: the rules in their order.

The engine and the audit run the same: whoever holds the blocks comes to the same commits.
"""

from collections.abc import Iterable, Sequence

from wattle_gateway.consensus import committer, linearizer
from wattle_gateway.consensus.committer import leader_of
from wattle_gateway.consensus.dag import Dag, Vertex
from wattle_gateway.consensus.errors import HistoryError
from wattle_gateway.consensus.schedule import Schedule
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch


class Sequencer:
    """Where the sequence of an epoch's commits stands."""

    def __init__(
        self,
        epoch: Epoch,
        index: int,
        time_ms: int,
        leader: BlockRef | None = None,
        window: Iterable[Sequence[Block]] = (),
    ) -> None:
        """`index`, `time_ms` and `leader` (None before the epoch's first) of the newest commit;
        `window` as Schedule takes it."""
        self._epoch = epoch
        self._index = index
        self._time_ms = time_ms
        self._leader = leader
        self._schedule = Schedule(epoch, window)

    @property
    def index(self) -> int:
        """Index of the newest commit."""
        return self._index

    @property
    def leader(self) -> BlockRef | None:
        """The leader of the epoch's newest commit."""
        return self._leader

    @property
    def leader_round(self) -> int:
        """The round of the newest commit's leader: slots above it are open."""
        return 0 if self._leader is None else self._leader.round

    @property
    def leaders(self) -> tuple[int, ...]:
        """The schedule for the slots above."""
        return self._schedule.leaders

    @property
    def floor(self) -> int:
        """The round up to which the next commit collects nothing."""
        return linearizer.floor_after(self._leader, self._epoch.constants.gc_depth)

    def decide(self, dag: Dag) -> list[Commit]:
        """The commits that the graph allows by now, in order.

        Raises SafetyError if the graph shows that too many members lie (rule 23).
        """
        commits: list[Commit] = []
        judging = True
        while judging:
            judging = False
            verdicts = committer.decided_prefix(dag, self._epoch, self.leaders, self.leader_round)
            for verdict in verdicts:
                if isinstance(verdict, committer.Commit):
                    commit, changed = self._take(dag, dag.vertex(verdict.block.ref))
                    commits.append(commit)
                    if changed:  # the slots behind are judged by the new schedule
                        judging = True
                        break
        return commits

    def adopt(self, dag: Dag, leader: BlockRef, blocks: Sequence[BlockRef]) -> Commit:
        """The next commit as others have proved it; its blocks must be in the graph.

        Raises HistoryError, and took nothing, if the graph gives other blocks.
        """
        found = dag.find(leader)
        if found is None or leader.round <= self.leader_round:
            raise HistoryError(
                f"commit {self._index + 1} names a leader of round {leader.round} that is not "
                f"in the graph or not above round {self.leader_round}"
            )
        expected = leader_of(self.leaders, leader.round)
        if leader.author != expected:
            raise HistoryError(
                f"commit {self._index + 1} names author {leader.author} as leader of round "
                f"{leader.round}, expected author {expected}"
            )
        ordered = [vertex.block.ref for vertex in linearizer.order(dag, found, self.floor)]
        if ordered != list(blocks):
            raise HistoryError(
                f"commit {self._index + 1} lists {len(blocks)} blocks, the graph has "
                f"{len(ordered)} or others"
            )
        return self._take(dag, found)[0]

    def _take(self, dag: Dag, leader: Vertex) -> tuple[Commit, bool]:
        vertices = linearizer.order(dag, leader, self.floor)
        dag.take(vertices)
        blocks = tuple(vertex.block for vertex in vertices)
        self._time_ms = linearizer.commit_time_ms(dag, self._epoch, leader.block, self._time_ms)
        self._index += 1
        self._leader = leader.block.ref
        changed = self._schedule.take(blocks)
        commit = Commit(self._epoch.number, self._index, self._leader, blocks, self._time_ms)
        return commit, changed
