"""The baseline engine on days that can be checked by hand."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.errors import EventError, HistoryError
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import UTC, LocalDays, Zone, date_of, days_of
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    RankBy,
    Rule,
    Selection,
    Window,
)
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH, EnergySeries
from wattle_testkit.load_days import BERLIN_2026, Load, event, hourly

FIRST = date(2026, 6, 1)  # a Monday
EVENT_DAY = date(2026, 7, 15)  # a Wednesday
PLAIN = Rule("plain", quota=Quota(4, 4, 1))
BEFORE = Window(before_from_min=180, before_to_min=60)


def judge(
    rule: Rule,
    load: Load | EnergySeries,
    *,
    called: Event | None = None,
    zone: Zone = UTC,
    holidays: Iterable[date] = (),
    past_events: Iterable[date] = (),
    excluded: Iterable[date] = (),
    control: Iterable[EnergySeries] = (),
) -> Baseline:
    series = load if isinstance(load, EnergySeries) else hourly(load, FIRST, 60, zone)
    return baseline(
        rule,
        series,
        called or event(EVENT_DAY, 17, 20, zone),
        LocalDays(zone, days_of(holidays)),
        Exclusions(days_of(past_events), days_of(excluded)),
        tuple(control),
    )


def number(day: int, hour: int) -> int:
    """A thousand a day of the month, one an hour: says where an energy came from."""
    return 1_000 * date_of(day).day + hour


def taken(found: Baseline) -> list[int]:
    """The days of the month."""
    return [date_of(day).day for day in found.days]


def hours_wh(found: Baseline) -> list[int]:
    return [entry.baseline_mj // MJ_PER_WH for entry in found.intervals]


def test_all_of_y_takes_the_most_recent_like_days() -> None:
    found = judge(PLAIN, number)
    assert taken(found) == [14, 13, 10, 9]  # 11 and 12 July are a weekend
    assert hours_wh(found) == [11_517, 11_518, 11_519]
    assert (found.baseline_wh, found.actual_wh) == (34_554, 45_054)
    assert found.reduction_wh == -10_500


def test_high_and_middle_days_are_ranked_by_the_hours_of_the_event() -> None:
    energies = {14: 50, 13: 90, 10: 10, 9: 30, 8: 70}

    def load(day: int, hour: int) -> int:
        # Outside the event the order is the other way round.
        month_day = date_of(day).day
        return energies.get(month_day, 0) if 17 <= hour < 20 else 200 - energies.get(month_day, 0)

    high = Rule("high", quota=Quota(2, 5, 5), selection=Selection.HIGH)
    assert taken(judge(high, load)) == [13, 8]
    assert taken(judge(replace(high, rank_by=RankBy.DAY), load)) == [10, 9]
    middle = replace(high, selection=Selection.MIDDLE, quota=Quota(3, 5, 5))
    assert taken(judge(middle, load)) == [14, 9, 8]
    # An odd one more goes at the high end.
    assert taken(judge(replace(middle, quota=Quota(4, 5, 5)), load)) == [14, 10, 9, 8]


def test_of_equal_days_the_more_recent_is_the_higher() -> None:
    high = Rule("high", quota=Quota(2, 4, 4), selection=Selection.HIGH)
    assert taken(judge(high, lambda day, hour: 5)) == [14, 13]
    assert taken(judge(replace(high, selection=Selection.MIDDLE), lambda day, hour: 5)) == [13, 10]


def test_holidays_events_and_excluded_days_make_no_baseline() -> None:
    found = judge(
        PLAIN,
        number,
        holidays=[date(2026, 7, 14)],
        past_events=[date(2026, 7, 13)],
        excluded=[date(2026, 7, 9)],
    )
    assert taken(found) == [10, 8, 7, 6]
    reasons = {date_of(day).day: reason for day, reason in found.passed_over}
    # The holiday is no like day at all.
    assert reasons == {13: "event day", 9: "excluded"}


def test_a_day_that_was_not_measured_or_estimated_makes_no_baseline() -> None:
    measured = hourly(number, FIRST, 60)
    lost = event(date(2026, 7, 14), 18, 19).start_s
    guessed = event(date(2026, 7, 10), 19, 20).start_s
    energies = {at: value for at, value in measured.energies_mj.items() if at != lost}
    series = EnergySeries(HOUR_S, energies, frozenset([guessed]))
    found = judge(PLAIN, series)
    assert taken(found) == [13, 9, 8, 7]
    assert {reason for _, reason in found.passed_over} == {"not measured completely"}
    lenient = judge(replace(PLAIN, least_intervals_permille=600), series)
    assert taken(lenient) == [14, 13, 10, 9]
    # The mean of an interval is that of the days that have it.
    assert hours_wh(lenient)[1] == (13_018 + 10_018 + 9_018) // 3


def test_an_estimated_interval_counts_as_measured_in_the_event() -> None:
    series = replace(
        hourly(number, FIRST, 60), substituted=frozenset([event(EVENT_DAY, 18, 19).start_s])
    )
    assert judge(PLAIN, series).actual_wh == 45_054


def test_an_unmeasured_interval_of_the_event_is_not_zero() -> None:
    lost = event(EVENT_DAY, 18, 19).start_s
    measured = hourly(number, FIRST, 60)
    partly = replace(
        measured, energies_mj={at: e for at, e in measured.energies_mj.items() if at != lost}
    )
    found = judge(PLAIN, partly)
    assert [entry.actual_mj is None for entry in found.intervals] == [False, True, False]
    assert (found.baseline_wh, found.actual_wh) == (11_517 + 11_519, 15_017 + 15_019)
    to_come = hourly(number, FIRST, 44)
    found = judge(PLAIN, to_come)
    assert (found.baseline_wh, found.actual_wh, found.reduction_wh) == (34_554, None, None)


def test_low_usage_gives_way_to_older_days() -> None:
    energies = {13: 18}

    def load(day: int, hour: int) -> int:
        return energies.get(date_of(day).day, 100)

    rule = replace(PLAIN, low_usage_permille=250)
    found = judge(rule, load)
    assert taken(found) == [14, 10, 9, 8]
    assert [reason for _, reason in found.passed_over] == ["low usage"]
    # The bound is a quarter of the mean of all four, which is 79.5.
    assert taken(judge(replace(PLAIN, low_usage_permille=220), load)) == [14, 13, 10, 9]


def test_the_look_back_bounds_the_search_and_too_few_days_are_told() -> None:
    rule = Rule("short", quota=Quota(10, 10, 5), look_back_days=5)
    with pytest.raises(
        HistoryError,
        match=r"3 eligible days \(business day\) in the 6 days before 2026-07-15, expected at "
        r"least 5; passed over: 1 excluded",
    ):
        judge(replace(rule, look_back_days=6), number, excluded=[date(2026, 7, 9)])
    assert taken(judge(replace(rule, quota=Quota(10, 10, 3)), number)) == [14, 13, 10]
    skipping = replace(rule, quota=Quota(10, 10, 1), skip_days=2)
    assert taken(judge(skipping, number)) == [10]


def test_fewer_days_than_y_keep_high_and_middle_in_proportion() -> None:
    middle = Rule("middle", quota=Quota(8, 10, 5), selection=Selection.MIDDLE, look_back_days=13)
    nine = judge(middle, number)
    assert taken(nine) == [13, 10, 9, 8, 7, 6, 3, 2]  # the 14th is the highest of nine
    assert taken(judge(replace(middle, look_back_days=7), number)) == [14, 13, 10, 9, 8]


def test_the_fallback_takes_event_days_with_the_highest_energy() -> None:
    rule = Rule("back", quota=Quota(5, 5, 3), look_back_days=7, fallback=Fallback.EVENT_DAYS)
    past = [date(2026, 7, day) for day in (14, 13, 10, 9)]
    found = judge(rule, number, past_events=past)
    assert (taken(found), found.fell_back) == ([14, 13, 10, 9, 8], True)
    shorter = replace(rule, quota=Quota(2, 2, 2))
    assert taken(judge(shorter, number, past_events=past)) == [14, 8]
    enough = judge(rule, number, past_events=past[:1])
    assert (taken(enough), enough.fell_back) == ([13, 10, 9, 8], False)
    with pytest.raises(HistoryError):
        judge(replace(rule, fallback=Fallback.REFUSE), number, past_events=past)
    with pytest.raises(HistoryError):
        judge(rule, number, excluded=past)


def test_the_fallback_may_be_the_day_itself() -> None:
    rule = Rule(
        "back", quota=Quota(5, 5, 5), look_back_days=2, fallback=Fallback.SAME_DAY, window=BEFORE
    )
    found = judge(rule, number)
    assert found.fell_back
    assert found.days == ()
    assert hours_wh(found) == [15_014] * 3  # of 14 and 15 o'clock: 15,014.5


def test_weekends_may_have_a_quota_of_their_own() -> None:
    saturday = event(date(2026, 7, 18), 17, 20)
    preset = PRESETS["caiso-10-of-10"].rule
    assert taken(judge(preset, number, called=saturday)) == [12, 11, 5, 4]
    preset = PRESETS["pjm-high-4-of-5"].rule
    assert taken(judge(preset, number, called=saturday)) == [11, 27]  # of 11 and 4 July, 27 June
    sunday = event(date(2026, 7, 19), 17, 20)
    found = judge(preset, number, called=sunday, holidays=[date(2026, 7, 14)])
    assert taken(found) == [14, 12]


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


def test_same_day_3_plus_2_skips_an_hour_on_each_side() -> None:
    # PJM's example: for hours ending 13 to 17, hours ending 9 to 11 and 19 to 20.
    counted = {8: 100, 9: 200, 10: 300, 18: 400, 19: 500}

    def load(day: int, hour: int) -> int:
        return counted.get(hour, 9_999) if date_of(day) == EVENT_DAY else 7_777

    found = judge(PRESETS["same-day-3-plus-2"].rule, load, called=event(EVENT_DAY, 12, 17))
    assert hours_wh(found) == [300] * 5
    assert (found.baseline_wh, found.days) == (1_500, ())
    with pytest.raises(HistoryError, match="4 of 5 intervals around the event are measured"):
        judge(
            PRESETS["same-day-3-plus-2"].rule,
            lambda day, hour: None if hour == 19 else 1,
            called=event(EVENT_DAY, 12, 17),
        )


def test_nearest_days_are_those_of_the_most_similar_other_hours() -> None:
    levels = {14: 900, 13: 480, 10: 500, 9: 530, 8: 2_000}

    def load(day: int, hour: int) -> int:
        month_day = date_of(day).day
        if 17 <= hour < 20:
            return month_day
        if hour in (16, 20):
            return 5_000 * month_day  # beside the event: not compared
        return 500 if month_day == 15 else levels.get(month_day, 10_000)

    rule = replace(PRESETS["pjm-match-day-3"].rule, quota=Quota(3, 5, 3))
    found = judge(rule, load)
    assert taken(found) == [13, 10, 9]
    assert hours_wh(found) == [32 // 3] * 3
    wider = replace(rule, match_gap_min=0)
    assert taken(judge(wider, load)) == [14, 13, 10]


def test_a_control_group_stands_for_the_point_scaled_by_the_hours_before() -> None:
    def member(scale: int) -> EnergySeries:
        return hourly(lambda day, hour: scale * (10 if hour < 17 else 30), FIRST, 60)

    def own(day: int, hour: int) -> int:
        return 1_200 if hour < 17 else 1_500

    rule = PRESETS["control-group"].rule
    found = judge(rule, own, control=[member(10), member(30)])
    # Mean 200 before and 600 in the event; the point draws six times as much.
    assert hours_wh(found) == [3_600] * 3
    assert found.reduction_wh == 3 * (3_600 - 1_500)
    plain = replace(rule, adjustment=AdjustmentKind.NONE)
    assert hours_wh(judge(plain, own, control=[member(10), member(30)])) == [600] * 3
    empty = EnergySeries(HOUR_S, {})
    assert hours_wh(judge(plain, own, control=[member(10), empty])) == [300] * 3
    with pytest.raises(HistoryError, match="too few of the control group"):
        judge(plain, own, control=[member(10), empty, empty])
    with pytest.raises(HistoryError, match="0 points in the control group"):
        judge(plain, own)
    quarters = EnergySeries(900, dict.fromkeys(range(0, 9000, 900), 1))
    with pytest.raises(EventError, match="other intervals"):
        judge(plain, own, control=[quarters])


def test_rounding_is_half_to_even_once() -> None:
    def load(day: int, hour: int) -> int:
        return {14: 0, 13: 1}.get(date_of(day).day, 0)

    def at_mj(half_mj: int) -> int:
        series = hourly(load, FIRST, 60)
        scaled = {at: e // MJ_PER_WH * half_mj for at, e in series.energies_mj.items()}
        found = judge(Rule("two", quota=Quota(2, 2, 2)), replace(series, energies_mj=scaled))
        return found.intervals[0].baseline_mj

    assert [at_mj(value) for value in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]


# --- clocks that change -------------------------------------------------------------------------


def clock(day: int, hour: int) -> int:
    """The hour on the wall."""
    return hour


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 15), 24)]
)
def test_other_days_are_read_at_the_same_time_on_the_clock(day: date, hours: int) -> None:
    series = hourly(clock, day - timedelta(days=40), 41, BERLIN_2026)
    whole_day = event(day, 0, 24, BERLIN_2026)
    rule = Rule("like", quota=Quota(4, 4, 4))
    found = judge(rule, series, called=whole_day, zone=BERLIN_2026)
    assert len(found.intervals) == hours
    # Whatever the day's length: what stands for an hour is the hour of the same name.
    assert [entry.baseline_mj for entry in found.intervals] == [
        entry.actual_mj for entry in found.intervals
    ]


def test_a_day_whose_clock_skips_the_hour_is_no_candidate() -> None:
    series = hourly(clock, date(2026, 3, 1), 40, BERLIN_2026)
    rule = Rule("like", quota=Quota(2, 2, 2))
    found = judge(rule, series, called=event(date(2026, 4, 4), 2, 4, BERLIN_2026), zone=BERLIN_2026)
    assert [str(date_of(day)) for day in found.days] == ["2026-03-28", "2026-03-22"]
    assert [(str(date_of(day)), why) for day, why in found.passed_over] == [
        ("2026-03-29", "not measured completely")
    ]


def test_of_an_hour_that_a_day_has_twice_the_first_counts() -> None:
    zone = BERLIN_2026
    series = hourly(clock, date(2026, 10, 1), 31, zone)
    first, second = zone.moments(days_of_25(), 2 * HOUR_S)
    energies = dict(series.energies_mj) | {first: 7 * MJ_PER_WH, second: 9 * MJ_PER_WH}
    found = judge(
        Rule("like", quota=Quota(1, 1, 1)),
        replace(series, energies_mj=energies),
        called=event(date(2026, 10, 31), 2, 3, zone),
        zone=zone,
    )
    assert found.baseline_wh == 7


def days_of_25() -> int:
    return min(days_of([date(2026, 10, 25)]))


def test_an_event_over_midnight_belongs_to_the_day_it_begins() -> None:
    called = event(EVENT_DAY, 23, 25)
    found = judge(replace(PLAIN, quota=Quota(2, 2, 2)), number, called=called)
    assert taken(found) == [14, 13]
    # 23 o'clock of the 14th and 13th; midnight of the 15th and 14th.
    assert hours_wh(found) == [13_523, 14_500]


def test_the_event_itself_never_makes_its_baseline() -> None:
    # The hours after midnight of the candidate of the 14th lie within the event.
    called = event(EVENT_DAY, 0, 24)
    after = replace(
        PLAIN,
        adjustment=AdjustmentKind.ADDITIVE,
        window=Window(after_from_min=0, after_to_min=60),
        quota=Quota(1, 1, 1),
    )
    found = judge(after, number, called=called)
    assert taken(found) == [13]
    assert [reason for _, reason in found.passed_over] == ["not measured completely"]


@pytest.mark.parametrize(
    ("begin_s", "end_s", "problem"),
    [
        (0, 0, "more than 0"),
        (3_600, 0, "more than 0"),
        (0, 93_600, "at most 25 h"),
    ],
)
def test_a_window_that_is_no_event_is_refused(begin_s: int, end_s: int, problem: str) -> None:
    with pytest.raises(EventError, match=problem):
        Event(begin_s, end_s)


def test_an_event_within_an_interval_is_refused() -> None:
    whole = event(EVENT_DAY, 17, 20)
    for called in (Event(whole.start_s + 900, whole.end_s), Event(whole.start_s, whole.end_s - 1)):
        with pytest.raises(EventError, match="lies within an interval of 3600 s"):
            judge(PLAIN, number, called=called)


def test_series_off_their_grid_are_refused() -> None:
    with pytest.raises(EventError, match="divides an hour"):
        EnergySeries(420, {})
    with pytest.raises(EventError, match="expected a grid of 900 s"):
        EnergySeries(900, {0: 1, 450: 1})


def test_methods_have_their_presets() -> None:
    assert {preset.rule.method for preset in PRESETS.values()} == set(Method)
