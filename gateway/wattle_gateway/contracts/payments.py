"""Execution of `open`, `issue`, `redeem`, `transfer`, `lock`, `unlock` (SPEC section 12).

Each function first tries every clause, in SPEC's order, and writes only then: a RefusedError
leaves the state as it was.
"""

from dataclasses import replace

from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.accounts import LOCKS_MAX, Account, Asset, HeldLock
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.account_bodies import (
    AMOUNT_MAX,
    Issue,
    Lock,
    Open,
    Redeem,
    Transfer,
    Unlock,
)


def open_account(state: State, body: Open, party: Party) -> None:
    """Execute an `open`: an empty account of `party`."""
    if accounts.asset(state, body.asset) is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    if accounts.account(state, party.kid, body.asset) is not None:
        raise RefusedError(classes.ACCOUNT_EXISTS)
    accounts.put_account(state, Account(party.kid, body.asset))


def check_issue(state: State, body: Issue, party: Party) -> None:
    """Every clause of an `issue`; RefusedError for the first that fails."""
    asset = accounts.asset(state, body.asset)
    if asset is None:
        if body.to != party.kid:
            raise RefusedError(classes.RECIPIENT_UNKNOWN)
        return
    if asset.issuer != party.kid:
        raise RefusedError(classes.NOT_THE_ISSUER)
    if asset.decimals != body.decimals:
        raise RefusedError(classes.DECIMALS_DIFFER)
    if accounts.account(state, body.to, body.asset) is None:
        raise RefusedError(classes.RECIPIENT_UNKNOWN)
    if asset.issued + body.amount > AMOUNT_MAX:
        raise RefusedError(classes.SUPPLY_FULL)


def issue(state: State, body: Issue, party: Party) -> None:
    """Execute an `issue`; the first one of an asset declares it."""
    check_issue(state, body, party)
    asset = accounts.asset(state, body.asset)
    if asset is None:
        asset = Asset(body.asset, body.decimals, party.kid, 0, 0)
    accounts.put_asset(state, replace(asset, issued=asset.issued + body.amount))
    account = accounts.account(state, body.to, body.asset) or Account(body.to, body.asset)
    accounts.put_account(state, replace(account, unlocked=account.unlocked + body.amount))


def redeem(state: State, body: Redeem, party: Party) -> None:
    """Execute a `redeem`: the issuer's own money is no more."""
    asset, account = _asset_and_account(state, body.asset, party)
    if asset.issuer != party.kid:
        raise RefusedError(classes.NOT_THE_ISSUER)
    spent = _spent(account, body.amount)
    accounts.put_asset(state, replace(asset, redeemed=asset.redeemed + body.amount))
    accounts.put_account(state, spent)


def transfer(state: State, body: Transfer, party: Party) -> None:
    """Execute a `transfer`."""
    _, account = _asset_and_account(state, body.asset, party)
    recipient = _other_side(state, body.asset, body.to, party)
    spent = _spent(account, body.amount)
    accounts.put_account(state, spent)
    accounts.put_account(state, replace(recipient, unlocked=recipient.unlocked + body.amount))


def lock(state: State, body: Lock, party: Party, digest: bytes) -> None:
    """Execute a `lock`; `digest` of its transaction is what it is named by."""
    _, account = _asset_and_account(state, body.asset, party)
    _other_side(state, body.asset, body.holder, party)
    spent = _spent(account, body.amount)
    if account.locks >= LOCKS_MAX:
        raise RefusedError(classes.LOCKS_FULL)
    locked = replace(spent, locked=account.locked + body.amount, locks=account.locks + 1)
    accounts.put_account(state, locked)
    accounts.put_lock(
        state,
        HeldLock(digest, party.kid, body.asset, body.amount, body.holder, body.until_ms),
    )


def unlock(state: State, body: Unlock, party: Party, time_ms: int) -> None:
    """Execute an `unlock` at commit time `time_ms`: the holder takes some, the owner gets back the
    rest."""
    held = accounts.lock(state, body.digest)
    if held is None:
        raise RefusedError(classes.LOCK_UNKNOWN)
    is_holders = time_ms <= held.until_ms
    if party.kid != (held.holder if is_holders else held.owner):
        raise RefusedError(classes.NOT_THE_HOLDER)
    if body.taken > (held.amount if is_holders else 0):
        raise RefusedError(classes.LOCK_SHORT)
    owner = accounts.account(state, held.owner, held.asset)
    holder = accounts.account(state, held.holder, held.asset)
    # Accounts are never closed, and a lock is made with both of them there.
    assert owner is not None
    assert holder is not None
    accounts.put_account(
        state,
        replace(
            owner,
            unlocked=owner.unlocked + held.amount - body.taken,
            locked=owner.locked - held.amount,
            locks=owner.locks - 1,
        ),
    )
    accounts.put_account(state, replace(holder, unlocked=holder.unlocked + body.taken))
    accounts.delete_lock(state, held.digest)


def _asset_and_account(state: State, name: str, party: Party) -> tuple[Asset, Account]:
    asset = accounts.asset(state, name)
    if asset is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    account = accounts.account(state, party.kid, name)
    if account is None:
        raise RefusedError(classes.ACCOUNT_UNKNOWN)
    return asset, account


def _other_side(state: State, asset: str, kid: bytes, party: Party) -> Account:
    if kid == party.kid:
        raise RefusedError(classes.TO_ITSELF)
    account = accounts.account(state, kid, asset)
    if account is None:
        raise RefusedError(classes.RECIPIENT_UNKNOWN)
    return account


def _spent(account: Account, amount: int) -> Account:
    if amount > account.unlocked:
        raise RefusedError(classes.BALANCE_SHORT)
    return replace(account, unlocked=account.unlocked - amount)
