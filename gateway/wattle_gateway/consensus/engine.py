"""The consensus engine: a state machine without I/O, one for each epoch.

    input  = propose(entries) | accept(blocks) | adopt(commit) | executed(head) | tick
             | accuse(author) | resume(round)
    output = one Output

The driver's duties for each Output, in this order:
 1. store `to_persist`, durably (fsync);
 2. put `returned` back among the entries that wait for a block, keep `cheats`;
 3. send `to_send` to the peers;
 4. for each commit: execute it, store what it leaves behind, call `executed`, and treat the
    Output of that call in the same way;
 5. call `tick` when `next_tick_ms` of the steady clock is reached.
Duties 1, 2 and 4 of a chain of Outputs may share one durable write as long as nothing was sent
before it. When a commit ends the epoch, the rest of the commits and this engine are void.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from wattle_gateway.consensus import patience
from wattle_gateway.consensus.acceptance import Acceptance
from wattle_gateway.consensus.errors import ConsensusError, SafetyError
from wattle_gateway.consensus.exchange import (
    Now,
    Output,
    Recovered,
    checked_window,
    window_first,
)
from wattle_gateway.consensus.pace import (
    IDLE_ROUND_MS,
    SAMPLE_ROUND_MS,
    URGENT_ROUND_MS,
    Pace,
)
from wattle_gateway.consensus.patience import LEADER_WAIT_MS
from wattle_gateway.consensus.pool import Pool
from wattle_gateway.consensus.proposer import Proposer
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.consensus.threshold_clock import ThresholdClock
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import Epoch

__all__ = [
    "IDLE_ROUND_MS",
    "LEADER_WAIT_MS",
    "SAMPLE_ROUND_MS",
    "URGENT_ROUND_MS",
    "Engine",
    "Now",
    "Output",
    "Recovered",
    "window_first",
]


@dataclass
class _Pending:
    """What the next Output will say; it survives a call that raises."""

    to_send: list[VerifiedBlock] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    returned: list[bytes] = field(default_factory=list)


class Engine:
    """One member's part in the consensus of one epoch."""

    def __init__(
        self,
        epoch: Epoch,
        author: int | None,
        sign: Sign,
        recovered: Recovered,
        *,
        silent: bool = False,
    ) -> None:
        """`author` index of this member, `sign` with its block key. Call `tick` to begin.

        `author` None: an observer, who follows and never signs. `silent`: follow, and sign
        nothing until `resume` (rules 31 and 32).
        Raises ConsensusError for a recovered state that cannot be one.
        """
        self._epoch = epoch
        self._author = author
        self._silent = silent
        self._head = recovered.head
        self._sequencer = Sequencer(
            epoch,
            recovered.head.index,
            recovered.head.time_ms,
            recovered.leader,
            checked_window(recovered, epoch),
        )
        floor = self._sequencer.floor
        self._acceptance = Acceptance(epoch, floor, sorted(recovered.cheaters))
        self._dag = self._acceptance.dag
        self._uncommitted = self._acceptance.uncommitted
        self._clock = ThresholdClock(epoch)
        self._pace = Pace(recovered.deadline_ms)
        self._pool = Pool(epoch.constants)
        self._pending = _Pending()
        self._stopped: SafetyError | None = None
        self._proposer = (
            None if author is None else Proposer(epoch, author, sign, recovered.own_floor)
        )
        self._restore(recovered)

    def _restore(self, recovered: Recovered) -> None:
        """Fill the graph with what the store held."""
        entries = {verified.block.digest: verified for verified in recovered.uncommitted}
        blocks = [*recovered.committed, *(verified.block for verified in recovered.uncommitted)]
        floor = self._dag.floor
        for block in sorted(blocks, key=lambda block: block.ref):
            verified = entries.get(block.digest)
            if block.round <= floor:
                if verified is not None and self._is_own(block):
                    self._pending.returned += verified.entries
                continue
            self._acceptance.restore(block, verified)
            self._saw_own(block)
        if recovered.leader is not None and recovered.leader not in self._dag:
            raise ConsensusError(
                f"the leader of commit {recovered.head.index} is not among the recovered blocks"
            )

    @property
    def room(self) -> tuple[int, int]:
        """(entries, bytes) that `propose` still takes."""
        return self._pool.room

    @property
    def leaders(self) -> tuple[int, ...]:
        """The leader schedule: round r is led by `leaders[r mod len(leaders)]`."""
        return self._sequencer.leaders

    @property
    def floor(self) -> int:
        """The round up to which everything is settled."""
        return self._dag.floor

    @property
    def highest_round(self) -> int:
        """The highest round of a block in the graph."""
        return self._dag.top

    @property
    def quorum_round(self) -> int:
        """The highest round with blocks of q authors in the graph."""
        return self._clock.round

    @property
    def own_round(self) -> int:
        """The highest round that this member has signed, 0 for none or an observer."""
        return 0 if self._proposer is None else self._proposer.round

    @property
    def silent(self) -> bool:
        """Whether this member signs nothing for now, or ever."""
        return not self._may_sign

    @property
    def twins(self) -> frozenset[int]:
        """Authors known to have signed two blocks of a round."""
        return self._acceptance.equivocators.known

    def holdings(self) -> tuple[int, ...]:
        """By author, the round up to which its blocks above the floor are in the graph; the floor
        if there are none. A hint: twins share a round."""
        newest = [self._dag.newest(author) for author in range(self._epoch.size)]
        return tuple(self._dag.floor if vertex is None else vertex.block.round for vertex in newest)

    def holdings_at_close(self) -> tuple[int, ...]:
        """`holdings`, but nothing above the newest commit's leader: what others ended the epoch
        with may be twins of what is here."""
        leader_round = self._sequencer.leader_round
        return tuple(min(leader_round, round_number) for round_number in self.holdings())

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        """References to fetch, each with the authors whose blocks name it and so hold it."""
        return self._acceptance.parking.missing()

    def has(self, ref: BlockRef) -> bool:
        """Whether a block needs no fetching: it is in the graph, parked or settled."""
        return self.accepted(ref) or self._acceptance.parking.find(ref) is not None

    def accepted(self, ref: BlockRef) -> bool:
        """Whether a block is in the graph, or at or below the floor."""
        return ref.round <= self._dag.floor or ref in self._dag

    def find(self, ref: BlockRef) -> VerifiedBlock | None:
        """An uncommitted or parked block; for committed ones, ask the store."""
        return self._uncommitted.find(ref) or self._acceptance.parking.find(ref)

    def newest_of(self, author: int) -> Block | None:
        """The block of an author with the highest round, in the graph or parked."""
        parked = self._acceptance.parking.newest(author)
        vertex = self._dag.newest(author)
        if vertex is None or (parked is not None and parked.round > vertex.block.round):
            return parked
        return vertex.block

    def blocks_of(self, author: int, above_round: int) -> tuple[Block, ...]:
        """An author's blocks in the graph above a round, by rising round."""
        return tuple(vertex.block for vertex in self._dag.by_author(author, above_round))

    def propose(self, entries: Sequence[bytes], now: Now, *, urgent: bool = False) -> Output:
        """Take entries to be put into blocks, in this order; `urgent` ones (transactions and
        evidence) go before others and do not wait for the pace of samples.

        All or nothing: raises PoolFullError or EntryTooLargeError and then took none.
        The engine forgets them at a crash: propose again what has no outcome.
        """
        self._begin(now)
        self._pool.add(entries, urgent)
        return self._advance(now)

    def accept(
        self, blocks: Iterable[VerifiedBlock], now: Now, *, voucher: bytes | None = None
    ) -> Output:
        """Blocks from peers or the store, in any order; those that lack parents are parked.

        `voucher`: the member (kid) that gave them, if it has ended this epoch (rule 30).
        """
        self._begin(now)
        for verified in blocks:
            block = verified.block
            if self._proposer is not None and self._is_own(block):
                self._proposer.go_above(block.round)  # it is signed, even if it has to wait
            self._acceptance.offer(verified, voucher)
        return self._advance(now)

    def adopt(self, leader: BlockRef, blocks: Sequence[VerifiedBlock], now: Now) -> Output:
        """The next commit, proved by the votes of q authors: its leader, and its blocks in order.

        One that is committed already changes nothing. Raises HistoryError, and commits nothing,
        if the graph does not give the same blocks.
        """
        self._begin(now)
        if leader.round > self._sequencer.leader_round:
            self._acceptance.enter_proved(blocks)
            refs = [verified.block.ref for verified in blocks]
            self._settle([self._sequencer.adopt(self._dag, leader, refs)])
        return self._advance(now)

    def executed(self, head: CommitHead, now: Now, deadline_ms: int | None = None) -> Output:
        """A commit of an earlier Output was executed; `head` is what it left behind. From Unix
        time `deadline_ms` on the ledger has something to do that only needs a commit."""
        assert head.index == self._head.index + 1
        assert head.index <= self._sequencer.index
        self._pace.deadline_ms = deadline_ms
        self._begin(now)
        self._head = head
        return self._advance(now)

    def tick(self, now: Now) -> Output:
        """Time has passed: make the rounds that are due, up to the next commit."""
        self._begin(now)
        return self._advance(now)

    def accuse(self, author: int) -> None:
        """Evidence from elsewhere: this author has signed two blocks of a round. Its blocks are
        named no more; no pair comes out for it."""
        assert 0 <= author < self._epoch.size
        self._acceptance.accuse(author)

    def resume(self, above_round: int, now: Now) -> Output:
        """End the silence: own rounds go on above this one and all own ones known here.

        Let `accept` have the newest own block that others know first, so that the next one has it
        as parent (rule 31).
        """
        self._begin(now)
        if self._proposer is not None:
            self._proposer.go_above(above_round)
        self._silent = False
        return self._advance(now)

    def set_pace(self, sample_round_ms: int) -> None:
        """How far apart rounds that only carry samples are from the next call on."""
        self._pace.sample_round_ms = sample_round_ms

    def _begin(self, now: Now) -> None:
        if self._stopped is not None:
            raise self._stopped
        self._pace.start(now)

    def _advance(self, now: Now) -> Output:
        """Decide what the graph decides and make the blocks that are due, as long as that leads
        further; then tell."""
        self._follow(now)
        due_ms = self._due_ms()
        while due_ms is not None and due_ms <= now.steady_ms:
            self._propose(now)
            self._follow(now)
            due_ms = self._due_ms()
        pending, self._pending = self._pending, _Pending()
        accepted, self._acceptance.accepted = self._acceptance.accepted, []
        cheats, self._acceptance.pairs = self._acceptance.pairs, []
        return Output(
            tuple(accepted),
            tuple(pending.to_send),
            tuple(pending.commits),
            tuple(pending.returned),
            tuple(cheats),
            now.steady_ms + IDLE_ROUND_MS if due_ms is None else due_ms,
        )

    def _follow(self, now: Now) -> None:
        """The graph may have grown: commits, own blocks come back, the open round."""
        try:
            while commits := self._sequencer.decide(self._dag):
                self._settle(commits)
        except SafetyError as error:
            self._stopped = error
            raise
        for verified in self._acceptance.accepted:
            self._saw_own(verified.block)
        self._clock.follow(self._dag, now.steady_ms)

    def _settle(self, commits: Iterable[Commit]) -> None:
        """Blocks are taken, the floor rises; own payload below it is returned (rule 24)."""
        for commit in commits:
            self._pending.commits.append(commit)
            self._uncommitted.remove(commit.blocks)
        for fallen in self._acceptance.raise_floor(self._sequencer.floor):
            if self._is_own(fallen.block):
                self._pending.returned += fallen.entries

    def _saw_own(self, block: Block) -> None:
        if self._proposer is not None and self._is_own(block):
            self._proposer.saw(block)

    def _is_own(self, block: Block) -> bool:
        return block.author == self._author and block.epoch == self._epoch.number

    @property
    def _may_sign(self) -> bool:
        """A key that has signed two blocks of a round is one of the f: it signs no more, unless
        all are needed."""
        if self._author is None or self._silent:
            return False
        return not self._acceptance.equivocators.ignored >> self._author & 1

    @property
    def _executing(self) -> bool:
        """Commits are out for execution. Own blocks wait for it: a block votes for the newest
        commit, and a gateway that cannot execute should not pile up blocks."""
        return self._head.index < self._sequencer.index

    def _due_ms(self) -> int | None:
        """The steady time at which the next own block is to be made; None while none may be."""
        if not self._may_sign or self._executing or self._clock.round < self.own_round:
            return None
        if self._epoch.size == 1:
            return self._pace.alone_due_ms(self._pool, self._uncommitted.carries)
        due_ms = self._pace.due_ms(
            urgent=self._uncommitted.urgent or self._pool.has_urgent,
            carries=self._uncommitted.carries or len(self._pool) > 0 or self._others_ahead > 0,
            keeps_step=self._clock.round > self.own_round
            or self._others_ahead > self._epoch.faulty_max,
        )
        return max(due_ms, self._clock.opened_ms + self._wait_ms())

    def _wait_ms(self) -> int:
        """How long after its opening the round is held for blocks of others (rule 11)."""
        assert self._author is not None
        number = self._clock.round
        nobody = self._acceptance.equivocators.ignored | 1 << self._author
        if not patience.lacks(self._dag, self._sequencer, self._epoch, number, nobody):
            return 0
        return patience.wait_ms(self._epoch, number - self._sequencer.leader_round)

    @property
    def _others_ahead(self) -> int:
        """How many others have a block at the round that is open to this member (rule 12)."""
        ahead = self._dag.authors_at(self._clock.round + 1)
        return (ahead & ~self._acceptance.equivocators.ignored).bit_count()

    def _propose(self, now: Now) -> None:
        """Make the own block of the open round."""
        assert self._proposer is not None
        entries: tuple[bytes, ...] = ()
        alone = self._epoch.size == 1
        if not alone or self._pace.alone_payload_due_ms(self._pool) <= now.steady_ms:
            entries = self._pool.take()
        made = self._proposer.make(
            self._dag,
            self._clock.round + 1,
            ignored=self._acceptance.equivocators.ignored,
            unix_ms=now.unix_ms,
            vote=self._head.vote,
            entries=entries,
        )
        self._pace.made(now.steady_ms, bool(entries))
        self._pending.to_send.append(made)
        self._acceptance.offer(made)
