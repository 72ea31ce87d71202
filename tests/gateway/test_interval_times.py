"""Times and numbers as people write them: what is read, what is refused, and why."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import numbers, times
from wattle_gateway.interval_data.numbers import COMMA, POINT
from wattle_gateway.interval_data.times import WrittenTime
from wattle_testkit.load_days import BERLIN_2026

FIVE_PM_S = 1_782_925_200  # 2026-07-01 17:00:00 UTC


@pytest.mark.parametrize(
    ("text", "offset_s"),
    [
        ("2026-07-01T17:00:00Z", 0),
        ("2026-07-01t17:00z", 0),
        ("2026-07-01 17:00", None),
        (" 2026-07-01  17:00:00.000 ", None),
        ("2026-07-01 17:00:00,0", None),
        ("2026-7-1 17:00", None),
        ("2026/07/01 17:00", None),
        ("2026.07.01 17:00", None),
        ("20260701T1700", None),
        ("20260701T170000Z", 0),
        ("2026-07-01T17", None),
        ("2026-07-01T17:00 UTC", 0),
        ("2026-07-01T17:00+00:00", 0),
        ("2026-07-01 17:00 +0200", 7_200),
        ("2026-07-01T17:00-06", -21_600),
        ("2026-07-01T17:00+05:45", 20_700),
        ("2026-07-01 5:00 PM", None),
        ("1.7.2026 17:00", None),
        ("01.07.2026, 17:00:00", None),
        ("1 Jul 2026 17:00", None),
        ("1. July 2026 17:00", None),
        ("01-JUL-2026 17:00:00", None),
        ("July 1, 2026 5:00 p.m.", None),
        ("Jul 1 2026 05:00PM +02:00", 7_200),
    ],
)
def test_usual_notations_are_read(text: str, offset_s: int | None) -> None:
    assert times.parse(text) == WrittenTime(FIVE_PM_S, offset_s)


@pytest.mark.parametrize("text", [str(FIVE_PM_S), f"{FIVE_PM_S}.0", f"{FIVE_PM_S}000"])
def test_unix_times_are_read(text: str) -> None:
    assert times.parse(text) == WrittenTime(FIVE_PM_S, 0)


def test_the_end_of_a_day_may_be_24_o_clock() -> None:
    assert times.parse("2026-06-30 24:00") == times.parse("2026-07-01 00:00")
    assert times.parse("2026-07-01") == times.parse("2026-07-01T00:00:00")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("07/01/2026 17:00", "no time that has one meaning"),
        ("01-07-2026", "no time that has one meaning"),
        ("12/12/2026", "no time that has one meaning"),
        ("13/13/2026", "no time that has one meaning"),
        ("07/15-2026", "no time that has one meaning"),
        ("1 Ju 2026", "no time that has one meaning"),
        ("1 Juli 2026", "no time that has one meaning"),
        ("2026-07-01 PM", "no time that has one meaning"),
        ("2026-07-01 17:00 PM", "hour must be in 1..12"),
        ("2026-07-01 0:30 AM", "hour must be in 1..12"),
        ("31.4.2026", "day is out of range"),
        ("1.13.2026", "month must be in"),
        ("2026-07-01 17:00 CST", "no time that has one meaning"),
        ("2026-07-01T17:00[Europe/Berlin]", "no time that has one meaning"),
        ("2026-07/01", "no time that has one meaning"),
        ("202671", "no time that has one meaning"),
        ("2026-07-01 130", "no time that has one meaning"),
        ("2026-07-01T17:00:00.5", "no time that has one meaning"),
        ("yesterday", "no time that has one meaning"),
        ("", "no time that has one meaning"),
        ("2026-02-29", "day is out of range"),
        ("2026-13-01", "month must be in"),
        ("2026-07-01 25:00", "hour must be in"),
        ("2026-07-01 24:01", "hour must be in"),
        ("1969-12-31", "expected a year from 1970 to 9998"),
        ("9999-01-01", "expected a year from 1970 to 9998"),
        ("2026-07-01T17:00+24:00", "less than a day"),
        ("2026-07-01T17:00+02:60", "no time that has one meaning"),
    ],
)
def test_what_has_more_meanings_or_none_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        times.parse(text)


def test_a_day_that_can_be_no_month_says_which_is_which() -> None:
    """Of a file with the day first the rows up to the 12th are refused, so none is misread."""
    assert times.parse("07/15/2026") == times.parse("15/7/2026") == times.parse("2026-07-15")
    assert times.parse("07-31-2026 24:00") == times.parse("2026-08-01")


def test_noon_and_midnight() -> None:
    assert times.parse("2026-07-01 12:00 AM") == times.parse("2026-07-01")
    assert times.parse("2026-07-01 12:30pm") == times.parse("2026-07-01 12:30")
    assert times.parse("2026-07-01 11 PM") == times.parse("2026-07-01 23:00")


def test_a_format_reads_what_is_refused_otherwise() -> None:
    assert times.parse("07/01/2026 05:00 PM", "%m/%d/%Y %I:%M %p") == WrittenTime(FIVE_PM_S, None)
    offset = times.parse("01.07.2026 17:00 +0200", "%d.%m.%Y %H:%M %z")
    assert offset == WrittenTime(FIVE_PM_S, 7_200)
    with pytest.raises(UsageError, match="expected a year from 1970"):
        times.parse("00:00", "%H:%M")
    with pytest.raises(UsageError, match=r"'2026-07-01' does not follow the format '%d.%m.%Y'"):
        times.parse("2026-07-01", "%d.%m.%Y")


@pytest.mark.parametrize("text", ["2026-07-01T17:00", "17:00", "July 1st", ""])
def test_a_day_is_a_day(text: str) -> None:
    with pytest.raises(UsageError, match="expected a day such as 2026-07-01"):
        times.parse_day(text)


def local(text: str) -> int:
    return times.moment_s(times.parse(text), BERLIN_2026, text)


def test_local_times_are_read_in_the_zone() -> None:
    assert local("2026-07-01 19:00") == FIVE_PM_S
    assert local("2026-07-01T17:00Z") == FIVE_PM_S
    assert times.shown_local(FIVE_PM_S, BERLIN_2026) == "2026-07-01T19:00:00+02:00"


def test_a_time_in_the_hour_that_is_skipped_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'2026-03-29 02:30' does not exist in this time zone"):
        local("2026-03-29 02:30")
    assert local("2026-03-29 03:00") == local("2026-03-29T01:00Z")


def test_a_time_in_the_hour_that_comes_twice_wants_its_offset() -> None:
    with pytest.raises(
        UsageError,
        match=r"happened twice .* write the offset, 2026-10-25T02:30:00\+02:00 and "
        r"2026-10-25T02:30:00\+01:00",
    ):
        local("2026-10-25 02:30")
    both = [local(f"2026-10-25 02:30+0{hours}:00") for hours in (2, 1)]
    assert both[1] - both[0] == 3_600


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000), st.integers(-56, 56))
def test_a_shown_time_is_read_back(at_s: int, quarters: int) -> None:
    zone = Zone(quarters * 900)
    text = times.shown_local(at_s, zone)
    if at_s + quarters * 900 >= 0:
        assert times.moment_s(times.parse(text), zone, text) == at_s


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "mark"),
    [
        (["1.5", "2"], POINT),
        (["1", "2"], POINT),
        (["1.234", "5.678"], POINT),
        (["1,5"], COMMA),
        (["0,125"], COMMA),
        (["1,2345"], COMMA),
        (["1.234,5", "1.234"], COMMA),
        (["1,234.5", "1,234"], POINT),
        (["1,234,567"], POINT),
        (["1.234.567"], COMMA),
        (["-0,5", "1,234"], COMMA),
        (["1,5e3"], COMMA),
        (["x", "1.5"], POINT),
    ],
)
def test_a_column_shows_its_decimal_mark(column: list[str], mark: str) -> None:
    assert numbers.decimal_mark(enumerate(column, start=2)) == mark


def test_a_column_that_could_be_either_is_refused() -> None:
    with pytest.raises(UsageError, match=r"line 3: '1,234' can have a decimal comma or thousands"):
        numbers.decimal_mark([(2, "12"), (3, "1,234"), (4, "2,345")])
    with pytest.raises(
        UsageError, match=r"line 9: '1.5' \(line 9\) has a decimal point and '2,5' \(line 4\)"
    ):
        numbers.decimal_mark([(4, "2,5"), (9, "1.5")])


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1,234.5", POINT, "1234.5"),
        ("1.234,5", COMMA, "1234.5"),
        ("1 234,5", COMMA, "1234.5"),
        ("1\u202f234\u00a0567.25", POINT, "1234567.25"),
        ("1'234.5", POINT, "1234.5"),
        ("\u22123.5", POINT, "-3.5"),
        ("+.5", POINT, "0.5"),
        ("1.5E-3", POINT, "0.0015"),
        ("12.", POINT, "12"),
    ],
)
def test_numbers_are_read(text: str, mark: str, expected: str) -> None:
    assert numbers.parse_number(text, mark) == Decimal(expected)


@pytest.mark.parametrize(
    "text", ["1,23.5", "12,34,567", "1 23", "inf", "1.2.3", "0x10", "5 kW", "1e", "--", "\u0661"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no number, expected one like -12\.5"):
        numbers.parse_number(text, POINT)


@pytest.mark.parametrize("text", ["", " ", "NaN", "n/a", "NULL", "-", "?", "#N/A"])
def test_signs_of_no_value(text: str) -> None:
    assert numbers.is_missing(text)


@settings(deadline=None)
@given(st.integers(-(10**11), 10**11), st.sampled_from([POINT, COMMA]), st.booleans())
def test_a_written_number_is_read_back(milli: int, mark: str, grouped: bool) -> None:
    text = f"{Decimal(milli) / 1_000:{',' if grouped else ''}.3f}"
    if mark == COMMA:
        text = text.translate(str.maketrans(",.", ".,"))
    assert numbers.parse_number(text, mark) == Decimal(milli) / 1_000
