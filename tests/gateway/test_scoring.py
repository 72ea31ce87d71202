"""Scores (DEMAND_RESPONSE.md, D27 to D31): bounds, directions, and that no order counts."""

import random
import statistics
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.scoring.parts import (
    Kept,
    Parts,
    Performance,
    absolute,
    accuracy,
    bearing,
    parts,
    speed,
    together,
)
from wattle_gateway.contracts.scoring.score import event_scores, horizontal, score, vertical
from wattle_gateway.ledger.market import Market

MARKET = Market()
QUARTER_S = 900
ANA, BEN, CLEO, DORA = (bytes([n]) * 8 for n in range(1, 5))

permille = st.integers(0, 1000)
marks = st.lists(permille, max_size=64)
quotas_w = st.integers(1, 10**12)
intervals_s = st.sampled_from([1, 60, 225, 300, 900, 3600])
kept = st.builds(
    Kept,
    st.integers(0, 10**6),
    st.none() | st.integers(-(10**12), 10**12),
    weight=permille,
    bearing=permille,
)
performances = st.builds(
    Performance,
    intervals_s,
    st.lists(kept, min_size=1, max_size=12).map(tuple),
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
).filter(lambda one: one.promised_w > 0)
markets = st.builds(
    Market,
    k_accuracy=st.integers(1, 1000),
    k_availability=permille,
    k_speed=permille,
    m_absolute=st.integers(1, 1000),
    m_vertical=permille,
    m_horizontal=permille,
    deadband_permille=permille,
    credit_max_permille=st.integers(1000, 10_000),
    decay_permille=permille,
    mad_floor=st.integers(1, 1000),
    history_events=st.integers(1, 64),
)


def quarter(quota_w: int, delivered_w: int | None, weight: int = 1000) -> Kept:
    """A quarter of an hour at a constant power."""
    return Kept(quota_w, None if delivered_w is None else delivered_w * QUARTER_S * 1000, weight)


@pytest.mark.parametrize(
    ("delivered_w", "expected"),
    [
        (10_000, 1000),
        (9_500, 1000),  # at the edge of the deadband of 5 %
        (9_499, 1000),  # 0.1 permille beyond it
        (9_490, 999),
        (5_000, 550),
        (0, 50),
        (-500, 0),
        (-50_000, 0),
        (10_500, 1000),
        (12_000, 850),
        (30_000, 850),  # what is above 120 % is not looked at
    ],
)
def test_accuracy_falls_by_what_lies_beyond_the_deadband(delivered_w: int, expected: int) -> None:
    assert accuracy(quarter(10_000, delivered_w), QUARTER_S, MARKET) == expected


@given(quotas_w, intervals_s, st.fractions(0, 3), markets)
def test_accuracy_is_a_fraction_rounded_once(
    quota_w: int, interval_s: int, share: Fraction, market: Market
) -> None:
    asked_mj = quota_w * interval_s * 1000
    given_mj = int(share * asked_mj)
    counted = min(Fraction(given_mj), Fraction(asked_mj * market.credit_max_permille, 1000))
    beyond = abs(counted - asked_mj) / asked_mj - Fraction(market.deadband_permille, 1000)
    expected = max(0, 1000 - int(max(Fraction(0), beyond) * 1000))
    assert accuracy(Kept(quota_w, given_mj), interval_s, market) == expected


@given(quotas_w, intervals_s, st.integers(-(10**18), 10**18), st.integers(0, 10**15), markets)
def test_nearer_to_the_quota_is_not_less_accurate(
    quota_w: int, interval_s: int, off_mj: int, nearer_mj: int, market: Market
) -> None:
    asked_mj = quota_w * interval_s * 1000
    nearer = max(0, abs(off_mj) - nearer_mj) * (1 if off_mj >= 0 else -1)
    far = accuracy(Kept(quota_w, asked_mj + off_mj), interval_s, market)
    near = accuracy(Kept(quota_w, asked_mj + nearer), interval_s, market)
    assert 0 <= far <= near <= 1000


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_slower_is_not_better(allowed_ms: int, taken_ms: int, more_ms: int) -> None:
    fast, slow = speed(allowed_ms, taken_ms), speed(allowed_ms, taken_ms + more_ms)
    assert 0 == speed(allowed_ms, None) <= slow <= fast <= 1000
    assert speed(allowed_ms, min(taken_ms, allowed_ms)) == 1000


def test_who_answers_in_twice_the_time_has_half_the_speed() -> None:
    assert speed(2_000, 4_000) == 500
    assert speed(0, 1) == 0


def test_what_was_measured_bears_on_a_reputation_by_what_it_promised() -> None:
    sure, doubtful = Kept(3_000, 1), Kept(1_000, 1, bearing=200)
    unmeasured = Kept(5_000, None, bearing=0)
    first = Performance(QUARTER_S, (sure, unmeasured), 1_000, 1_000)
    second = Performance(QUARTER_S, (doubtful,), 1_000, 1_000)
    assert bearing([first, second]) == (3_000 * 1_000 + 1_000 * 200) // 4_000
    assert bearing([second]) == 200
    assert bearing([replace(first, intervals=(unmeasured,))]) == 1_000


@given(st.lists(performances, min_size=1, max_size=4))
def test_a_bearing_lies_between_what_it_is_made_of(several: list[Performance]) -> None:
    known = [
        one.bearing
        for performance in several
        for one in performance.intervals
        if one.adjustment_mj is not None and one.quota_w
    ]
    assert min(known, default=1_000) <= bearing(several) <= max(known, default=1_000)


def test_an_unmeasured_interval_costs_availability_and_leaves_accuracy_alone() -> None:
    whole = Performance(QUARTER_S, (quarter(100, 100), quarter(100, 100)), 1000, 1000)
    half = replace(whole, intervals=(quarter(100, 100), quarter(100, None)))
    assert parts(whole, MARKET) == Parts(1000, 1000, 1000, 200)
    assert parts(half, MARKET) == Parts(1000, 500, 1000, 200)


def test_a_doubtful_interval_counts_by_its_weight() -> None:
    doubtful = Performance(QUARTER_S, (quarter(100, 100), quarter(100, 0, weight=500)), 1000, 1000)
    # (1000 * 1000 + 500 * 50) / 1500 and (1000 + 500) / 2
    assert parts(doubtful, MARKET) == Parts(683, 750, 1000, 200)


def test_an_interval_without_a_quota_counts_for_nothing() -> None:
    with_pause = Performance(QUARTER_S, (quarter(100, 100), quarter(0, 77)), 1000, 1000)
    assert parts(with_pause, MARKET) == Parts(1000, 1000, 1000, 100)


@given(performances, markets)
def test_every_part_is_within_bounds(performance: Performance, market: Market) -> None:
    found = parts(performance, market)
    for part in (found.accuracy, found.availability, found.speed, absolute(found, market)):
        assert 0 <= part <= 1000


@given(performances, st.randoms(use_true_random=False))
def test_the_order_of_intervals_is_nothing(
    performance: Performance, shuffled: random.Random
) -> None:
    intervals = list(performance.intervals)
    shuffled.shuffle(intervals)
    other = replace(performance, intervals=tuple(intervals))
    assert parts(other, MARKET) == parts(performance, MARKET)


@given(performances, st.integers(0, 11), markets)
def test_measuring_one_more_interval_does_not_lower_availability(
    performance: Performance, at: int, market: Market
) -> None:
    intervals = list(performance.intervals)
    at %= len(intervals)
    intervals[at] = replace(intervals[at], adjustment_mj=None)
    silent = replace(performance, intervals=tuple(intervals))
    assert parts(silent, market).availability <= parts(performance, market).availability


@given(st.lists(performances, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_resources_is_nothing(
    several: list[Performance], shuffled: random.Random
) -> None:
    found = [parts(one, MARKET) for one in several]
    mixed = list(found)
    shuffled.shuffle(mixed)
    joined = together(mixed)
    assert joined == together(found)
    for name in ("accuracy", "availability", "speed"):
        numbers = [getattr(one, name) for one in found]
        assert min(numbers) <= getattr(joined, name) <= max(numbers)


def test_many_small_loads_do_not_hide_a_large_one() -> None:
    small = Parts(1000, 1000, 1000, 10)
    large = Parts(0, 0, 0, 9_900)
    assert together([small] * 10 + [large]) == Parts(10, 10, 10, 10_000)


@given(permille, marks, permille)
def test_vertical_is_the_decayed_mean_rounded_once(mark: int, past: list[int], decay: int) -> None:
    found = vertical(mark, past, decay)
    if not past:
        assert found == 500
        return
    weights = [Fraction(decay, 1000) ** back for back in range(len(past))]
    mean = sum(w * one for w, one in zip(weights, past, strict=True)) / sum(weights)
    assert found == max(0, min(1000, 500 + int((mark - mean) / 2)))


@given(permille, st.lists(permille, min_size=1, max_size=64))
def test_who_does_as_always_is_in_the_middle(mark: int, past: list[int]) -> None:
    assert vertical(mark, [mark] * len(past), 900) == 500


@given(permille, permille, marks, permille)
def test_a_better_mark_is_not_below_a_worse_one(
    one: int, other: int, known: list[int], decay: int
) -> None:
    low, high = sorted((one, other))
    assert vertical(low, known, decay) <= vertical(high, known, decay)
    assert horizontal(low, known, 50) <= horizontal(high, known, 50)


@given(permille, st.lists(permille, min_size=3, max_size=64), st.integers(1, 1000))
def test_horizontal_is_by_median_and_mad(mark: int, others: list[int], floor: int) -> None:
    median = Fraction(statistics.median(map(Fraction, others)))
    mad = Fraction(statistics.median(abs(other - median) for other in map(Fraction, others)))
    expected = 500 + int(250 * (mark - median) / max(mad, floor))
    assert horizontal(mark, others, floor) == max(0, min(1000, expected))


@given(permille, st.lists(permille, max_size=2))
def test_one_or_two_others_say_nothing(mark: int, others: list[int]) -> None:
    assert horizontal(mark, others, 50) == 500


def exact(quota_w: int = 1_000, delivered_w: int | None = 1_000) -> Performance:
    return Performance(QUARTER_S, (quarter(quota_w, delivered_w),) * 4, 2_000, 1_500)


def test_an_event_scores_everybody_by_kid() -> None:
    found = event_scores(
        {DORA: [exact(), exact()], BEN: [exact(1_000, 500)], ANA: [exact()], CLEO: [exact()]},
        {BEN: [1000, 1000]},
        MARKET,
    )
    assert list(found) == [ANA, BEN, CLEO, DORA]
    assert found[ANA].absolute == found[DORA].absolute == 1000
    # Others of ana: 730, 1000, 1000: the median is 1000.
    assert (found[ANA].vertical, found[ANA].horizontal) == (500, 500)
    assert (found[BEN].accuracy, found[BEN].absolute) == (550, 730)
    assert (found[BEN].vertical, found[BEN].horizontal) == (365, 0)
    assert found[BEN].value == (600 * 730 + 200 * 365) // 1000


def test_who_promised_nothing_while_called_has_no_score() -> None:
    found = event_scores({ANA: [exact(0)], BEN: [exact(), exact(0)], CLEO: []}, {}, MARKET)
    assert list(found) == [BEN]
    assert found[BEN].accuracy == 1000


@given(st.lists(performances, min_size=2, max_size=8), markets, st.randoms(use_true_random=False))
def test_the_order_of_parties_is_nothing(
    several: list[Performance], market: Market, shuffled: random.Random
) -> None:
    entries = [(bytes([n]) * 8, [one]) for n, one in enumerate(several)]
    mixed = list(entries)
    shuffled.shuffle(mixed)
    assert event_scores(dict(mixed), {}, market) == event_scores(dict(entries), {}, market)


@given(permille, permille, permille, marks, marks, markets)
def test_every_score_is_within_bounds(
    a: int, v: int, s: int, past: list[int], others: list[int], market: Market
) -> None:
    found = score(Parts(a, v, s, 1), market, past, others)
    for number in (found.absolute, found.vertical, found.horizontal, found.value):
        assert 0 <= number <= 1000


@given(permille, permille, permille, permille, marks, marks, markets)
def test_a_better_part_is_not_a_lower_score(
    a: int, more: int, v: int, s: int, past: list[int], others: list[int], market: Market
) -> None:
    low = score(Parts(min(a, more), v, s, 1), market, past, others)
    high = score(Parts(max(a, more), v, s, 1), market, past, others)
    assert low.value <= high.value


def test_only_the_last_events_count() -> None:
    market = replace(MARKET, history_events=2)
    found = score(Parts(1000, 1000, 1000, 1), market, [800, 800, 0, 0], [])
    assert found.vertical == 600
