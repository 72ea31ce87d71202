"""The baseline engine on days that can be checked by hand: which days, which hours."""

from dataclasses import replace
from datetime import date

import pytest
from wattle_gateway.contracts.baseline.errors import EventError, HistoryError
from wattle_gateway.contracts.baseline.history import Event
from wattle_gateway.contracts.baseline.local_days import date_of
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    RankBy,
    Rule,
    Selection,
)
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH, EnergySeries
from wattle_testkit.judged_event import (
    BEFORE,
    EVENT_DAY,
    FIRST,
    PLAIN,
    hours_wh,
    judge,
    number,
    taken,
)
from wattle_testkit.load_days import event, hourly


def test_all_of_y_takes_the_most_recent_like_days() -> None:
    found = judge(PLAIN, number)
    assert taken(found) == [14, 13, 10, 9]  # 11 and 12 July are a weekend
    assert hours_wh(found) == [11_517, 11_518, 11_519]
    assert (found.baseline_wh, found.actual_wh) == (34_554, 45_054)
    assert found.reduction_wh == -10_500
    assert [entry.reduction_mj for entry in found.intervals] == [-3_500 * MJ_PER_WH] * 3
    assert [(entry.start_s, entry.end_s - entry.start_s) for entry in found.intervals] == [
        (found.event.start_s + count * HOUR_S, HOUR_S) for count in range(3)
    ]


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
    # As many as the least are enough.
    least = judge(rule, number, past_events=past[:2])
    assert (taken(least), least.fell_back) == ([10, 9, 8], False)
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

    def lost(day: int, hour: int) -> int | None:
        return None if date_of(day) == EVENT_DAY and hour == 3 else load(day, hour)

    with pytest.raises(HistoryError, match="no day can be matched"):
        judge(rule, lost)
    assert taken(judge(replace(rule, least_intervals_permille=900), lost)) == [13, 10, 9]

    def alternating(day: int, hour: int) -> int | None:
        is_event_day = date_of(day) == EVENT_DAY
        return None if hour < 16 and (hour % 2 == 0) is is_event_day else load(day, hour)

    # Half of the hours each, never the same ones; those after the event are not there either.
    early = hourly(alternating, FIRST, 60)
    late_s = 21 * HOUR_S
    energies = {at: e for at, e in early.energies_mj.items() if at % (24 * HOUR_S) < late_s}
    with pytest.raises(HistoryError, match="no measured hour in common"):
        judge(replace(rule, least_intervals_permille=300), replace(early, energies_mj=energies))


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
