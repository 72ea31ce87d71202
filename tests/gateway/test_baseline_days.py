"""Zones as data: days of 23 and 25 hours, held against Python's own zone database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.baseline.errors import RuleError
from wattle_gateway.contracts.baseline.local_days import (
    DAY_S,
    DayType,
    DayTypes,
    LocalDays,
    Zone,
    date_of,
    day_of,
)
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data.zones import named_zone, zone_as_written
from wattle_testkit.load_days import BERLIN_2026, days_of

BEGIN_S, END_S = 1_420_070_400, 1_798_761_600  # 2015 to 2026
NAMES = (
    "Europe/Berlin",
    "America/Chicago",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "America/Sao_Paulo",  # its clocks skipped midnight until 2019
    "Africa/Casablanca",  # off daylight saving for Ramadan
    "Asia/Kathmandu",
    "UTC",
)
ZONES = {name: named_zone(name, BEGIN_S, END_S) for name in NAMES}


def wall_of(at_s: int, name: str) -> datetime:
    return datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(name)).replace(tzinfo=None)


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.integers(BEGIN_S, END_S))
def test_the_clock_on_the_wall_is_that_of_the_zone_database(name: str, at_s: int) -> None:
    day, second = ZONES[name].wall(at_s)
    shown = datetime(1970, 1, 1) + timedelta(days=day, seconds=second)
    assert shown == wall_of(at_s, name)
    assert at_s in ZONES[name].moments(day, second)


@settings(deadline=None)
@given(
    st.sampled_from(NAMES),
    st.integers(BEGIN_S // DAY_S, END_S // DAY_S - 1),
    st.integers(0, DAY_S - 1),
)
def test_all_moments_of_a_shown_time_are_found(name: str, day: int, second: int) -> None:
    shown = datetime(1970, 1, 1) + timedelta(days=day, seconds=second)
    expected = set()
    for fold in (0, 1):
        moment = shown.replace(tzinfo=ZoneInfo(name), fold=fold).astimezone(UTC)
        if wall_of(int(moment.timestamp()), name) == shown:
            expected.add(int(moment.timestamp()))
    assert ZONES[name].moments(day, second) == tuple(sorted(expected))


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(NAMES), st.integers(BEGIN_S // DAY_S, END_S // DAY_S - 2))
def test_days_lie_side_by_side(name: str, day: int) -> None:
    zone = ZONES[name]
    start_s, end_s = zone.day_start_s(day), zone.day_start_s(day + 1)
    assert zone.wall(start_s)[0] == day
    assert zone.wall(start_s - 1)[0] == day - 1
    assert 23 * 3_600 <= end_s - start_s <= 25 * 3_600


def test_days_of_23_and_25_hours() -> None:
    lengths = [
        BERLIN_2026.day_start_s(day_of(day) + 1) - BERLIN_2026.day_start_s(day_of(day))
        for day in (date(2026, 3, 29), date(2026, 7, 1), date(2026, 10, 25))
    ]
    assert [length // 3_600 for length in lengths] == [23, 24, 25]
    half_past_two = 9_000
    assert BERLIN_2026.moments(day_of(date(2026, 3, 29)), half_past_two) == ()
    twice = BERLIN_2026.moments(day_of(date(2026, 10, 25)), half_past_two)
    assert [at_s - twice[0] for at_s in twice] == [0, 3_600]
    assert BERLIN_2026.first_moment(day_of(date(2026, 10, 25)), half_past_two) == twice[0]


def test_a_day_whose_midnight_is_skipped_begins_at_one() -> None:
    zone = ZONES["America/Sao_Paulo"]
    day = day_of(date(2018, 11, 4))
    assert zone.moments(day, 0) == ()
    assert zone.wall(zone.day_start_s(day)) == (day, 3_600)


def test_types_of_days() -> None:
    christmas = date(2026, 12, 25)  # a Friday
    days = LocalDays(holidays=days_of([christmas, date(2026, 12, 26)]))
    week = [day_of(date(2026, 12, 21)) + offset for offset in range(7)]
    business, other = DayType.BUSINESS, DayType.NON_BUSINESS
    assert [days.day_type(day, DayTypes.BUSINESS) for day in week] == [
        *[business] * 4,
        *[other] * 3,
    ]
    assert [days.day_type(day, DayTypes.SATURDAY_SUNDAY) for day in week[4:]] == [
        DayType.SUNDAY
    ] * 3
    assert days.day_type(week[5] - 7, DayTypes.SATURDAY_SUNDAY) is DayType.SATURDAY
    assert {days.day_type(day, DayTypes.ALL) for day in week} == {DayType.ANY}
    assert date_of(week[4]) == christmas


@pytest.mark.parametrize(
    ("first_offset_s", "transitions", "problem"),
    [
        (0, ((10, 0), (5, 3_600)), "rising order"),
        (0, ((5, 0), (5, 3_600)), "rising order"),
        (86_400, (), "less than a day"),
        (0, ((5, -90_000),), "less than a day"),
    ],
)
def test_a_zone_that_no_clock_follows_is_refused(
    first_offset_s: int, transitions: tuple[tuple[int, int], ...], problem: str
) -> None:
    with pytest.raises(RuleError, match=problem):
        Zone(first_offset_s, transitions)


def test_a_zone_is_read_from_the_offsets_that_rows_carry() -> None:
    half_years = [
        (at_s, BERLIN_2026.offset_s(at_s)) for at_s in range(1_767_225_600, 1_798_761_600, 900)
    ]
    assert zone_as_written(half_years) == BERLIN_2026
    assert zone_as_written([(0, 0), (900, 3_600), (1_800, 0)]) is None


def test_an_unknown_zone_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(UsageError, match=r"'Europe/Berln', expected .*mean Europe/Berlin,"):
        named_zone("Europe/Berln", BEGIN_S, END_S)
    with pytest.raises(UsageError, match="expected an IANA name"):
        named_zone("../../etc/passwd", BEGIN_S, END_S)
    assert named_zone("UTC-06:30", BEGIN_S, END_S) == Zone(-23_400)
    assert named_zone("UTC+1", BEGIN_S, END_S) == named_zone("+01:00", BEGIN_S, END_S)
    with pytest.raises(UsageError, match="less than a day"):
        named_zone("+24:00", BEGIN_S, END_S)
