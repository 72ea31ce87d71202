"""What holds for every rule and every load, and a dumb twin of X of Y."""

import random
from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.history import Exclusions
from wattle_gateway.contracts.baseline.local_days import DAY_S, LocalDays, day_of
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Method,
    Quota,
    Rule,
    Selection,
    Window,
)
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH, EnergySeries, rounded
from wattle_testkit.load_days import event

MONDAY = date(2026, 6, 1)
DAYS = 28
EVENT_DAY = date(2026, 6, 25)  # a Thursday
CALLED = event(EVENT_DAY, 17, 19)
EVENT_STARTS = (CALLED.start_s, CALLED.start_s + HOUR_S)
BEFORE = Window(before_from_min=180, before_to_min=60)

RULES = st.builds(
    Rule,
    st.just("any"),
    quota=st.builds(lambda x, more: Quota(x, x + more, 1), st.integers(1, 6), st.integers(0, 6)),
    selection=st.sampled_from(Selection),
    method=st.sampled_from([Method.X_OF_Y, Method.NEAREST, Method.SAME_DAY]),
    window=st.just(BEFORE),
)
ADJUSTED = st.builds(
    lambda rule, kind, up, down: replace(
        rule,
        method=Method.X_OF_Y,
        adjustment=kind,
        cap_up_permille=up,
        cap_down_permille=down,
    ),
    RULES,
    st.sampled_from([AdjustmentKind.ADDITIVE, AdjustmentKind.MULTIPLICATIVE]),
    st.none() | st.integers(0, 500),
    st.none() | st.integers(0, 500),
)


@st.composite
def loads(draw: st.DrawFn) -> EnergySeries:
    """Four weeks of hours in Wh, few different values so that days tie."""
    seed = random.Random(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([1, 7, 100]))
    begin_s = day_of(MONDAY) * DAY_S
    energies = {
        begin_s + hour * HOUR_S: seed.randrange(12) * scale * MJ_PER_WH for hour in range(DAYS * 24)
    }
    return EnergySeries(HOUR_S, energies)


def judge(rule: Rule, series: EnergySeries, exclusions: Exclusions | None = None) -> Baseline:
    return baseline(rule, series, CALLED, LocalDays(), exclusions or Exclusions())


def baselines(found: Baseline) -> list[int]:
    return [entry.baseline_mj for entry in found.intervals]


@settings(deadline=None)
@given(RULES | ADJUSTED, loads(), st.integers(0, 10**9))
def test_what_is_used_in_the_event_does_not_move_its_baseline(
    rule: Rule, series: EnergySeries, other: int
) -> None:
    changed = replace(
        series, energies_mj={**series.energies_mj, **dict.fromkeys(EVENT_STARTS, other)}
    )
    before, after = judge(rule, series), judge(rule, changed)
    assert baselines(before) == baselines(after)
    assert [entry.actual_mj for entry in after.intervals] == [other, other]


@settings(deadline=None)
@given(RULES | ADJUSTED, loads())
def test_nothing_later_moves_a_baseline_that_looks_back(rule: Rule, series: EnergySeries) -> None:
    if rule.method is Method.NEAREST:
        rule = replace(rule, method=Method.X_OF_Y)
    known = {at: e for at, e in series.energies_mj.items() if at < CALLED.start_s}
    assert baselines(judge(rule, series)) == baselines(
        judge(rule, replace(series, energies_mj=known))
    )


@settings(deadline=None)
@given(RULES | ADJUSTED, loads(), st.integers(2, 1_000))
def test_k_times_the_load_has_k_times_the_baseline(
    rule: Rule, series: EnergySeries, times: int
) -> None:
    scaled = replace(series, energies_mj={at: e * times for at, e in series.energies_mj.items()})
    plain, more = judge(rule, series), judge(rule, scaled)
    assert more.days == plain.days
    for one, many in zip(baselines(plain), baselines(more), strict=True):
        assert abs(many - one * times) <= times


@settings(deadline=None)
@given(RULES | ADJUSTED, loads())
def test_a_week_later_everything_is_the_same(rule: Rule, series: EnergySeries) -> None:
    week_s = 7 * DAY_S
    moved = replace(series, energies_mj={at + week_s: e for at, e in series.energies_mj.items()})
    called = replace(CALLED, start_s=CALLED.start_s + week_s, end_s=CALLED.end_s + week_s)
    later = baseline(rule, moved, called, LocalDays(), Exclusions())
    assert baselines(later) == baselines(judge(rule, series))
    assert [day - 7 for day in later.days] == list(judge(rule, series).days)


@settings(deadline=None)
@given(RULES, loads())
def test_an_unadjusted_baseline_lies_between_its_days(rule: Rule, series: EnergySeries) -> None:
    if rule.method is Method.SAME_DAY:
        rule = replace(rule, method=Method.X_OF_Y)
    found = judge(rule, series)
    for entry in found.intervals:
        second = entry.start_s % DAY_S
        same = [series.energies_mj[day * DAY_S + second] for day in found.days]
        assert min(same) <= entry.baseline_mj <= max(same)


@settings(deadline=None)
@given(ADJUSTED, loads())
def test_no_interval_is_adjusted_beyond_the_cap(rule: Rule, series: EnergySeries) -> None:
    for entry in judge(rule, series).intervals:
        room = abs(entry.unadjusted_mj)
        moved = entry.baseline_mj - entry.unadjusted_mj
        if rule.cap_up_permille is not None:
            assert moved * 1_000 <= room * rule.cap_up_permille + 2_000
        if rule.cap_down_permille is not None:
            assert moved * 1_000 >= -room * rule.cap_down_permille - 2_000


@settings(deadline=None)
@given(RULES | ADJUSTED, loads(), st.data())
def test_a_day_that_was_not_a_candidate_may_as_well_be_excluded(
    rule: Rule, series: EnergySeries, data: st.DataObject
) -> None:
    found = judge(rule, series)
    oldest = min(found.days, default=day_of(EVENT_DAY))
    if rule.method is not Method.X_OF_Y or rule.selection is not Selection.ALL:
        oldest = day_of(EVENT_DAY) - 40
    day = data.draw(st.integers(oldest - 10, oldest - 1))
    again = judge(rule, series, Exclusions(other_days=frozenset([day])))
    assert baselines(again) == baselines(found)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5_000), min_size=24, max_size=24))
def test_where_every_day_is_the_same_nothing_was_reduced(day: list[int]) -> None:
    begin_s = day_of(MONDAY) * DAY_S
    series = EnergySeries(
        HOUR_S,
        {begin_s + hour * HOUR_S: day[hour % 24] * MJ_PER_WH for hour in range(DAYS * 24)},
    )
    for preset in PRESETS.values():
        if preset.rule.method in (Method.X_OF_Y, Method.NEAREST):
            assert judge(preset.rule, series).reduction_wh == 0


@settings(deadline=None)
@given(ADJUSTED | RULES, loads(), st.sets(st.integers(1, DAYS), max_size=12))
def test_x_of_y_equals_its_dumb_twin(rule: Rule, series: EnergySeries, out: set[int]) -> None:
    rule = replace(rule, method=Method.X_OF_Y)
    excluded = frozenset(day_of(EVENT_DAY) - back for back in out)
    if len(weekdays(excluded)) == 0:
        return
    found = judge(rule, series, Exclusions(other_days=excluded))
    assert baselines(found) == twin(rule, series, excluded)


def weekdays(excluded: frozenset[int]) -> list[int]:
    days = [day_of(EVENT_DAY) - back for back in range(1, 25)]
    return [day for day in days if (day + 3) % 7 < 5 and day not in excluded]


def twin(rule: Rule, series: EnergySeries, excluded: frozenset[int]) -> list[int]:
    """X of Y written straight down: lists of days, plain sums."""

    def at(day: int, hour: int) -> int:
        return series.energies_mj[day * DAY_S + hour * HOUR_S]

    pool = weekdays(excluded)[: rule.quota.y]
    rising = sorted(pool, key=lambda day: (at(day, 17) + at(day, 18), day))
    count = min(rule.quota.x, len(pool))
    if rule.selection is Selection.ALL:
        chosen = pool[:count]
    elif rule.selection is Selection.HIGH:
        chosen = rising[len(rising) - count :]
    else:
        below = (len(pool) - count) // 2
        chosen = rising[below : below + count]

    def mean(hour: int) -> Fraction:
        return Fraction(sum(at(day, hour) for day in chosen), len(chosen))

    today = day_of(EVENT_DAY)
    actual = Fraction(at(today, 14) + at(today, 15))
    base = mean(14) + mean(15)
    values = []
    for hour in (17, 18):
        value = mean(hour)
        wanted = value
        if rule.adjustment is AdjustmentKind.ADDITIVE:
            wanted = value + (actual - base) / 2
        elif rule.adjustment is AdjustmentKind.MULTIPLICATIVE and base > 0:
            wanted = value * actual / base
        if rule.cap_up_permille is not None:
            wanted = min(wanted, value * (1_000 + rule.cap_up_permille) / 1_000)
        if rule.cap_down_permille is not None:
            wanted = max(wanted, value * (1_000 - rule.cap_down_permille) / 1_000)
        values.append(rounded(wanted.numerator, wanted.denominator))
    return values


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_that_of_exact_halves_to_even(numerator: int, denominator: int) -> None:
    assert rounded(numerator, denominator) == round(Fraction(numerator, denominator))
