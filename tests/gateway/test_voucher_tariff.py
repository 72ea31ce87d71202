"""Tariffs: every minute has its period by the clock on the wall, and what is wrong is named."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from wattle_gateway.cli.voucher_command import read_tariff
from wattle_gateway.errors import UsageError
from wattle_gateway.reports import voucher_tariff
from wattle_gateway.reports.voucher_tariff import Tariff

FILE = """
name = "four periods"
zone = "ZONE"
asset = "EUR"
decimals = 2
holidays = [2024-12-25, "2024-12-26"]

[periods.peak]
import = "0.3215"
export = "-0.01"
[periods.day]
import = "0.25"
[periods.night]
import = 1
[periods.sunday]

[seasons]
summer = "03-20"
winter = "10-15"

[[when]]
days = ["sunday", "holiday"]
period = "sunday"
[[when]]
season = "winter"
days = "business"
from = "17:00"
to = "20:30"
period = "peak"
[[when]]
from = "22:00"
to = "02:30"
period = "night"
[[when]]
period = "day"
"""
HALVES = """
zone = "ZONE"
asset = "EUR"
decimals = 2
periods = { am = {}, pm = {} }
when = [{ to = "12:00", period = "am" }, { period = "pm" }]
"""
MINUTE_MS = 60_000


def tariff_of(zone: str = "Europe/Berlin", text: str = FILE) -> Tariff:
    table = tomllib.loads(text.replace("ZONE", zone))
    plain = json.loads(json.dumps(table, default=str))  # days of TOML as text
    return voucher_tariff.parse(plain, "tariff")


def expected(shown: datetime) -> str:
    """The file above, in the words of the standard library."""
    if shown.weekday() == 6 or (shown.month, shown.day) in ((12, 25), (12, 26)):
        return "sunday"
    clock = shown.hour * 60 + shown.minute
    is_winter = (shown.month, shown.day) >= (10, 15) or (shown.month, shown.day) < (3, 20)
    if is_winter and shown.weekday() < 5 and 17 * 60 <= clock < 20 * 60 + 30:
        return "peak"
    return "night" if clock >= 22 * 60 or clock < 2 * 60 + 30 else "day"


@pytest.mark.parametrize(
    ("zone", "first", "days"),
    [
        ("Europe/Berlin", "2024-03-29", 4),  # 31 March has 23 hours
        ("Europe/Berlin", "2024-10-25", 4),  # 27 October has 25
        ("Europe/Berlin", "2024-12-23", 5),
        ("America/New_York", "2024-11-01", 4),
        ("Australia/Lord_Howe", "2024-04-05", 3),  # sets its clock by half an hour
        ("America/Santiago", "2024-09-06", 3),  # skips midnight
        ("Asia/Kathmandu", "2024-03-19", 2),
        ("+05:30", "2024-10-14", 2),
    ],
)
def test_every_minute_has_the_period_of_the_clock_on_the_wall(
    zone: str, first: str, days: int
) -> None:
    begin = datetime.fromisoformat(first).replace(tzinfo=UTC)
    end = begin + timedelta(days=days)
    begin_ms, end_ms = int(begin.timestamp()) * 1000, int(end.timestamp()) * 1000
    cuts = tariff_of(zone).cuts(begin_ms, end_ms)
    found: list[str] = []
    for (at_ms, period), (until_ms, _) in pairwise([*cuts, (end_ms, "")]):
        assert at_ms % MINUTE_MS == 0
        found += [period] * ((until_ms - at_ms) // MINUTE_MS)
    wall = None if zone.startswith("+") else ZoneInfo(zone)
    offset = timedelta(hours=5, minutes=30)
    minutes = [begin + timedelta(minutes=at) for at in range(days * 1440)]
    assert found == [
        expected(at + offset if wall is None else at.astimezone(wall)) for at in minutes
    ]
    assert all(one[1] != other[1] for one, other in pairwise(cuts))


def test_a_day_of_23_and_one_of_25_hours_are_cut_as_long_as_they_are() -> None:
    tariff = tariff_of(text=HALVES)
    zone = ZoneInfo("Europe/Berlin")
    for day, hours in ((31, 11), (30, 12)):
        begin = datetime(2024, 3, day, tzinfo=zone)
        end = begin + timedelta(days=1)
        span_ms = [int(moment.timestamp()) * 1000 for moment in (begin, end)]
        (_, first), (noon_ms, second) = tariff.cuts(*span_ms)
        assert (first, second) == ("am", "pm")
        assert noon_ms - span_ms[0] == hours * 3_600_000
    span_ms = [int(datetime(2024, 10, day, tzinfo=zone).timestamp()) * 1000 for day in (27, 28)]
    assert span_ms[1] - span_ms[0] == 25 * 3_600_000
    assert tariff.cuts(*span_ms)[1][0] - span_ms[0] == 13 * 3_600_000


def test_amounts_are_exact_and_round_toward_zero() -> None:
    prices = tariff_of().periods
    peak = prices["peak"]
    assert peak.imported is not None
    assert peak.exported is not None
    # 3.110419 kWh at 0.3215 are 0.99999971 of a unit, of 100 cents.
    assert peak.imported.amount(3_110_419, 2) == 99
    assert peak.imported.amount(3_110_420, 2) == 100
    assert peak.imported.amount(10**15, 9) == 3215 * 10**14
    assert peak.exported.amount(199_999_999, 2) == -199
    night = prices["night"].imported
    assert night is not None
    assert night.amount(1_000_000, 0) == 1
    assert prices["sunday"].imported is None


def test_a_season_goes_over_the_new_year() -> None:
    tariff = tariff_of("UTC")
    noon = datetime(2025, 1, 8, 18, tzinfo=UTC)  # a Wednesday
    at_ms = int(noon.timestamp()) * 1000
    assert tariff.cuts(at_ms, at_ms + 1) == [(at_ms, "peak")]


SMALL = 'zone = "UTC"\nasset = "EUR"\ndecimals = 2\n[periods.all]\nimport = "0.3"\n'
WHEN = '[[when]]\nperiod = "all"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL.replace('"0.3"', "0.3") + WHEN, 'is a float, write it in quotes: "0.3"'),
        (SMALL.replace('"0.3"', '"0,3"') + WHEN, "periods.all.import: '0,3', expected a price"),
        (SMALL.replace('"0.3"', "true") + WHEN, "periods.all.import: True, expected a price"),
        (SMALL.replace('"0.3"', '"1e3"') + WHEN, "expected a price"),
        (SMALL.replace("import", "imports") + WHEN, "unknown key 'imports'"),
        (SMALL.replace('"EUR"', '"euro"') + WHEN, "asset 'euro', expected a name such as EUR"),
        (SMALL.replace("= 2", '= "2"') + WHEN, "decimals '2', expected an integer"),
        (SMALL.replace("= 2", "= 10") + WHEN, "decimals 10, expected an integer from 0 to 9"),
        (SMALL.replace('"UTC"', '"Europe/Berlyn"') + WHEN, "did you mean Europe/Berlin"),
        ("colour = 1\n" + SMALL + WHEN, "unknown key 'colour'"),
        ('commodity = "steam"\n' + SMALL + WHEN, "commodity 'steam', expected one of electricity"),
        (SMALL.replace("asset", "name") + WHEN, "`asset` is missing"),
        (SMALL, "`when` is missing"),
        ("holidays = 3\n" + SMALL + WHEN, "holidays: expected a list"),
        ('holidays = ["25.12."]\n' + SMALL + WHEN, "expected a day such as"),
        (SMALL + WHEN.replace("all", "al"), "when 1: period 'al', expected one of all"),
        (SMALL + WHEN + "to = 06:00:00\n", "when 1: to: "),
        (SMALL + WHEN + 'to = "24:01"\n', "expected a time of day from 00:00 to 24:00"),
        (SMALL + WHEN + 'to = "6:00"\n', "expected a time of day"),
        (SMALL + WHEN + 'from = "24:00"\n', "when 1: from 24:00 to 24:00"),
        (SMALL + WHEN + 'days = "workday"\n', "when 1: days: 'workday', expected all, business"),
        (SMALL + WHEN + 'season = "summer"\n', "no season: there are none"),
        (SMALL + WHEN + 'hours = "1"\n', "when 1: unknown key 'hours'"),
        (SMALL + '[seasons]\nspring = "02-29"\n' + WHEN, "expected month and day such as 04-01"),
        (SMALL + '[seasons]\na = "01-01"\nb = "01-01"\n' + WHEN, "seasons.b begins when 'a' does"),
        (
            SMALL + WHEN + 'from = "06:00"\n',
            "no `when` names the period of a monday at 00:00; a last one without",
        ),
        (
            'holidays = ["2026-01-01"]\n' + SMALL + WHEN + 'days = ["business", "weekend"]\n',
            "no `when` names the period of a holiday at 00:00",
        ),
        (
            SMALL + '[seasons]\na = "01-01"\nb = "06-01"\n' + WHEN + 'season = "b"\n',
            "a monday at 00:00 in season 'a'",
        ),
        ("periods = 3", "`zone` is missing"),
        ("zone = ", "no TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "tariff.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_tariff(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert said in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    long = b"#" * (1 << 20) + b"\n"
    for content, said in ((b"\xff\xfe", "no TOML"), (long, "are no tariff")):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(UsageError, match=said):
            read_tariff(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be read"):
        read_tariff(tmp_path / "absent")


def test_a_tariff_survives_json() -> None:
    tariff = tariff_of()
    again = voucher_tariff.parse(json.loads(json.dumps(dict(tariff.table))), "tariff")
    assert again == tariff
