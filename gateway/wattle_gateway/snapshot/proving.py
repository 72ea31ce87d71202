"""Whether a snapshot is true, for somebody who knows the genesis and nothing else (SPEC 18).

    rows -> state digest in the commit leaf -> log root that q members signed -> members, step by
    step from the genesis -> the leaves before, by the digest each names -> the blocks, by those
    that the leaders in these leaves name

Nothing is believed before the last step: whoever reads the rows into a store throws it away if
this fails.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import RowsRoot, Snapshot, commit_with
from wattle_gateway.contracts.snapshot_trail import Trail
from wattle_gateway.contracts.state import prefix
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import checkpoint, crypto, merkle
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.checkpoint import Note
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.snapshot import epochs as epoch_chain
from wattle_gateway.snapshot import horizon
from wattle_gateway.snapshot.epochs import Epochs
from wattle_gateway.snapshot.horizon import Horizon
from wattle_gateway.store.base_rows import Base

EPOCH_ROWS = prefix("epoch", 1)


@dataclass(frozen=True)
class ProvedBase:
    """What a ledger may begin with. `epochs` all up to the one in force; `signed_by` author
    indices of `signing_epoch`, whose checkpoint of `size` leaves includes the commit; `leaves`
    (commit index, bytes) that are known beside it, rising; `rows` how many the state has."""

    base: Base
    epochs: Epochs
    signing_epoch: Epoch
    signed_by: tuple[int, ...]
    size: int
    leaves: tuple[tuple[int, bytes], ...]
    horizon: Horizon
    rows: int


class RowsSeen:
    """Rows of a state as they go by: their root, and those that name epochs."""

    def __init__(self) -> None:
        self.root = RowsRoot()
        self.epochs: dict[bytes, bytes] = {}

    def watch(self, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """The same rows."""
        for row, value in rows:
            self.root.add(row, value)
            if row.startswith(EPOCH_ROWS):
                self.epochs[row] = value
            yield row, value


def prove(
    snapshot: Snapshot, seen: RowsSeen, first: Epoch, verify: Verify = crypto.verify
) -> ProvedBase:
    """What a snapshot proves whose rows, all of them, have gone by; `first` is epoch 0.

    Raises SnapshotError, which says what was wrong, and RulesError for an epoch whose rules this
    gateway does not know.
    """
    trail = snapshot.trail
    if snapshot.ledger_id != first.ledger_id:
        raise SnapshotError(
            f"it is of ledger {snapshot.ledger_id.hex()}, expected {first.ledger_id.hex()}"
        )
    if trail is None or not snapshot.note:
        raise SnapshotError(
            "it carries no checkpoint, or no way to it from the genesis: who has its commit can "
            "read it, nobody can begin with it; export a newer one"
        )
    commit = commit_with(snapshot, seen.root.root())
    epochs = epoch_chain.walk(seen.epochs, trail.epochs, first, verify)
    if epochs.newest.number not in (commit.epoch, commit.epoch + 1):
        raise SnapshotError(
            f"commit {commit.index} is of epoch {commit.epoch}, its state of epoch "
            f"{epochs.newest.number}"
        )
    try:
        note, signing, authors = _signed(snapshot, epochs, commit)
        edge = _edge(snapshot, trail, note)
        _check_endings(trail, edge)
    except LedgerError as error:
        raise SnapshotError(str(error)) from error
    leaves = _leaves(snapshot, trail, commit, epochs)
    base = Base(commit, snapshot.leaf, snapshot.at, edge, snapshot.header())
    found = find_horizon(
        base, epochs.newest, epochs.first_index, dict(leaves), trail.blocks, verify
    )
    size = note.checkpoint.size
    return ProvedBase(base, epochs, signing, authors, size, leaves, found, seen.root.count)


def find_horizon(
    base: Base,
    epoch: Epoch,
    first_index: int,
    leaves: Mapping[int, bytes],
    raws: Iterable[bytes],
    verify: Verify | None,
) -> Horizon:
    """What consensus goes on from in `epoch`, in force since commit `first_index`, out of the
    headers `raws` and commit `leaves` by index.

    `verify` None: the signatures were verified before. Raises SnapshotError.
    """
    blocks = _blocks(raws, epoch, verify)
    if base.index < first_index:  # it ended its epoch: nothing of it is read any more
        if blocks:
            raise SnapshotError(f"{len(blocks)} of its blocks are in no commit's history")
        return Horizon()
    leaders = leaders_of(first_index, {**leaves, base.index: base.body})
    needed = horizon.reach(epoch, first_index, base.index, leaders.get)
    return horizon.settle(epoch, base.index, leaders, needed, blocks)


def leaders_of(first_index: int, leaves: Mapping[int, bytes]) -> dict[int, BlockRef]:
    """The leaders of the commits from `first_index` on, out of leaves by index."""
    return {
        index: epoch_chain.commit_leaf(raw).leader
        for index, raw in leaves.items()
        if index >= first_index
    }


def first_leaf_needed(epochs: Epochs, index: int) -> int:
    """The oldest commit whose digest execution after commit `index` may ask for: a `ready` may
    name it."""
    return max(1, index - epochs.newest.constants.ready_commits_max)


def _signed(
    snapshot: Snapshot, epochs: Epochs, commit: CommitLeaf
) -> tuple[Note, Epoch, tuple[int, ...]]:
    """The checkpoint, the epoch of those who signed it, and who they are."""
    note = checkpoint.parse_note(snapshot.note)
    epoch = epochs.newest
    if epoch.number != commit.epoch and note.checkpoint.size == snapshot.at + 1:
        epoch = epochs.all[-2]  # it is of this very commit, which ended the epoch of its signers
    try:
        return note, epoch, checkpoint.verify_note(note, epoch)
    except LedgerError as error:
        raise SnapshotError(
            f"a quorum of epoch {epoch.number} has not signed its checkpoint: {error}"
        ) from error


def _edge(snapshot: Snapshot, trail: Trail, note: Note) -> RightEdge:
    """The log up to the commit's leaf, of which the checkpoint is a continuation."""
    size = snapshot.at + 1
    if len(trail.peaks) != size.bit_count():
        raise SnapshotError(f"a right edge of {len(trail.peaks)} peaks for {size} leaves")
    edge = RightEdge(size, trail.peaks)
    said = note.checkpoint
    hashed = merkle.leaf_hash(snapshot.leaf)
    merkle.verify_inclusion(hashed, snapshot.at, said.size, snapshot.proof, said.root)
    merkle.verify_consistency(size, said.size, trail.consistency, edge.root(), said.root)
    return edge


def _check_endings(trail: Trail, edge: RightEdge) -> None:
    root = edge.root()
    for link in trail.epochs:
        merkle.verify_inclusion(merkle.leaf_hash(link.leaf), link.at, edge.size, link.proof, root)


def _leaves(
    snapshot: Snapshot, trail: Trail, commit: CommitLeaf, epochs: Epochs
) -> tuple[tuple[int, bytes], ...]:
    """The leaves of the commits before, each named by the next; and those that ended epochs."""
    found = {number: link.leaf for number, link in zip(epochs.ended_by, trail.epochs, strict=True)}
    follower = commit
    for raw in reversed(trail.leaves):
        leaf = epoch_chain.commit_leaf(raw)
        digest = leaf_format.commit_digest(raw)
        if (leaf.index, digest) != (follower.index - 1, follower.previous_digest):
            raise SnapshotError(
                f"the leaf before that of commit {follower.index} is not the one that it names"
            )
        if found.setdefault(leaf.index, raw) != raw:
            raise SnapshotError(f"there are two leaves of commit {leaf.index}")
        follower = leaf
    if follower.index > first_leaf_needed(epochs, commit.index):
        raise SnapshotError(
            f"its leaves go back to commit {follower.index}, expected "
            f"{first_leaf_needed(epochs, commit.index)}"
        )
    found.pop(commit.index, None)
    return tuple(sorted(found.items()))


def _blocks(raws: Iterable[bytes], epoch: Epoch, verify: Verify | None) -> list[Block]:
    try:
        blocks = [block_format.parse(raw, epoch.ledger_id) for raw in raws]
        for block in blocks:
            block_format.check_header(block, epoch, verify or _verified)
    except LedgerError as error:
        raise SnapshotError(f"one of its blocks: {error}") from error
    return blocks


def _verified(public_65: bytes, digest: bytes, signature: bytes) -> None:
    """They were verified before they were stored."""
