"""What moves a reputation: the scores of events, faults, and how well a gateway is connected."""

from dataclasses import replace

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.reputation.fault_record import FaultRecord, Shown
from wattle_gateway.contracts.reputation.standing import (
    EventMark,
    Standing,
    put_standing,
    standing,
)
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.market import PERMILLE, Market

# What shows cheating sets a reputation to 0, whatever the table takes off for it (D32). A false
# checkpoint is two signed words that cannot both be true, as two blocks of a round are.
CHEATING = frozenset({weights.DOUBLE_SIGNING, weights.SELF_DEALING})


def charge(
    state: State,
    market: Market,
    kid: bytes,
    fault: str,
    shown: Shown,
    time_ms: int,
    share: tuple[int, int] = (1, 1),
) -> None:
    """Charge a party or gateway with a fault (a name of the weight table): its weight for
    reputation is taken off, cheating takes all. Of two faults in one commit the order is nothing,
    but that of one class the later one is what stays shown.

    share: (part, whole) of what a party promised in an event that the fault is about, so that of
    a thousand loads one that fails does not weigh as much as all; rounded up, against the party.
    """
    part, whole = share
    assert 0 < part <= whole, share
    found = standing(state, market, kid, time_ms)
    before = found.records.get(fault)
    count = 1 if before is None else before.count + 1
    off = PERMILLE if fault in CHEATING else -(-weights.taken_off(market, fault) * part // whole)
    charged = replace(
        found,
        reputation=max(0, found.reputation - off),
        records={**found.records, fault: FaultRecord(count, time_ms, shown)},
    )
    put_standing(state, _judged(charged, market, time_ms))


def rate(
    state: State,
    market: Market,
    kid: bytes,
    event: bytes,
    score: Score,
    time_ms: int,
    bearing: int = PERMILLE,
) -> None:
    """A party (kid) has a score in an event (digest, 32 bytes): its reputation moves towards it, by
    as much as the data that the score rests on bears (permille)."""
    found = standing(state, market, kid, time_ms)
    mark = EventMark(event, score.absolute, score.vertical, score.horizontal, score.value)
    rated = replace(
        found,
        reputation=moved(found.reputation, score.value, market.rate_permille, bearing),
        events=(mark, *found.events)[: market.history_events],
    )
    put_standing(state, _judged(rated, market, time_ms))


def rate_connection(state: State, market: Market, kid: bytes, mark: int, time_ms: int) -> None:
    """A gateway was connected so well (permille) on the day that is over."""
    found = standing(state, market, kid, time_ms)
    rated = replace(found, reputation=moved(found.reputation, mark, market.rate_permille))
    if rated != found:
        put_standing(state, _judged(rated, market, time_ms))


def moved(reputation: int, mark: int, rate_permille: int, bearing: int = PERMILLE) -> int:
    """A reputation after a mark: `rate_permille` of the way, of that `bearing` permille, rounded
    toward where it was."""
    step = abs(mark - reputation) * rate_permille * bearing // PERMILLE**2
    return reputation + step if mark >= reputation else reputation - step


def _judged(found: Standing, market: Market, time_ms: int) -> Standing:
    """Below the threshold a party is suspended, from the first time on that it gets there."""
    if found.suspended_ms is None and found.reputation < market.suspend_permille:
        return replace(found, suspended_ms=time_ms)
    return found
