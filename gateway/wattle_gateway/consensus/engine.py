"""The consensus engine: a state machine without I/O.

    input  = propose(entries) | tick | executed(head)
    output = one Output

The driver's duties for each Output, in this order:
 1. store `to_persist`, durably (fsync);
 2. send `to_send` to the peers;
 3. for each commit: execute it, store what it leaves behind, call `executed`, and treat the
    Output of that call in the same way;
 4. call `tick` when `next_tick_ms` of the steady clock is reached.
Duties 1 and 3 of a chain of Outputs may share one durable write as long as nothing was sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.errors import ConsensusError
from wattle_gateway.consensus.pool import Pool
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import Epoch

# Rounds that carry transactions may follow each other this fast,
URGENT_ROUND_MS = 150
# rounds that carry only samples this fast: they are settled in minutes, not in milliseconds;
SAMPLE_ROUND_MS = 2000
# and with nothing to carry one round a minute shows that the gateway lives.
IDLE_ROUND_MS = 60000


@dataclass(frozen=True)
class Now:
    """The two clocks at one instant: `unix_ms` stamps blocks, `steady_ms` (monotonic, never
    set) paces rounds, so that a jump of the wall clock neither stalls nor floods."""

    unix_ms: int
    steady_ms: int


@dataclass(frozen=True)
class Recovered:
    """What the store holds when the engine starts.

    `head` = newest executed commit; `leader` = its leader, None before the first; `blocks` =
    every stored block of the epoch above round (leader round - `gc_depth`), any order;
    `committed` = those of them that a commit has taken.
    """

    head: CommitHead
    leader: BlockRef | None = None
    blocks: tuple[Block, ...] = ()
    committed: frozenset[BlockRef] = frozenset()


@dataclass(frozen=True)
class Output:
    """What the driver has to do, in the order of the fields (see above)."""

    to_persist: tuple[VerifiedBlock, ...]
    to_send: tuple[Block, ...]
    commits: tuple[Commit, ...]
    next_tick_ms: int


class Engine:
    """One member's part in consensus. For now a committee of one."""

    def __init__(self, epoch: Epoch, author: int, sign: Sign, recovered: Recovered) -> None:
        """`author` index of this member, `sign` with its block key. Call `tick` to begin.

        Raises ConsensusError for a recovered state that cannot be one.
        """
        self._epoch = epoch
        self._author = author
        self._sign = sign
        self._head = recovered.head
        self._sequencer = Sequencer(
            epoch, recovered.head.index, recovered.head.time_ms, recovered.leader
        )
        self._dag = _dag_of(recovered, epoch)
        self._open_payloads = {
            block.ref
            for block in recovered.blocks
            if block.carries and block.ref not in recovered.committed
        }
        self._own_last = _own_last(recovered, author)
        self._pool = Pool(epoch.constants)
        self._last_round_ms: int | None = None
        self._last_payload_ms: int | None = None

    @property
    def room(self) -> tuple[int, int]:
        """(entries, bytes) that `propose` still takes."""
        return self._pool.room

    def propose(self, entries: Sequence[bytes], now: Now, *, urgent: bool = False) -> Output:
        """Take entries to be put into blocks, in this order; `urgent` ones (transactions) go
        before others and do not wait for the pace of samples.

        All or nothing: raises PoolFullError or EntryTooLargeError and then took none.
        The engine forgets them at a crash: propose again what has no outcome.
        """
        self._pool.add(entries, urgent)
        return self.tick(now)

    def tick(self, now: Now) -> Output:
        """Time has passed: make the rounds that are due, up to the next commit."""
        if self._last_round_ms is None:
            self._last_round_ms = now.steady_ms
        made: list[VerifiedBlock] = []
        commits = self._decide()
        while not commits and not self._executing and now.steady_ms >= self._due_ms():
            made.append(self._make_block(now))
            commits = self._decide()
        due_ms = now.steady_ms + SAMPLE_ROUND_MS if self._executing else self._due_ms()
        return Output(tuple(made), tuple(block.block for block in made), commits, due_ms)

    def executed(self, head: CommitHead, now: Now) -> Output:
        """A commit of an earlier Output was executed; `head` is what it left behind."""
        assert head.index == self._head.index + 1
        assert head.index <= self._sequencer.index
        self._head = head
        return self.tick(now)

    @property
    def _executing(self) -> bool:
        """Commits are out for execution. Own blocks wait for it: a block votes for the newest
        commit, and a gateway that cannot execute should not pile up blocks."""
        return self._head.index < self._sequencer.index

    def _due_ms(self) -> int:
        """The steady time at which the next round is to be made."""
        assert self._last_round_ms is not None
        if self._open_payloads or self._pool.fills_a_block:
            return self._last_round_ms
        if len(self._pool):
            return self._payload_due_ms()
        return self._last_round_ms + IDLE_ROUND_MS

    def _payload_due_ms(self) -> int:
        """The steady time from which a round may carry what waits."""
        if self._last_payload_ms is None or self._pool.fills_a_block:
            return 0
        pace_ms = URGENT_ROUND_MS if self._pool.has_urgent else SAMPLE_ROUND_MS
        return self._last_payload_ms + pace_ms

    def _make_block(self, now: Now) -> VerifiedBlock:
        entries: tuple[bytes, ...] = ()
        if len(self._pool) and now.steady_ms >= self._payload_due_ms():
            entries = self._pool.take()
            self._last_payload_ms = now.steady_ms
        own = self._own_last
        parent = block_format.round_zero(self._epoch, self._author) if own is None else own.ref
        least_ms = self._epoch.created_ms if own is None else own.time_ms
        made = block_format.build(
            self._epoch,
            self._author,
            self._sign,
            round_number=parent.round + 1,
            time_ms=max(now.unix_ms, least_ms),
            parents=(parent,),
            commit_vote=self._head.vote,
            entries=entries,
        )
        self._own_last = made.block
        self._last_round_ms = now.steady_ms
        self._dag.add(made.block)
        if entries:
            self._open_payloads.add(made.block.ref)
        return made

    def _decide(self) -> tuple[Commit, ...]:
        """The commits that the graph allows by now, in order."""
        commits = self._sequencer.decide(self._dag)
        for commit in commits:
            self._open_payloads.difference_update(block.ref for block in commit.blocks)
        self._dag.raise_floor(self._sequencer.floor)
        return tuple(commits)


def _dag_of(recovered: Recovered, epoch: Epoch) -> Dag:
    dag = Dag(epoch, linearizer.floor_after(recovered.leader, epoch.constants.gc_depth))
    for block in sorted(recovered.blocks, key=lambda block: block.ref):
        if dag.missing(block):
            raise ConsensusError(
                f"recovered block of round {block.round}, author {block.author}: "
                "a parent is not among the recovered blocks"
            )
        vertex = dag.add(block)
        if vertex is not None and block.ref in recovered.committed:
            dag.take((vertex,))
    if recovered.leader is not None and recovered.leader not in dag:
        raise ConsensusError(
            f"the leader of commit {recovered.head.index} is not among the recovered blocks"
        )
    return dag


def _own_last(recovered: Recovered, author: int) -> Block | None:
    own = [block for block in recovered.blocks if block.author == author]
    return max(own, key=lambda block: block.round, default=None)
