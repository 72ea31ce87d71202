"""From the members of the genesis to those of today: each step approved by a quorum of the step
before (SPEC section 18).

The rows `epoch` of a snapshot say who the members were; alone they would vouch for themselves.
So each of them comes with the transactions by which q voting members of the epoch before wanted
it, or has the same members. What the ledger adds by itself (who rests) needs nobody's yes, as it
changes nobody's key.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import EpochRow
from wattle_gateway.contracts.errors import ContractError, SnapshotError
from wattle_gateway.contracts.reputation import seats
from wattle_gateway.contracts.snapshot_trail import EpochLink
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch, EpochChange, next_epoch
from wattle_gateway.ledger.errors import FormatError, LedgerError
from wattle_gateway.ledger.genesis import constants_under
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.transaction import Transaction


@dataclass(frozen=True)
class Epochs:
    """All epochs so far, epoch 0 first; `ended_by` for each but the last the index of the commit
    that ended it."""

    all: tuple[Epoch, ...]
    ended_by: tuple[int, ...]

    @property
    def newest(self) -> Epoch:
        """The epoch in force after the snapshot's commit."""
        return self.all[-1]

    @property
    def first_index(self) -> int:
        """The index of the first commit of the epoch in force."""
        return self.ended_by[-1] + 1 if self.ended_by else 1


def walk(
    rows: Mapping[bytes, bytes], links: Sequence[EpochLink], first: Epoch, verify: Verify
) -> Epochs:
    """The epochs that the `rows` of a state name, each begun by `links`; `first` is epoch 0.

    That the links' leaves are of the log is for the caller to see. Raises SnapshotError for a step
    that no quorum wanted, RulesError for rules that this gateway does not know.
    """
    epochs, ended_by = [first], []
    while (row := _row(rows, len(epochs))) is not None:
        if row.number > len(links):
            raise SnapshotError(f"it does not say how epoch {row.number} began")
        link, epoch = links[row.number - 1], epochs[-1]
        check_wanted(epoch, row.change, link, verify)
        epochs.append(next_epoch(epoch, row.change, _ending(link.leaf, row)))
        ended_by.append(row.commit_index)
    if len(links) != len(ended_by):
        raise SnapshotError(f"it links {len(links)} epochs, its state has {len(ended_by)}")
    return Epochs(tuple(epochs), tuple(ended_by))


def check_wanted(epoch: Epoch, change: EpochChange, link: EpochLink, verify: Verify) -> None:
    """SnapshotError unless q voting members of `epoch` signed that `change` follows it, or nothing
    of it is new but who rests."""
    if _is_same(epoch, change):
        return
    signed = [_transaction(raw, epoch) for raw in link.approvals]
    digest = seats.proposal_digest(epoch, change)
    if link.change:
        proposed = _transaction(link.change, epoch)
        digest = proposed.digest
        _check_content(epoch, change, proposed)
        signed.append(proposed)
    elif not _takes_seats_only(epoch, change):
        raise SnapshotError(f"nobody proposed the members of epoch {epoch.number + 1}")
    willing = {tx.kid for tx in signed if _wants(tx, digest, epoch, verify)}
    if len(willing) < epoch.quorum:
        raise SnapshotError(
            f"{len(willing)} members of epoch {epoch.number} approved the members of epoch "
            f"{epoch.number + 1}, expected {epoch.quorum}"
        )


def link_for(
    epoch: Epoch, change: EpochChange, raws: Iterable[bytes], ended: EpochLink
) -> EpochLink:
    """`ended` with those of an epoch's transactions that show who wanted `change` to follow; as it
    is if the members stay the same. SnapshotError if too few wanted it."""
    if _is_same(epoch, change):
        return ended
    proposals: dict[bytes, Transaction] = {}
    approvals: dict[bytes, dict[bytes, bytes]] = {}
    for tx in (transaction.parse(raw, epoch.ledger_id) for raw in raws):
        if epoch.author_of(tx.kid) is None:
            continue
        if tx.kind == transaction.CHANGE and _has_content(epoch, change, tx):
            proposals[tx.digest] = tx
        elif tx.kind == transaction.APPROVE:
            with suppress(FormatError):  # it was refused
                digest = transaction.parse_approve(tx.body).digest
                approvals.setdefault(digest, {})[tx.kid] = tx.raw
    digests = [*proposals]
    if _takes_seats_only(epoch, change):
        digests.append(seats.proposal_digest(epoch, change))
    for digest in digests:
        proposal = proposals.get(digest)
        found = dict(approvals.get(digest, {}))
        if proposal is not None:
            found.pop(proposal.kid, None)
        others = epoch.quorum - (proposal is not None)
        if len(found) >= others:
            raw = b"" if proposal is None else proposal.raw
            chosen = tuple(found[kid] for kid in sorted(found)[:others])
            return replace(ended, approvals=chosen, change=raw)
    raise SnapshotError(f"who approved the members of epoch {epoch.number + 1} is not stored")


def head_of(leaf: bytes) -> CommitHead:
    """What the commit of a leaf left behind; SnapshotError if it is no commit's."""
    found = commit_leaf(leaf)
    return CommitHead(
        found.index, found.time_ms, leaf_format.commit_digest(leaf), found.state_digest
    )


def commit_leaf(raw: bytes) -> CommitLeaf:
    """The commit leaf in `raw`; SnapshotError if it is none."""
    try:
        found = leaf_format.decode(raw)
    except FormatError as error:
        raise SnapshotError(f"not a leaf: {error}") from error
    if not isinstance(found, CommitLeaf):
        raise SnapshotError("a leaf that is not that of a commit")
    return found


def _row(rows: Mapping[bytes, bytes], number: int) -> EpochRow | None:
    try:
        return alliance.epoch_row(rows, number)
    except ContractError as error:
        raise SnapshotError(str(error)) from error


def _ending(leaf: bytes, row: EpochRow) -> CommitHead:
    found = commit_leaf(leaf)
    if (found.epoch, found.index) != (row.number - 1, row.commit_index):
        raise SnapshotError(
            f"commit {found.index} of epoch {found.epoch} does not end epoch {row.number - 1}, "
            f"expected commit {row.commit_index}"
        )
    return head_of(leaf)


def _transaction(raw: bytes, epoch: Epoch) -> Transaction:
    try:
        return transaction.parse(raw, epoch.ledger_id)
    except LedgerError as error:
        raise SnapshotError(f"an approval of epoch {epoch.number + 1}: {error}") from error


def _wants(tx: Transaction, digest: bytes, epoch: Epoch, verify: Verify) -> bool:
    """Whether a voting member signed this; SnapshotError for what is no approval of it."""
    author = epoch.author_of(tx.kid)
    try:
        named = tx.digest
        if tx.kind == transaction.APPROVE:
            named = transaction.parse_approve(tx.body).digest
        if author is None or named != digest:
            raise FormatError(f"{tx.kid.hex()} is no voting member, or approved something else")
        verify(epoch.members[author].block_key, tx.digest, tx.signature)
    except LedgerError as error:
        raise SnapshotError(f"an approval of epoch {epoch.number + 1}: {error}") from error
    return True


def _check_content(epoch: Epoch, change: EpochChange, tx: Transaction) -> None:
    if tx.kind != transaction.CHANGE or not _has_content(epoch, change, tx):
        raise SnapshotError(
            f"the change that was approved is not the one by which epoch {epoch.number + 1} began"
        )


def _has_content(epoch: Epoch, change: EpochChange, tx: Transaction) -> bool:
    try:
        said = transaction.parse_change(tx.body)
    except LedgerError:
        return False
    return said.epoch == epoch.number and said.following == replace(change, resting=())


def _is_same(epoch: Epoch, change: EpochChange) -> bool:
    return change.members == epoch.everyone and _keeps_rules(epoch, change)


def _takes_seats_only(epoch: Epoch, change: EpochChange) -> bool:
    """Whether it is what the ledger may propose by itself: the same without some members."""
    return set(change.members) <= set(epoch.everyone) and _keeps_rules(epoch, change)


def _keeps_rules(epoch: Epoch, change: EpochChange) -> bool:
    constants = constants_under(change.constants, change.rules)
    return (change.rules, constants) == (epoch.rules, epoch.constants)
