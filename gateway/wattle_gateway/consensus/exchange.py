"""What goes into an engine and comes out of it."""

from dataclasses import dataclass

from wattle_gateway.consensus import schedule
from wattle_gateway.consensus.acceptance import Pair
from wattle_gateway.consensus.errors import ConsensusError
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.epoch import Epoch


@dataclass(frozen=True)
class Now:
    """The two clocks at one instant: `unix_ms` stamps blocks, `steady_ms` (monotonic, never
    set) paces rounds, so that a jump of the wall clock neither stalls nor floods."""

    unix_ms: int
    steady_ms: int


@dataclass(frozen=True)
class Output:
    """What the driver has to do, see `wattle_gateway.consensus.engine`.

    `to_persist` own and foreign blocks that entered the graph, parents before whoever names them;
    `to_send` the own new ones among them; `commits` in order; `returned` entries of own blocks
    that fell below the floor uncommitted; `cheats` pairs of blocks of one author and round, the
    lower digest first, one pair for each author and epoch.
    """

    to_persist: tuple[VerifiedBlock, ...]
    to_send: tuple[VerifiedBlock, ...]
    commits: tuple[Commit, ...]
    returned: tuple[bytes, ...]
    cheats: tuple[Pair, ...]
    next_tick_ms: int


@dataclass(frozen=True)
class Recovered:
    """What the store holds of an epoch when its engine starts.

    `head`         newest executed commit of the ledger, of this epoch or of one before
    `first_index`  index of the epoch's first commit (for epoch 0: 1)
    `leader`       leader of the epoch's newest executed commit, None before its first
    `committed`    headers of the epoch's accepted blocks that its commits have taken, and
    `uncommitted`  its other accepted blocks, with entries: of both at least those above round
                   `floor_after(leader, gc_depth)`, in any order. Own uncommitted blocks further
                   down, if any are given, come back as `returned` of the first Output
    `window`       for each commit from `window_first` to `head.index` the headers of its blocks in
                   their order: what the leader schedule is made of; may be left empty if f = 0
    `cheaters`     authors known to have signed two blocks of a round of this epoch
    `own_floor`    the highest round of this epoch that this member has ever signed, 0 for none
    `deadline_ms`  Unix time from which on the ledger has something to do by itself, None: nothing
    """

    head: CommitHead
    first_index: int = 1
    leader: BlockRef | None = None
    committed: tuple[Block, ...] = ()
    uncommitted: tuple[VerifiedBlock, ...] = ()
    window: tuple[tuple[Block, ...], ...] = ()
    cheaters: frozenset[int] = frozenset()
    own_floor: int = 0
    deadline_ms: int | None = None


def window_first(first_index: int, head_index: int, epoch: Epoch) -> int:
    """Index of the oldest commit in `Recovered.window`; above `head_index`: the window is empty."""
    if epoch.faulty_max == 0:
        return head_index + 1
    commits = head_index - first_index + 1
    return first_index + schedule.first_needed(commits, epoch.constants.leader_commits) - 1


def checked_window(recovered: Recovered, epoch: Epoch) -> tuple[tuple[Block, ...], ...]:
    """The window of a recovered state, ConsensusError if it is not as long as it must be."""
    first = window_first(recovered.first_index, recovered.head.index, epoch)
    expected = recovered.head.index - first + 1
    if recovered.leader is None and recovered.head.index >= recovered.first_index:
        raise ConsensusError(f"commit {recovered.head.index} of the epoch has no leader")
    if epoch.faulty_max == 0:
        return ()
    if len(recovered.window) != expected:
        raise ConsensusError(
            f"recovered window of {len(recovered.window)} commits, expected {expected} from "
            f"commit {first}"
        )
    return recovered.window
