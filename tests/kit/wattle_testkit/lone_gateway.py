"""A committee of one on a disk in memory: the driver's duties, and power cuts between them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered
from wattle_gateway.contracts.execute import Executed, Outcome, execute
from wattle_gateway.contracts.state import StateRows
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch

from wattle_testkit.alliance import CREATED_MS, GRID


class PowerCutError(Exception):
    """The machine lost its power before a write reached the disk."""


@dataclass
class Disk:
    """What survives a power cut. Each write is whole or did not happen."""

    head: CommitHead
    leader: BlockRef | None = None
    blocks: dict[BlockRef, VerifiedBlock] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    executed: list[Executed] = field(default_factory=list)
    state: StateRows = field(default_factory=StateRows)
    writes_left: int | None = None

    def __post_init__(self) -> None:
        self.before = self.head.digest

    def write_block(self, block: VerifiedBlock) -> None:
        """Store one block."""
        self._count()
        self.blocks[block.block.ref] = block

    def write_commit(self, commit: Commit, executed: Executed) -> None:
        """Store what a commit leaves behind, in one piece."""
        self._count()
        self.commits.append(commit)
        self.executed.append(executed)
        self.head, self.leader = executed.head, commit.leader
        for key, value in executed.changes:
            if value is None:
                del self.state[key]
            else:
                self.state[key] = value

    def digest_of(self, index: int) -> bytes | None:
        """The digest of an executed commit; that of the epoch for 0."""
        digests = [self.before, *(executed.head.digest for executed in self.executed)]
        return digests[index] if index < len(digests) else None

    def _count(self) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise PowerCutError
            self.writes_left -= 1

    def recovered(self, epoch: Epoch) -> Recovered:
        """What the engine is started with."""
        floor = 0
        if self.leader is not None:
            floor = max(0, self.leader.round - epoch.constants.gc_depth)
        kept = [block for ref, block in self.blocks.items() if ref.round > floor]
        taken = {block.ref for commit in self.commits for block in commit.blocks}
        return Recovered(
            self.head,
            leader=self.leader,
            committed=tuple(found.block for found in kept if found.block.ref in taken),
            uncommitted=tuple(found for found in kept if found.block.ref not in taken),
        )


class LoneGateway:
    """The driver. `sent` lists what peers would have seen; it outlives the machine."""

    def __init__(self, epoch: Epoch, disk: Disk | None = None, sign: crypto.Sign = GRID.sign):
        self.epoch = epoch
        self.disk = disk or Disk(first_head(epoch))
        self.engine = Engine(epoch, 0, sign, self.disk.recovered(epoch))
        self.now = Now(CREATED_MS, 0)
        self.next_tick_ms = 0
        self.sent: list[Block] = []
        self.outputs: list[Output] = []

    def propose(self, *entries: bytes, urgent: bool = False) -> None:
        """Offer entries to the engine and do what it says."""
        self._obey(self.engine.propose(entries, self.now, urgent=urgent))

    def tick(self) -> None:
        """Tell the engine the time and do what it says."""
        self._obey(self.engine.tick(self.now))

    def wait(self, ms: int) -> None:
        """Let time pass, ticking when the engine asked for it."""
        end_ms = self.now.steady_ms + ms
        self.tick()
        while self.next_tick_ms <= end_ms:
            self._set_clock(max(self.next_tick_ms, self.now.steady_ms))
            self.tick()
        self._set_clock(end_ms)

    def _set_clock(self, steady_ms: int) -> None:
        self.now = Now(self.now.unix_ms + steady_ms - self.now.steady_ms, steady_ms)

    def _obey(self, output: Output) -> None:
        while True:
            self.outputs.append(output)
            self.next_tick_ms = output.next_tick_ms
            for block in output.to_persist:
                self.disk.write_block(block)
            self.sent.extend(made.block for made in output.to_send)
            if not output.commits:
                return
            assert len(output.commits) == 1
            output = self._execute(output.commits[0])

    def _execute(self, commit: Commit) -> Output:
        blocks = [self.disk.blocks[block.ref] for block in commit.blocks]
        executed = execute(
            self.disk.state,
            self.disk.head,
            commit,
            blocks,
            self.epoch,
            crypto.verify,
            self.disk.digest_of,
        )
        self.disk.write_commit(commit, executed)
        return self.engine.executed(executed.head, self.now)

    def outcomes(self) -> list[Outcome]:
        """What became of every entry so far, in ledger order."""
        return [outcome for executed in self.disk.executed for outcome in executed.outcomes]

    def leaves(self) -> Sequence[bytes]:
        """The log so far."""
        return [leaf for executed in self.disk.executed for leaf in executed.leaves]
