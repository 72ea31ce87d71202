"""The same-day adjustment and its cap, on days that can be checked by hand."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.baseline.local_days import date_of, day_of
from wattle_gateway.contracts.baseline.rule import AdjustmentKind, Window
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH, EnergySeries
from wattle_testkit.judged_event import BEFORE, EVENT_DAY, FIRST, PLAIN, hours_wh, judge
from wattle_testkit.load_days import Load, event


def evening(day: int, hour: int) -> int:
    """1000 in each hour; on the day of the event 1300 before noon, 1600 later."""
    if date_of(day) != EVENT_DAY:
        return 1_000
    return 1_300 if hour < 12 else 1_600


@pytest.mark.parametrize(
    ("kind", "cap", "expected"),
    [
        (AdjustmentKind.NONE, None, 1_000),
        (AdjustmentKind.MULTIPLICATIVE, None, 1_600),
        (AdjustmentKind.MULTIPLICATIVE, 200, 1_200),
        (AdjustmentKind.ADDITIVE, None, 1_600),
        (AdjustmentKind.ADDITIVE, 500, 1_500),
    ],
)
def test_the_adjustment_moves_the_baseline_up_to_its_cap(
    kind: AdjustmentKind, cap: int | None, expected: int
) -> None:
    rule = replace(
        PLAIN, adjustment=kind, window=BEFORE, cap_up_permille=cap, cap_down_permille=cap
    )
    found = judge(rule, evening)
    assert hours_wh(found) == [expected] * 3
    assert found.adjusted.kind is kind
    assert found.adjusted.is_capped is (cap is not None)
    assert {entry.unadjusted_mj for entry in found.intervals} == {1_000 * MJ_PER_WH}


def test_additive_and_multiplicative_differ_where_the_day_has_a_shape() -> None:
    def load(day: int, hour: int) -> int:
        shape = 1_000 if hour < 17 else 3_000
        return shape * 3 // 2 if date_of(day) == EVENT_DAY else shape

    ratio = replace(PLAIN, adjustment=AdjustmentKind.MULTIPLICATIVE, window=BEFORE)
    assert hours_wh(judge(ratio, load)) == [4_500] * 3
    shift = replace(PLAIN, adjustment=AdjustmentKind.ADDITIVE, window=BEFORE)
    assert hours_wh(judge(shift, load)) == [3_500] * 3


def test_caps_may_differ_up_and_down() -> None:
    rule = replace(
        PLAIN,
        adjustment=AdjustmentKind.MULTIPLICATIVE,
        window=BEFORE,
        cap_up_permille=0,
        cap_down_permille=None,
    )
    assert hours_wh(judge(rule, evening)) == [1_000] * 3

    def less(day: int, hour: int) -> int:
        return 400 if date_of(day) == EVENT_DAY else 1_000

    assert hours_wh(judge(rule, less)) == [400] * 3


def test_hours_after_the_event_adjust_too() -> None:
    rule = replace(
        PLAIN,
        adjustment=AdjustmentKind.ADDITIVE,
        window=Window(before_from_min=120, before_to_min=60, after_from_min=60, after_to_min=120),
    )

    def load(day: int, hour: int) -> int:
        if date_of(day) != EVENT_DAY:
            return 1_000
        return {15: 1_100, 21: 1_300}.get(hour, 0)

    assert hours_wh(judge(rule, load)) == [1_200] * 3


def test_without_a_measured_window_nothing_is_adjusted_and_the_reason_is_told() -> None:
    rule = replace(PLAIN, adjustment=AdjustmentKind.MULTIPLICATIVE, window=BEFORE)

    def lost(day: int, hour: int) -> int | None:
        return None if date_of(day) == EVENT_DAY and hour == 15 else 1_000

    found = judge(rule, lost)
    assert found.adjusted.reason == "the window was not measured on the event day"
    assert hours_wh(found) == [1_000] * 3

    def idle(day: int, hour: int) -> int:
        return 0 if hour < 17 else 1_000

    found = judge(rule, idle)
    assert found.adjusted.reason == "no ratio: nothing was drawn in the window"
    assert hours_wh(found) == [1_000] * 3


def test_a_window_may_lack_an_interval_if_the_rule_allows_it() -> None:
    rule = replace(
        PLAIN,
        adjustment=AdjustmentKind.ADDITIVE,
        window=BEFORE,
        least_intervals_permille=500,
    )

    def lost(day: int, hour: int) -> int | None:
        if date_of(day) == EVENT_DAY:
            return None if hour == 15 else 1_300
        # The only hour left to compare, 14 o'clock, was measured on two of the days.
        return None if hour == 14 and date_of(day).day in (9, 13) else 1_000

    found = judge(rule, lost)
    assert hours_wh(found) == [1_300] * 3
    assert (found.adjusted.window_actual_mj, found.adjusted.window_baseline_mj) == (
        1_300 * MJ_PER_WH,
        1_000 * MJ_PER_WH,
    )


def test_a_rule_without_adjustment_needs_no_window() -> None:
    def lost(day: int, hour: int) -> int | None:
        return None if hour == 15 else 1_000

    assert hours_wh(judge(replace(PLAIN, window=BEFORE), lost)) == [1_000] * 3


def test_a_day_without_load_before_the_event_has_no_baseline_left_by_ratio() -> None:
    ratio = replace(PLAIN, adjustment=AdjustmentKind.MULTIPLICATIVE, window=BEFORE)

    def own(energy_wh: int) -> Load:
        return lambda day, hour: energy_wh if date_of(day) == EVENT_DAY else 1_000

    assert hours_wh(judge(ratio, own(0))) == [0] * 3
    # Feeding into the grid says nothing about what would have been drawn.
    assert hours_wh(judge(ratio, own(-5))) == [1_000] * 3
    assert hours_wh(judge(replace(ratio, cap_down_permille=300), own(0))) == [700] * 3


def test_a_window_ends_where_it_says() -> None:
    """Quarters of an hour: 30 to 15 minutes before the event, and 15 to 30 after it."""
    first_s, quarter_s = day_of(FIRST) * 24 * HOUR_S, 900
    called = event(EVENT_DAY, 17, 20)
    counted = (called.start_s - 2 * quarter_s, called.end_s + quarter_s)
    energies = {
        at: (1_600 if at in counted else 9_000 if at >= called.start_s - HOUR_S else 1_000)
        * MJ_PER_WH
        for at in range(first_s, called.end_s + HOUR_S, quarter_s)
    }
    rule = replace(
        PLAIN,
        adjustment=AdjustmentKind.ADDITIVE,
        window=Window(before_from_min=30, before_to_min=15, after_from_min=15, after_to_min=30),
    )
    found = judge(rule, EnergySeries(quarter_s, energies), called=called)
    assert hours_wh(found) == [1_600] * 12
    assert found.adjusted.window_actual_mj == 3_200 * MJ_PER_WH
