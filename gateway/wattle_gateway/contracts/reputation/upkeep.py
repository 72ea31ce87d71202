"""What each commit does for reputations by itself, from rules 3 on; below them nothing."""

from hashlib import sha256

from wattle_gateway.contracts.reputation import connection, fault_record, resting, seats
from wattle_gateway.contracts.reputation.conduct import charge
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.weights import DOUBLE_SIGNING, ERROR
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import EpochChange


def cheated(state: State, setting: Setting, kid: bytes, entry: bytes) -> None:
    """Evidence (the bytes of its entry) shows two signed words of a member (kid) that cannot both
    be honest."""
    market = setting.epoch.constants.market
    if market is not None:
        shown = Shown(fault_record.EVIDENCE, sha256(entry).digest(), setting.index)
        charge(state, market, kid, DOUBLE_SIGNING, shown, setting.time_ms)


def proposed_false(state: State, setting: Setting, kid: bytes, block: bytes) -> None:
    """A block (digest) of a member (kid) carries what its bytes alone show to be no entry."""
    market = setting.epoch.constants.market
    if market is not None:
        shown = Shown(fault_record.BLOCK, block, setting.index)
        charge(state, market, kid, ERROR, shown, setting.time_ms)


def after_entries(
    state: State, setting: Setting, commit: Commit, approved: EpochChange | None
) -> EpochChange | None:
    """The entries of a commit are executed: count who was connected, look whose seat the alliance
    should take, and who leads. What the next epoch is made of, None if this one goes on;
    `approved` the change that the members have ended it with."""
    epoch = setting.epoch
    market = epoch.constants.market
    if market is None:
        return approved
    leader = commit.blocks[-1]  # its round is the highest
    connection.take(state, market, leader, setting)
    if approved is None:
        seats.review(state, epoch, market, commit.time_ms)
    return resting.next_change(state, epoch, market, commit.time_ms, approved)
