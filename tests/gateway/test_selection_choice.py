"""Why a load is called or not (DEMAND_RESPONSE.md, D24, D26)."""

from dataclasses import replace
from random import Random

import pytest
from wattle_gateway.contracts.selection.choice import CHOSEN, DEARER, choose
from wattle_gateway.contracts.selection.offers import (
    NOT_CONNECTED,
    SUSPENDED,
    TOO_SHORT,
    TOO_SLOW,
    Need,
    Offer,
    Weights,
    cost,
    merit,
)

NEED = Need(50_000, 5_000, 900_000)
WEIGHTS = Weights()
DAY_MS = 86_400_000


def offer(number: int, quota_w: int = 30_000, price: int = 100, **changes: int | None) -> Offer:
    plain = Offer(number.to_bytes(32, "big"), quota_w, price, 2_000, 3_600_000)
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_cheapest_are_called_and_every_offer_has_its_reason() -> None:
    offers = [offer(0, price=300), offer(1), offer(2, price=200), offer(3, response_ms=5_001)]
    found = choose(offers, NEED, WEIGHTS)
    assert (found.enough, found.reached_w) == (True, 60_000)
    assert found.chosen == (offers[1], offers[2])
    assert [(reason.offer.digest[-1], reason.why, reason.rank) for reason in found.reasons] == [
        (1, CHOSEN, 1),
        (2, CHOSEN, 2),
        (0, DEARER, 3),
        (3, TOO_SLOW, None),
    ]
    assert found.reasons[0].merit == merit(offers[1], NEED, WEIGHTS)
    assert found.reasons[0].cost == cost(offers[1], NEED, WEIGHTS)
    assert found.reasons[3].merit is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"response_ms": 5_001}, TOO_SLOW),
        ({"holds_ms": 899_999}, TOO_SHORT),
        ({"distance": None}, NOT_CONNECTED),
        ({"reputation": 199}, SUSPENDED),
    ],
)
def test_who_cannot_answer_is_told_why(changes: dict[str, int | None], why: str) -> None:
    found = choose([offer(0, **changes)], NEED, WEIGHTS)
    assert [reason.why for reason in found.reasons] == [why]
    assert not found.enough


def test_the_limits_themselves_are_fit() -> None:
    edge = offer(0, 50_000, response_ms=5_000, holds_ms=900_000, reputation=200)
    assert choose([edge], NEED, WEIGHTS).chosen == (edge,)


@pytest.mark.parametrize(
    "better",
    [
        {"price": 50},
        {"score": 1_000},
        {"reputation": 1_000},
        {"response_ms": 100},
        {"distance": 0},
        {"rested_ms": 7 * DAY_MS},
    ],
)
def test_each_part_alone_decides_between_equals(better: dict[str, int]) -> None:
    plain = offer(0, score=500, reputation=500, distance=5, rested_ms=DAY_MS)
    other = replace(plain, digest=b"\xff" * 32, **better)
    need = Need(30_000, 5_000, 900_000)
    assert choose([plain, other], need, WEIGHTS).chosen == (other,)


def test_merit_stays_between_one_and_a_thousand() -> None:
    best = offer(0, response_ms=0, rested_ms=10**15)
    worst = offer(1, response_ms=5_000, score=0, reputation=0, distance=99)
    assert merit(best, NEED, WEIGHTS) == 1_000
    assert merit(worst, NEED, WEIGHTS) == 1


def test_of_loads_that_ask_nothing_the_better_is_called() -> None:
    poor, good = offer(0, price=0, score=100), offer(1, price=0)
    assert choose([poor, good], Need(30_000, 5_000, 1), WEIGHTS).chosen == (good,)


def test_when_all_together_are_not_enough_all_are_called() -> None:
    found = choose([offer(0, 10_000), offer(1, 20_000)], NEED, WEIGHTS)
    assert (found.enough, found.reached_w, len(found.chosen)) == (False, 30_000, 2)
    assert choose([], NEED, WEIGHTS).reasons == ()


def test_the_order_of_the_offers_does_not_matter() -> None:
    random = Random(7)
    offers = [
        offer(number, random.randrange(1, 9) * 1_000, random.randrange(200), distance=number % 12)
        for number in range(60)
    ]
    found = choose(offers, NEED, WEIGHTS)
    random.shuffle(offers)
    assert choose(offers, NEED, WEIGHTS) == found
