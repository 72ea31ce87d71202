"""Execution of `change` and of its approvals: how an epoch ends (SPEC section 12).

A change names the members, rules and constants of the next epoch. With the q-th approval by
voting members of the present one it is decided, and the commit in which that happens is the
last of the epoch (CONSENSUS.md, rule 29).
"""

from wattle_gateway.contracts import alliance, classes
from wattle_gateway.contracts.alliance import PendingChange
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import ready as ready_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.errors import FormatError, LedgerError, SignatureError
from wattle_gateway.ledger.genesis import EVENT_RULES
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.ready import Ready
from wattle_gateway.ledger.transaction import Transaction


def propose(state: State, tx: Transaction, party: Party, setting: Setting) -> EpochChange | None:
    """Execute a `change`; gives it if it is decided by its proposer's approval alone."""
    change = transaction.parse_change(tx.body)
    _check_readable(change.following, setting)
    if change.epoch != setting.epoch.number or setting.ended:
        raise RefusedError(classes.NOT_THE_EPOCH)
    _check_joiners(change.following, change.ready, setting)
    pending = PendingChange(party.kid, tx.digest, change.following, (party.kid,))
    return _counted(state, pending, setting)


def waiting(state: State, digest: bytes, setting: Setting) -> PendingChange | None:
    """The change that waits under the digest of its transaction, or None."""
    for pending in alliance.pending_changes(state, setting.epoch):
        if pending.digest == digest:
            return pending
    return None


def approve(
    state: State, pending: PendingChange, party: Party, setting: Setting
) -> EpochChange | None:
    """Execute an `approve` of a change that waits; gives it if that decides it."""
    if setting.ended:
        raise RefusedError(classes.NOT_THE_EPOCH)
    if party.kid in pending.approvers:
        raise RefusedError(classes.APPROVED_ALREADY)
    approvers = tuple(sorted((*pending.approvers, party.kid)))
    approved = PendingChange(pending.proposer, pending.digest, pending.change, approvers)
    return _counted(state, approved, setting)


def _counted(state: State, pending: PendingChange, setting: Setting) -> EpochChange | None:
    alliance.put_change(state, pending)
    decided = len(pending.approvers) >= setting.epoch.quorum
    return pending.change if decided else None


def _check_readable(following: EpochChange, setting: Setting) -> None:
    """Under rules 1 and 2 nobody reads market parameters: who knows no newer rules has to come to
    the same verdict, and to stop only where an epoch of them begins. FormatError if there are."""
    named = following.constants.market not in (None, Market())
    if named and setting.epoch.rules < EVENT_RULES:
        raise FormatError(f"change: constants have a market under rules {setting.epoch.rules}")


def _check_joiners(following: EpochChange, signed: tuple[bytes, ...], setting: Setting) -> None:
    """Whoever votes under a row that is not among the present ones must have said that it follows
    this ledger and is willing; else f of the next epoch would count members that do not exist."""
    present = set(setting.epoch.everyone)
    joiners = [member for member in following.members if member.votes and member not in present]
    if not joiners:
        return
    offered = [found for raw in signed if (found := _parsed(raw, setting)) is not None]
    for member in joiners:
        if not any(ready.member == member and _holds(ready, setting) for ready in offered):
            raise RefusedError(classes.NOT_READY)


def _parsed(raw: bytes, setting: Setting) -> Ready | None:
    try:
        return ready_format.parse(raw, setting.epoch.ledger_id)
    except LedgerError:
        return None


def _holds(ready: Ready, setting: Setting) -> bool:
    """Whether a `ready` is of this epoch, names a commit that is not too old, and is signed."""
    head = setting.head
    oldest = head.index - setting.epoch.constants.ready_commits_max
    if ready.epoch != setting.epoch.number or not oldest <= ready.commit_index <= head.index:
        return False
    named = ready.commit_index
    digest = head.digest if named == head.index else setting.digest_of(named)
    if ready.commit_digest != digest:
        return False
    try:
        setting.verify(ready.member.block_key, ready.digest, ready.signature)
    except SignatureError:
        return False
    return True
