"""CSV files as people have them, to interval energies."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.contracts.baseline.series import MJ_PER_WH
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import csv_table, holiday_file
from wattle_gateway.interval_data.csv_series import CsvColumns, CsvSeries, read_series
from wattle_testkit.load_days import BERLIN_2026, days_of

KW = CsvColumns("t", "p", "kW", "start")
NOON_S = 1_782_907_200  # 2026-07-01 12:00:00 UTC


def written(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "load.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def read(folder: Path, lines: Sequence[str], columns: CsvColumns = KW) -> CsvSeries:
    return read_series(written(folder, *lines), columns)


def energies_wh(found: CsvSeries) -> dict[int, float]:
    """Seconds after noon -> Wh."""
    return {at - NOON_S: e / MJ_PER_WH for at, e in found.series.energies_mj.items()}


PLAIN = ["t,p", "2026-07-01T12:00Z,1.5", "2026-07-01T12:15Z,2", "2026-07-01T12:30Z,-0.25"]
PLAIN_WH = {0: 375.0, 900: 500.0, 1_800: -62.5}


def test_power_over_an_interval_is_its_energy(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN)
    assert (found.series.interval_s, energies_wh(found)) == (900, PLAIN_WH)
    assert (found.zone, found.is_zone_known, found.notes) == (Zone(), True, ())
    watts = read(tmp_path, PLAIN, CsvColumns("t", "p", "W", "start"))
    assert energies_wh(watts) == {at: wh / 1_000 for at, wh in PLAIN_WH.items()}


def test_a_stamp_at_the_end_is_an_interval_earlier(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN, CsvColumns("t", "p", "kW", "end"))
    assert energies_wh(found) == {at - 900: wh for at, wh in PLAIN_WH.items()}


@pytest.mark.parametrize(
    "lines",
    [
        ["\ufefft;p", "2026-07-01T12:00Z;1,5", "2026-07-01T12:15Z;2", "2026-07-01T12:30Z;-0,25"],
        [
            '"t"\t"p"',
            '"2026-07-01T12:00Z"\t"1.5"',
            *(line.replace(",", "\t") for line in PLAIN[2:]),
        ],
        ["x|p|t", "a|1.5|1782907200", "b|2|1782908100", "c|-.25|1782909000"],
        [
            "Meter 7;;",
            "Export of 2 July;;",
            "",
            "t;p;",
            *[line.replace(",", ";") + ";" for line in PLAIN[1:]],
        ],
        [PLAIN[0], PLAIN[3], PLAIN[1], "", " , ", PLAIN[2]],
        [line + "\r" for line in PLAIN],
        ['t,p,"a ""quoted"" name, with\nlines"', *(line + ',"x\ny"' for line in PLAIN[1:])],
    ],
    ids=["bom-semicolon-comma", "tab", "bar-unix", "preamble", "unordered", "crlf", "quoted"],
)
def test_files_of_many_kinds_are_read(tmp_path: Path, lines: list[str]) -> None:
    assert energies_wh(read(tmp_path, lines)) == PLAIN_WH


def test_gzip_and_utf_16_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "load.txt"
    path.write_bytes(gzip.compress("\n".join(PLAIN).encode()))
    assert energies_wh(read_series(path, KW)) == PLAIN_WH
    wide = written(tmp_path, *PLAIN, encoding="utf-16")
    assert energies_wh(read_series(wide, KW)) == PLAIN_WH


def test_two_columns_may_make_the_time(tmp_path: Path) -> None:
    lines = ["Date,Time,p", "2026-07-01,12:00,1.5", "2026-07-01,12:15,2", "2026-07-01,12:30,-0.25"]
    found = read(tmp_path, lines, CsvColumns("Date+Time", "p", "kW", "start"))
    assert energies_wh(found) == PLAIN_WH
    assert not found.is_zone_known


def test_thousands_are_read_as_the_column_shows(tmp_path: Path) -> None:
    lines = ["t,p", '2026-07-01T12:00Z,"1,234.5"', '2026-07-01T13:00Z,"2,000"']
    watts = CsvColumns("t", "p", "W", "start")
    assert energies_wh(read(tmp_path, lines, watts)) == {0: 1_234.5, 3_600: 2_000}
    lines = ["t;p", "2026-07-01T12:00Z;1,234", "2026-07-01T13:00Z;2,000"]
    with pytest.raises(UsageError, match=r"load.csv: column 'p': line 2: '1,234' can have"):
        read(tmp_path, lines, watts)
    comma = CsvColumns("t", "p", "W", "start", decimal="comma")
    assert energies_wh(read(tmp_path, lines, comma)) == {0: 1.234, 3_600: 2}


@pytest.mark.parametrize("step_s", [1, 60, 3_600])
def test_intervals_are_a_second_to_an_hour(tmp_path: Path, step_s: int) -> None:
    rows = [f"{NOON_S + count * step_s},3.6" for count in range(3)]
    found = read(tmp_path, ["t,p", *rows], CsvColumns("t", "p", "W", "start"))
    assert set(found.series.energies_mj.values()) == {3_600 * step_s}
    assert found.series.interval_s == step_s


def test_missing_rows_and_values_are_unmeasured_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, [*PLAIN, "2026-07-01T13:15Z,NaN", "2026-07-01T13:30Z,1"])
    assert energies_wh(found) == {**PLAIN_WH, 5_400: 250.0}
    assert found.notes == (
        "rows without a value: 1, not measured",
        "intervals without a row: 2, not measured",
    )


def test_a_row_twice_counts_once_unless_they_differ(tmp_path: Path) -> None:
    found = read(tmp_path, [*PLAIN, PLAIN[2]])
    assert energies_wh(found) == PLAIN_WH
    assert found.notes == ("rows that repeat another one: 1, counted once",)
    with pytest.raises(
        UsageError,
        match=r"line 5: column 't': '2026-07-01T12:15Z' is there already, in line 3, with another",
    ):
        read(tmp_path, [*PLAIN, "2026-07-01T12:15Z,3"])


def test_power_finer_than_a_milliwatt_is_rounded_half_to_even(tmp_path: Path) -> None:
    lines = [
        "t,p",
        "2026-07-01T12:00Z,0.0005",
        "2026-07-01T13:00Z,0.0015",
        "2026-07-01T14:00Z,1e-99",
    ]
    found = read(tmp_path, lines, CsvColumns("t", "p", "W", "start"))
    assert list(found.series.energies_mj.values()) == [0, 2 * 3_600, 0]


def test_estimated_rows_are_known_by_their_column(tmp_path: Path) -> None:
    lines = [
        "t,p,q,c",
        *(f"{line},{flag},5" for line, flag in zip(PLAIN[1:], ["", "Estimated", "0"], strict=True)),
    ]
    columns = CsvColumns("t", "p", "kW", "start", substituted="q", control=("c",))
    found = read(tmp_path, lines, columns)
    assert found.series.substituted == {NOON_S + 900}
    (control,) = found.control
    assert set(control.energies_mj.values()) == {5 * 250 * MJ_PER_WH}
    assert control.substituted == frozenset()


# --- clocks -------------------------------------------------------------------------------------

BERLIN = CsvColumns("t", "p", "kW", "start", timezone="Europe/Berlin")


def berlin_hours(first: datetime, hours: int) -> list[str]:
    """Local times without a zone, as a logger writes them; the power counts the hours."""
    zone = ZoneInfo("Europe/Berlin")
    return [
        "t,p",
        *(
            f"{(first + timedelta(hours=count)).astimezone(zone):%Y-%m-%d %H:%M},{count}"
            for count in range(hours)
        ),
    ]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("month", "day"), [(3, 28), (10, 24)])
def test_local_times_are_read_over_a_change_of_the_clock(
    tmp_path: Path, month: int, day: int, reverse: bool
) -> None:
    first = datetime(2026, month, day, tzinfo=UTC)
    header, *rows = berlin_hours(first, 72)
    found = read(tmp_path, [header, *(reversed(rows) if reverse else rows)], BERLIN)
    begin_s = int(first.timestamp())
    assert found.series.energies_mj == {
        begin_s + count * 3_600: count * 1_000 * MJ_PER_WH for count in range(72)
    }
    assert found.notes == ()


def test_an_hour_that_comes_twice_and_is_there_once_is_refused(tmp_path: Path) -> None:
    header, *rows = berlin_hours(datetime(2026, 10, 24, tzinfo=UTC), 72)
    once = [header, *(row for count, row in enumerate(rows) if count != 25)]
    with pytest.raises(
        UsageError,
        match=r"line 26: column 't': '2026-10-25 02:00' happened twice, .* the file has it once: "
        r"is it 2026-10-25T02:00:00\+02:00 or 2026-10-25T02:00:00\+01:00\?",
    ):
        read(tmp_path, once, BERLIN)


def test_a_time_that_the_clock_skips_is_refused(tmp_path: Path) -> None:
    lines = ["t,p", "2026-03-29 01:00,1", "2026-03-29 02:00,1", "2026-03-29 03:00,1"]
    with pytest.raises(UsageError, match=r"line 3: column 't': '2026-03-29 02:00' does not exist"):
        read(tmp_path, lines, BERLIN)
    fixed = CsvColumns("t", "p", "kW", "start", timezone="+01:00")
    assert len(read(tmp_path, lines, fixed).series.energies_mj) == 3


def test_the_interval_before_a_skipped_hour_may_end_with_it(tmp_path: Path) -> None:
    ends = CsvColumns("t", "p", "kW", "end", timezone="Europe/Berlin")
    begin_s = int(datetime(2026, 3, 29, tzinfo=UTC).timestamp())
    for ending in ("2026-03-29 02:00", "2026-03-29 03:00"):
        lines = ["t,p", "2026-03-29 01:00,1", f"{ending},1", "2026-03-29 04:00,1"]
        found = read(tmp_path, lines, ends)
        assert sorted(found.series.energies_mj) == [begin_s - 3_600, begin_s, begin_s + 3_600]


def test_offsets_in_the_times_make_the_zone(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [(first + timedelta(hours=count)).astimezone(zone) for count in range(6_000)]
    found = read(tmp_path, ["t,p", *(f"{moment.isoformat()},1" for moment in moments)])
    assert found.zone == BERLIN_2026
    assert found.is_zone_known


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "column 't' is not there; columns found: none"),
        (["t;q", "1;2"], "column 'p' is not there; columns found: t, q"),
        (["t,p,p", "1,2,3"], "column 'p' is there twice"),
        (["t,p"], "0 rows of data, expected at least 2"),
        (PLAIN[:2], "1 rows of data, expected at least 2"),
        ([*PLAIN, "2026-07-01T12:45Z"], "line 5: column 'p': the row ends after 1 fields"),
        ([*PLAIN, "07/01/2026 12:45,1"], "line 5: column 't': '07/01/2026 12:45' is no time"),
        ([*PLAIN, "2026-07-01T12:45Z,x"], "line 5: column 'p': 'x' is no number"),
        ([*PLAIN, "2026-07-01T12:45Z,inf"], "line 5: column 'p': 'inf' is no number"),
        ([*PLAIN, "2026-07-01T12:45Z,1e9"], "line 5: column 'p': '1e9' is above 1 GW"),
        ([*PLAIN, "2026-07-01T12:50Z,1"], "line 5: column 't': .* not on the grid of the other"),
        ([*PLAIN, "2026-07-01 12:45,1"], "line 5: column 't': times with a zone and times without"),
        ([*PLAIN, '2026-07-01T12:45Z,"1'], "line 5: no CSV"),
        (["t,p", "2026-07-01,1", "2026-07-02,1"], "the commonest step between rows is 86400 s"),
        ([*PLAIN, "2226-07-01T12:45Z,1"], "line 5: column 't': .* more than a century after"),
        (["t,p", PLAIN[1], PLAIN[1]], "every row has this time"),
        (
            ["t,p", "2026-07-01T12:00+01:00,1", "2026-07-01T12:00Z,1", "2026-07-01T14:00+01:00,1"],
            "say with --timezone",
        ),
    ],
)
def test_a_wrong_file_is_told_by_line_and_column(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem) as found:
        read(tmp_path, lines)
    assert str(found.value).startswith(str(tmp_path / "load.csv"))
    assert "\n" not in str(found.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    latin = written(tmp_path, "t,p", "1,\u00e9", encoding="latin-1")
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        read_series(latin, KW)
    with pytest.raises(UsageError, match="cannot be read"):
        read_series(tmp_path / "absent.csv", KW)
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(b"t,p\n" * 1_000)[:-20])
    with pytest.raises(UsageError, match="cannot be read"):
        read_series(torn, KW)


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "MAX_ROWS", 2)
    with pytest.raises(UsageError, match="more than 2 rows"):
        read(tmp_path, PLAIN)
    monkeypatch.setattr(csv_table, "MAX_BYTES", 10)
    with pytest.raises(UsageError, match="more than 10 bytes"):
        read(tmp_path, PLAIN)


@pytest.mark.parametrize(("unit", "stamp"), [("MW", "start"), ("W", "middle")])
def test_unit_and_stamp_are_of_two_kinds(tmp_path: Path, unit: str, stamp: str) -> None:
    with pytest.raises(UsageError, match=r"expected (W or kW|start or end)"):
        read(tmp_path, PLAIN, CsvColumns("t", "p", unit, stamp))


# --- holidays -----------------------------------------------------------------------------------


def test_holidays_are_a_day_a_line(tmp_path: Path) -> None:
    path = tmp_path / "holidays.txt"
    path.write_text(
        'date,name\n"2026-12-25",Christmas\n,\n\n'
        "# moved\n2026-12-26  # second\n2026/01/01;New Year\n"
    )
    expected = days_of(
        datetime.strptime(day, "%Y-%m-%d").date()
        for day in ("2026-12-25", "2026-12-26", "2026-01-01")
    )
    assert holiday_file.read_holidays(path) == expected
    path.write_text("2026-12-25\n11/12/2026\n")
    with pytest.raises(UsageError, match=r"holidays.txt: line 2: '11/12/2026', expected a day"):
        holiday_file.read_holidays(path)
    path.write_text("one\ntwo\n")
    with pytest.raises(UsageError, match="line 2: 'two'"):
        holiday_file.read_holidays(path)
    with pytest.raises(UsageError, match="cannot be read"):
        holiday_file.read_holidays(tmp_path / "absent")
