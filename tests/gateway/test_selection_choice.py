"""Why a load is called or not (DEMAND_RESPONSE.md, D24, D26)."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
from wattle_gateway.ledger import area

NEED = Need(50_000, 5_000, 900_000)
WEIGHTS = Weights()
DAY_MS = 86_400_000
PLACES = ("a", "a/1", "a/1/x", "a/1/y", "a/2", "a/2/x/z", "b/1")


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
    assert found.reasons[0].cost == cost(offers[1], merit(offers[1], NEED, WEIGHTS))
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


@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.integers(1, 30),
            st.integers(0, 200),
            st.integers(0, 1_000),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([area.EVERYWHERE, *PLACES]),
    st.integers(1, 100),
)
def test_with_distances_few_are_chosen_as_trying_every_set_would(
    rows: list[tuple[str, int, int, int]], place: str, need_w: int
) -> None:
    weights = Weights(nearness=6, far=4)
    offers = [
        offer(number, quota_w, price, score=score, distance=area.distance(where, place))
        for number, (where, quota_w, price, score) in enumerate(rows)
    ]
    need = Need(need_w, 5_000, 900_000)
    found = choose(offers, need, weights)
    joined = [one for one in offers if one.distance is not None]
    assert {reason.offer for reason in found.reasons if reason.why == NOT_CONNECTED} == {
        one for one in offers if one.distance is None
    }
    sets = [
        some
        for size in range(1, len(joined) + 1)
        for some in combinations(joined, size)
        if sum(one.quota_w for one in some) >= need_w
    ]
    assert found.enough == bool(sets)
    if sets:
        least = min(sum(worked_cost(one, weights) for one in some) for some in sets)
        assert sum(worked_cost(one, weights) for one in found.chosen) == least
    else:
        assert set(found.chosen) == set(joined)


def worked_cost(one: Offer, weights: Weights) -> int:
    """D24 in fractions, rounded down where it says so: an offer that answers in 2 of 5 s, is
    trusted fully and was called a moment ago."""
    near = 1_000 * (weights.far - min(weights.far, one.distance or 0)) // weights.far
    parts = 4 * one.score + 2 * 1_000 + 2 * 600 + weights.nearness * near
    worth = max(1, int(Fraction(parts, 4 + 2 + 2 + weights.nearness + 1)))
    return int(Fraction((one.price + 1) * one.quota_w * 1_000, worth))


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
