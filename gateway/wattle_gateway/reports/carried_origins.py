"""What an amount that is carried into a payment is made of (D37): what the last payment between the
two left, and corrections since. Nothing is kept for it: it is read off the state."""

from collections.abc import Iterable
from dataclasses import dataclass

from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.settlement import paying, results
from wattle_gateway.contracts.settlement.results import FINAL, ResultRow
from wattle_gateway.contracts.state import State

LEFT = "left"
CORRECTION = "correction"
FORGOTTEN = "forgotten"


@dataclass(frozen=True)
class Origin:
    """`amount` that the payment of an event (digest) LEFT, or that is its CORRECTION; FORGOTTEN: of
    events that the state has let go, without a digest."""

    why: str
    event: bytes | None
    amount: int


@dataclass(frozen=True)
class _Ended:
    """An event that is paid, with the statements of its loads."""

    event: EventRow
    stated: tuple[tuple[QuotaRow, ResultRow], ...]

    @property
    def order(self) -> tuple[int, int, bytes]:
        """In which order events are paid: by commit, in one commit as D23 has it."""
        commit = max((row.commit for _, row in self.stated), default=0)
        return commit, self.event.end_ms, self.event.digest

    def corrected(self, party: bytes, after: int, until: int) -> int:
        """The party's part of corrections that commits after one, up to another, have made."""
        amount = 0
        for quota, row in self.stated:
            found = row.correction
            if found is not None and after < found.commit <= until:
                split = paying.shares(found.amount, quota.origin, quota.owner, row.split_permille)
                amount += sum(share for kid, share in split if kid == party)
        return amount


def origins(
    state: State, events: Iterable[EventRow], event: EventRow, party: bytes
) -> tuple[Origin, ...]:
    """Where that came from which was carried into the payment of a party (kid) at the end of an
    event; `events` all that the state holds. Empty if nothing was. Raises StateError."""
    payment = paying.paid(state, event.digest, party)
    if payment is None or payment.before == 0:
        return ()
    this = _ended(state, event)
    between = [_ended(state, one) for one in events if _concerns(one, event)]
    earlier = sorted((one for one in between if one.order < this.order), key=lambda one: one.order)
    found: list[Origin] = []
    since = 0
    for one in reversed(earlier):
        left = paying.paid(state, one.event.digest, party)
        if left is not None:
            since = one.order[0]
            found.append(Origin(LEFT, one.event.digest, left.after))
            break
    for one in earlier:
        amount = one.corrected(party, since, this.order[0])
        found.append(Origin(CORRECTION, one.event.digest, amount))
    known = sum(one.amount for one in found)
    found.append(Origin(FORGOTTEN, None, payment.before - known))
    return tuple(one for one in found if one.amount)


def _concerns(one: EventRow, event: EventRow) -> bool:
    """Whether what an event that is over leaves is carried into the payments of another."""
    if one.digest == event.digest or one.version != FINAL:
        return False
    places = ((paying.payer_of(found), found.body.asset) for found in (one, event))
    return len(set(places)) == 1


def _ended(state: State, event: EventRow) -> _Ended:
    stated = []
    for quota in rows.quotas(state, event):
        row = results.result(state, event.digest, quota.meter, quota.device)
        if row is not None:
            stated.append((quota, row))
    return _Ended(event, tuple(stated))
