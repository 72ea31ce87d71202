"""The money that an event can cost at most (D36): reserved when it is published, set anew when it
is known who was selected. It stays its owner's until the event is final.

It is locked in the publisher's account, or spoken for in a fund. For every asset the sum of all
unlocked and locked balances stays `issued` - `redeemed`; such a lock is not one of the 64 that a
party may make.
"""

from collections.abc import Sequence
from dataclasses import replace

from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.settlement import fund_purpose, funds
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.event_bodies import Publish
from wattle_gateway.ledger.market import PERMILLE, Market

# Prices are per MW and hour, or per MWh: W x ms over this.
_W_MS_PER_MWH = 1_000_000 * 3_600_000


def of_publish(body: Publish, market: Market) -> int:
    """Most that the quantity asked can cost, rounded up."""
    w_ms = body.quantity_w * body.intervals * market.interval_ms
    return _rounded_up(_most(w_ms, body.availability_price, body.energy_price, market))


def of_quotas(
    event: EventRow, quotas: Sequence[QuotaRow], price_mwh: int | None, market: Market
) -> int:
    """Most that these quotas can cost, rounded up: each at `price_mwh`, or at its own price."""
    total = 0
    for quota in quotas:
        price = quota.price_mwh if price_mwh is None else price_mwh
        assert price is not None
        w_ms = sum(quota.quotas_w) * event.interval_ms
        total += _most(w_ms, event.body.availability_price, price, market)
    return _rounded_up(total)


def lock_first(
    state: State, body: Publish, publisher: bytes, amount: int, market: Market, time_ms: int
) -> None:
    """Reserve an amount for an event that is published, if it is one that its fund pays.
    RefusedError for the first clause that fails."""
    if body.fund is not None:
        held = funds.usable(state, body.fund, publisher, body.asset, time_ms)
        fund_purpose.check(held.limits, body, market.interval_ms, amount)
    _lock(state, body, publisher, amount, time_ms)


def _lock(state: State, body: Publish, publisher: bytes, amount: int, time_ms: int) -> None:
    if body.fund is not None:
        funds.reserve(state, body.fund, publisher, body.asset, amount, time_ms)
        return
    account = accounts.account(state, publisher, body.asset)
    if account is None:
        raise RefusedError(classes.ACCOUNT_UNKNOWN)
    if amount > account.unlocked:
        raise RefusedError(classes.BALANCE_SHORT)
    accounts.put_account(
        state,
        replace(account, unlocked=account.unlocked - amount, locked=account.locked + amount),
    )


def free(state: State, event: EventRow, amount: int) -> EventRow:
    """The event with this much less reserved: it is its owner's to spend again."""
    assert 0 <= amount <= event.reserved, event
    body = event.body
    if body.fund is not None:
        funds.give_back(state, body.fund, amount)
    else:
        account = accounts.account(state, event.publisher, body.asset)
        assert account is not None, "accounts are never closed"
        accounts.put_account(
            state,
            replace(account, unlocked=account.unlocked + amount, locked=account.locked - amount),
        )
    return replace(event, reserved=event.reserved - amount)


def spare(state: State, event: EventRow, time_ms: int) -> int:
    """How much more could be reserved for an event."""
    body = event.body
    if body.fund is None:
        account = accounts.account(state, event.publisher, body.asset)
        return 0 if account is None else account.unlocked
    held = funds.fund(state, body.fund)
    if held is None or held.over or held.until_ms < time_ms:
        return 0
    return fund_purpose.spare(held, event.reserved)


def set_to(state: State, event: EventRow, amount: int, time_ms: int) -> EventRow:
    """The event with this much reserved, at most what is and what is spare."""
    if amount <= event.reserved:
        return free(state, event, event.reserved - amount)
    _lock(state, event.body, event.publisher, amount - event.reserved, time_ms)
    return replace(event, reserved=amount)


def _most(w_ms: int, availability_price: int, energy_price: int, market: Market) -> int:
    """In parts of a unit: all availability, and energy up to what is credited."""
    return w_ms * (availability_price * PERMILLE + energy_price * market.credit_max_permille)


def _rounded_up(parts: int) -> int:
    return -(-parts // (_W_MS_PER_MWH * PERMILLE))
