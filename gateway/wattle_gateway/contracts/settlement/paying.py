"""What becomes money when an event is final: shares, what is carried, payments (D36 to D39).

Theory of operation. All that the event can cost lies locked in one account: the publisher's, or
that of who filled the fund. Each resource's net is split among its payees. Of one payee all shares
of the event and what was carried from earlier ones are one sum: above 0 it is paid out of the
reserve, at or below 0 it is carried on. First everybody gets what this event owes, which the
reserve covers; then, as far as it reaches, by rising kid, what earlier ones do. The rest of the
reserve is free again. Each step moves amounts between two places: nothing is made or lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import accounts
from wattle_gateway.contracts.accounts import Account
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.measurement.primary import divided
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.contracts.settlement.carried import carried, put_carried
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX

_PERMILLE = 1000


@dataclass(frozen=True)
class Paid:
    """What one payee got at the end of an event: `own` its shares of this event, `before` what was
    carried from earlier ones, `paid` what it got. What is left is carried on."""

    own: int
    before: int
    paid: int

    @property
    def after(self) -> int:
        """What is carried on."""
        return within(self.own + self.before - self.paid)


def shares(net: int, origin: bytes, owner: bytes, split_permille: int) -> list[tuple[bytes, int]]:
    """(kid, share) of a resource's net: its owner's part rounded toward zero, the rest is of who
    declared it (D37)."""
    of_owner = divided(net * split_permille, _PERMILLE)
    return [(owner, of_owner), (origin, net - of_owner)]


def summed(several: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
    """The shares of each payee together, by rising kid."""
    found: dict[bytes, int] = {}
    for kid, share in several:
        found[kid] = found.get(kid, 0) + share
    return dict(sorted(found.items()))


def payer_of(event: EventRow) -> bytes:
    """Whose debts and claims an event carries on: the publisher's (kid), or the fund's (digest),
    so that money with a purpose never pays for another."""
    return event.publisher if event.body.fund is None else event.body.fund


def pay(state: State, event: EventRow, own: Mapping[bytes, int]) -> None:
    """Pay `own` (kid -> shares) and what was carried out of the event's reserve, and free what is
    left of it. The caller writes the event with nothing reserved."""
    payer, asset = payer_of(event), event.body.asset
    source = event.publisher
    if event.body.fund is not None:
        held = funds.fund(state, event.body.fund)
        assert held is not None, "what is reserved keeps its fund"
        source = held.filler
    payments = allotted(
        {kid: (within(share), carried(state, payer, kid, asset)) for kid, share in own.items()},
        event.reserved,
    )
    spent = sum(payment.paid for payment in payments.values())
    for kid, payment in payments.items():
        _move(state, source, kid, asset, payment.paid)
        put_carried(state, payer, kid, asset, payment.after)
        _put_paid(state, event.digest, kid, payment)
    _free(state, event, source, spent)


def allotted(dues: Mapping[bytes, tuple[int, int]], reserve: int) -> dict[bytes, Paid]:
    """What each payee (kid -> (own share, carried before)) gets out of a reserve, by rising kid."""
    left = reserve
    found: dict[bytes, Paid] = {}
    for kid in sorted(dues):
        own, before = dues[kid]
        paid = min(left, max(0, min(own, own + before)))
        left -= paid
        found[kid] = Paid(own, before, paid)
    for kid, first in found.items():
        more = min(left, max(0, first.own + first.before - first.paid))
        left -= more
        found[kid] = replace(first, paid=first.paid + more)
    return found


def paid(state: Rows, event: bytes, payee: bytes) -> Paid | None:
    """What a payee (kid) got at the end of an event (digest); None if it had no part in it or it
    is not final. Raises StateError."""
    value = state.get(key("paid", event, payee))
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 3, "paid")
        return Paid(
            structure.integer(row[0], "own"),
            structure.integer(row[1], "before"),
            structure.uint(row[2], "paid", AMOUNT_MAX),
        )
    except WireError as error:
        raise StateError(f"paid {event.hex()} {payee.hex()}: {error}") from error


def delete_paid(state: State, event: bytes, payee: bytes) -> None:
    """A payment is forgotten."""
    state.delete(key("paid", event, payee))


def carry(state: State, event: EventRow, own: Mapping[bytes, int]) -> None:
    """Amounts that came too late for their event go into the next statement."""
    payer, asset = payer_of(event), event.body.asset
    for kid, share in own.items():
        total = within(carried(state, payer, kid, asset) + share)
        put_carried(state, payer, kid, asset, total)


def _put_paid(state: State, event: bytes, payee: bytes, payment: Paid) -> None:
    row = [payment.own, payment.before, payment.paid]
    state.put(key("paid", event, payee), cbor.encode(row))


def _move(state: State, source: bytes, payee: bytes, asset: str, amount: int) -> None:
    """From the locked balance of `source` to the unlocked one of `payee`, which is opened if it is
    not there: nobody's pay waits for a form."""
    if amount == 0:
        return
    account = accounts.account(state, source, asset)
    assert account is not None, "accounts are never closed"
    accounts.put_account(state, replace(account, locked=account.locked - amount))
    found = accounts.account(state, payee, asset) or Account(payee, asset)
    accounts.put_account(state, replace(found, unlocked=found.unlocked + amount))


def _free(state: State, event: EventRow, source: bytes, spent: int) -> None:
    left = event.reserved - spent
    if event.body.fund is not None:
        funds.spend(state, event.body.fund, spent)
        funds.give_back(state, event.body.fund, left)
        return
    account = accounts.account(state, source, event.body.asset)
    if account is None:
        assert event.reserved == 0, "a reserve lies in an account"
        return
    freed = replace(account, unlocked=account.unlocked + left, locked=account.locked - left)
    accounts.put_account(state, freed)


def within(amount: int) -> int:
    """Nobody owes more of an asset than there can be of it, and every row is an int64."""
    return max(-AMOUNT_MAX, min(AMOUNT_MAX, amount))
