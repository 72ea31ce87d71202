"""Baselines where the clock is changed, and events over midnight."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from wattle_gateway.contracts.baseline.local_days import date_of
from wattle_gateway.contracts.baseline.rule import AdjustmentKind, Quota, Rule, Window
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH
from wattle_testkit.judged_event import EVENT_DAY, PLAIN, hours_wh, judge, number, taken
from wattle_testkit.load_days import BERLIN_2026, days_of, event, hourly


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
