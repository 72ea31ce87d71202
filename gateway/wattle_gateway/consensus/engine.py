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

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import Epoch


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

        Raises UnsupportedCommitteeError for a committee of more than one.
        """
        raise NotImplementedError

    @property
    def room(self) -> tuple[int, int]:
        """(entries, bytes) that `propose` still takes."""
        raise NotImplementedError

    def propose(self, entries: Sequence[bytes], now: Now, *, urgent: bool = False) -> Output:
        """Take entries to be put into blocks, in this order; `urgent` ones (transactions) go
        before others and do not wait for the pace of samples.

        All or nothing: raises PoolFullError or EntryTooLargeError and then took none.
        The engine forgets them at a crash: propose again what has no outcome.
        """
        raise NotImplementedError

    def tick(self, now: Now) -> Output:
        """Time has passed: make the round that is due, if one is."""
        raise NotImplementedError

    def executed(self, head: CommitHead, now: Now) -> Output:
        """A commit of an earlier Output was executed; `head` is what it left behind."""
        raise NotImplementedError
