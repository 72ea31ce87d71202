"""The score of an event: absolute, against the own past, against the others (D30, D31)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.scoring.parts import (
    PERMILLE,
    Parts,
    Performance,
    absolute,
    parts,
    together,
)
from wattle_gateway.ledger.market import Market

MIDDLE = PERMILLE // 2
# A median of one or two others says nothing of an event.
OTHERS_LEAST = 3


@dataclass(frozen=True)
class Score:
    """How a party did in an event; all 0 to 1000. `value` is the score, `absolute`, `vertical` and
    `horizontal` what it is made of, the other three what `absolute` is made of."""

    accuracy: int
    availability: int
    speed: int
    absolute: int
    vertical: int
    horizontal: int
    value: int


def event_scores(
    performances: Mapping[bytes, Sequence[Performance]],
    histories: Mapping[bytes, Sequence[int]],
    market: Market,
) -> dict[bytes, Score]:
    """The scores of everybody in an event, by rising kid.

    performances: party kid -> its resources; those that promised nothing while called are left
    out, and so is a party without any other. histories: party kid -> absolute parts of its last
    events, newest first. market: the parameters that the event was published under.
    """
    found = {
        kid: together([parts(one, market) for one in performances[kid] if one.promised_w])
        for kid in sorted(performances)
        if any(one.promised_w for one in performances[kid])
    }
    marks = {kid: absolute(one, market) for kid, one in found.items()}
    return {
        kid: score(
            one,
            market,
            histories.get(kid, ()),
            [mark for other, mark in marks.items() if other != kid],
        )
        for kid, one in found.items()
    }


def score(found: Parts, market: Market, history: Sequence[int], others: Sequence[int]) -> Score:
    """One party's score. history: own absolute parts of earlier events, newest first; others: the
    absolute parts of the others in this event, in any order."""
    mark = absolute(found, market)
    up = vertical(mark, history[: market.history_events], market.decay_permille)
    across = horizontal(mark, others, market.mad_floor)
    weighed = market.m_absolute * mark + market.m_vertical * up + market.m_horizontal * across
    value = weighed // (market.m_absolute + market.m_vertical + market.m_horizontal)
    return Score(found.accuracy, found.availability, found.speed, mark, up, across, value)


def vertical(mark: int, history: Sequence[int], decay_permille: int) -> int:
    """500 and half of what `mark` is above the decayed mean of `history`, within 0 and 1000; the
    event i back from the newest weighs (decay_permille / 1000)^i. 500 without a history."""
    if not history:
        return MIDDLE
    oldest = len(history) - 1
    weights = [decay_permille**back * PERMILLE ** (oldest - back) for back in range(len(history))]
    total = sum(weights)
    above = mark * total - sum(w * earlier for w, earlier in zip(weights, history, strict=True))
    return _within(MIDDLE + _toward_zero(above, 2 * total))


def horizontal(mark: int, others: Sequence[int], mad_floor: int) -> int:
    """500 and a quarter of 1000 for each median absolute deviation that `mark` is above the median
    of `others`, within 0 and 1000. 500 with fewer than three others."""
    if len(others) < OTHERS_LEAST:
        return MIDDLE
    median_twice = _median_twice(others)
    deviation_4 = _median_twice([abs(2 * other - median_twice) for other in others])
    above_twice = 2 * mark - median_twice
    # 250 * (above / 2) / (deviation / 4) = 500 * above / deviation
    return _within(MIDDLE + _toward_zero(500 * above_twice, max(deviation_4, 4 * mad_floor)))


def _median_twice(values: Sequence[int]) -> int:
    """Twice the median, which keeps that of an even number whole."""
    rising = sorted(values)
    return rising[(len(rising) - 1) // 2] + rising[len(rising) // 2]


def _toward_zero(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def _within(value: int) -> int:
    return max(0, min(PERMILLE, value))
