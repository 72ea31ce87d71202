"""Offers of adjustable loads, and what makes one better than another (D24)."""

from dataclasses import dataclass

PERMILLE = 1000


@dataclass(frozen=True)
class Offer:
    """One resource as a whole: called it adjusts by `quota_w`, or it is left alone.

    `digest` of the declaration (32 bytes); `quota_w` > 0 what it holds in every interval of the
    event; `price` money per MWh, >= 0; `response_ms` from dispatch to reached; `holds_ms` how
    long it can hold; `score` and `reputation` permille; `distance` number of lines between it and
    the place of the need, None if none joins them; `rested_ms` since it was last called;
    `standing_permille` what its merit is multiplied with for faults on record and the classes of
    its last data (D15).
    """

    digest: bytes
    quota_w: int
    price: int
    response_ms: int
    holds_ms: int
    score: int = PERMILLE
    reputation: int = PERMILLE
    distance: int | None = 0
    rested_ms: int = 0
    standing_permille: int = PERMILLE


@dataclass(frozen=True)
class Need:
    """What is asked for: `quota_w` within `within_ms`, held for `hold_ms`."""

    quota_w: int
    within_ms: int
    hold_ms: int


@dataclass(frozen=True)
class Weights:
    """How much each part of the merit counts (>= 0, together > 0), and its scale: a load is worth
    nothing by distance from `far` lines on, and everything by rest from `rested_ms` on. Below
    `reputation_min` (permille) nobody is called."""

    score: int = 4
    reputation: int = 2
    speed: int = 2
    nearness: int = 1
    rest: int = 1
    far: int = 10
    rested_ms: int = 7 * 86_400_000
    reputation_min: int = 200


TOO_SLOW = "too_slow"
TOO_SHORT = "too_short"
NOT_CONNECTED = "not_connected"
SUSPENDED = "suspended"


def unfit(offer: Offer, need: Need, weights: Weights) -> str | None:
    """Why an offer cannot answer at all, by one of the words above; None if it can."""
    if offer.response_ms > need.within_ms:
        return TOO_SLOW
    if offer.holds_ms < need.hold_ms:
        return TOO_SHORT
    if offer.distance is None:
        return NOT_CONNECTED
    if offer.reputation < weights.reputation_min:
        return SUSPENDED
    return None


def merit(offer: Offer, need: Need, weights: Weights) -> int:
    """The weighted mean of five parts, 1 to 1000: score, reputation, speed (how much of the time
    allowed is left), nearness, rest; less for faults on record. Of an offer that is fit."""
    speed = PERMILLE * (need.within_ms - offer.response_ms) // max(1, need.within_ms)
    near = PERMILLE * max(0, weights.far - (offer.distance or 0)) // weights.far
    rest = PERMILLE * min(offer.rested_ms, weights.rested_ms) // weights.rested_ms
    parts = (
        (weights.score, offer.score),
        (weights.reputation, offer.reputation),
        (weights.speed, speed),
        (weights.nearness, near),
        (weights.rest, rest),
    )
    total = sum(weight * part for weight, part in parts)
    mean = total // sum(weight for weight, _ in parts)
    return max(1, mean * offer.standing_permille // PERMILLE)


def cost(offer: Offer, merit: int) -> int:
    """What the choice counts an offer at: its price for its quota, raised as its `merit` falls.

    One more than the price, so that of loads that ask nothing the better still comes first.
    """
    return (offer.price + 1) * offer.quota_w * PERMILLE // merit
