"""What sync hands to its driver."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wattle_gateway.ledger.block import BlockRef, VerifiedBlock
from wattle_gateway.sync.messages import Commits, Fetch


@dataclass(frozen=True)
class Parcel:
    """A message for a peer: `to` its kid, `raw` the bytes, `kind` as in SPEC section 15."""

    to: bytes
    raw: bytes
    kind: int


@dataclass(frozen=True)
class ProvedCommit:
    """A commit that q members vouch for (SPEC section 15).

    Give `leader` and `blocks` (valid, in the order of execution) to `Engine.adopt`, execute what
    it decides and compare the head with `digest`. If the graph does not bear the list out, tell
    the synchronizer (`history_refused`) that `source` lied.
    """

    epoch: int
    index: int
    leader: BlockRef
    blocks: tuple[VerifiedBlock, ...]
    digest: bytes
    source: bytes


@dataclass(frozen=True)
class JoinRequest:
    """Who asks to become a member: a verified `ready` and peer card of one kid, as received."""

    kid: bytes
    ready: bytes
    card: bytes
    source: bytes


@dataclass(frozen=True)
class ArchiveRequest:
    """What peer `kid` asks for lies in the archive: for whoever reads that. The answer is sent
    later, or the synchronizer's `answer_here` if the archive gives none."""

    kid: bytes
    message: Commits | Fetch


@dataclass(frozen=True)
class CheckpointShare:
    """One voting member's signature under a checkpoint, NOT verified: `kid` the member."""

    kid: bytes
    commit_index: int
    size: int
    root: bytes
    signature: bytes


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint (`size`, `root` 32 bytes) that voting member `kid` signed with `key`, its
    checkpoint key: verified. `source`: the kid of who showed it."""

    kid: bytes
    key: bytes
    size: int
    root: bytes
    signature: bytes
    source: bytes


@dataclass
class Received:
    """What one message led to.

    `parcels` to send once the step is durable; `blocks` for `Engine.accept` with `voucher`, the
    kid of who gave them if it has ended the epoch in force, else None; `history` to be
    adopted in order; `evidence` new, verified evidence entries (for the own pool and
    `Engine.accuse` of `accused`, author indices of the epoch in force); `cards` new, verified
    peer cards for the address book; `carried` verified transactions of members without a vote, as
    entries for the own pool; `contested` verified checkpoints that are not of the sender's log;
    `archived` a request that only the archive can answer;
    `faults` what was wrong with it: any ends the link.
    """

    parcels: Sequence[Parcel] = ()
    blocks: tuple[VerifiedBlock, ...] = ()
    voucher: bytes | None = None
    history: tuple[ProvedCommit, ...] = ()
    evidence: tuple[bytes, ...] = ()
    accused: tuple[int, ...] = ()
    cards: tuple[bytes, ...] = ()
    joins: tuple[JoinRequest, ...] = ()
    checkpoints: tuple[CheckpointShare, ...] = ()
    carried: tuple[bytes, ...] = ()
    contested: tuple[SignedCheckpoint, ...] = ()
    archived: tuple[ArchiveRequest, ...] = ()
    faults: tuple[str, ...] = field(default=())
