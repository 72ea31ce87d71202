"""Load curves from CSV files as people have them."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_hil.curves.csv_file import CurveColumns, read_curve, write_curve
from wattle_hil.curves.curve import NJ_PER_WH, Curve, StepSeries
from wattle_hil.errors import CurveError

T0_MS = 1_170_288_000_000
ISO_W = CurveColumns("time", "power", "W")
DATA = Path(__file__).parents[3] / "shared" / "data"
UCI = DATA / "uci_household_2007-02-01_02_1min.csv"
LAB = DATA / "lab_kettle_vacuum_heater_1s.csv"


def curve_of(folder: Path, text: str, columns: CurveColumns = ISO_W) -> Curve:
    path = folder / "load.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return read_curve(path, columns)


def steps_of(curve: Curve) -> list[tuple[int, int]]:
    """(seconds since T0, mW) of each step."""
    series = curve.active_uw
    return [
        ((at_ms - T0_MS) // 1_000, value // 1_000)
        for at_ms, value in zip(series.times_ms, series.values, strict=True)
    ]


def minutes(*powers: str) -> str:
    rows = [f"2007-02-01T00:{minute:02d}:00,{power}" for minute, power in enumerate(powers)]
    return "\n".join(["time,power", *rows, ""])


@pytest.mark.skipif(not UCI.exists(), reason="the shared load curves are not beside the checkout")
def test_two_days_of_a_real_household_have_the_published_energy_and_peak() -> None:
    columns = CurveColumns(
        "Date+Time",
        "Global_active_power",
        "kW",
        time_format="%m/%d/%Y %H:%M:%S",
        reactive="Global_reactive_power",
        voltage="Voltage",
    )
    curve = read_curve(UCI, columns)
    assert (curve.start_ms, curve.end_ms) == (T0_MS, T0_MS + 2 * 86_400_000)
    assert curve.resolution_ms == 60_000
    assert curve.gaps == ()
    # shared/data/README.md: 48.9495 kWh (sum of kW / 60), peak 5.448 kW.
    energy = curve.energy(curve.start_ms, curve.end_ms)
    assert round(energy.import_nj / NJ_PER_WH / 1_000, 4) == 48.9495
    assert energy.export_nj == 0
    assert max(curve.active_uw.values) == 5_448_000_000
    assert curve.power_uw(T0_MS + 59_999) == 442_000_000
    assert curve.reactive_power_uvar(T0_MS) == 122_000_000
    assert curve.phase_voltage_mv(T0_MS) == 241_060


@pytest.mark.skipif(not UCI.exists(), reason="the shared load curves are not beside the checkout")
def test_month_first_dates_are_not_guessed_but_explained() -> None:
    with pytest.raises(CurveError) as caught:
        read_curve(UCI, CurveColumns("Date+Time", "Global_active_power", "kW"))
    message = str(caught.value)
    assert "line 2: column 'Date+Time': '2/1/2007 00:00:00'" in message
    assert "'%m/%d/%Y %H:%M:%S' makes it 2007-02-01T00:00:00Z" in message
    assert "'%d/%m/%Y %H:%M:%S' makes it 2007-01-02T00:00:00Z" in message


@pytest.mark.skipif(not LAB.exists(), reason="the shared load curves are not beside the checkout")
def test_a_lab_recording_at_one_second_is_read_with_its_reactive_power() -> None:
    columns = CurveColumns("Timestamp", "Active (W)", "W", reactive="Reactive (W)")
    curve = read_curve(LAB, columns)
    assert curve.resolution_ms == 1_000
    assert curve.end_ms - curve.start_ms == 621_000
    assert curve.gaps == ()
    assert curve.power_uw(curve.start_ms) == 8_350_000
    assert curve.reactive_power_uvar(curve.start_ms) == 12_430_000


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end_of_line", ["\n", "\r\n"])
def test_columns_are_found_by_name_whatever_their_order_and_delimiter(
    tmp_path: Path, delimiter: str, end_of_line: str
) -> None:
    rows = [
        ["load, total (kW)", "x", "when"],
        ["1.5", "a", "2007-02-01T00:00Z"],
        ["-2", "b", "2007-02-01T00:01Z"],
    ]
    quoted = [[f'"{field}"' if delimiter in field else field for field in row] for row in rows]
    text = end_of_line.join(
        ["\ufeff" + delimiter.join(quoted[0]), *map(delimiter.join, quoted[1:])]
    )
    curve = curve_of(tmp_path, text, CurveColumns("when", "load, total (kW)", "kW"))
    assert steps_of(curve) == [(0, 1_500_000), (60, -2_000_000)]


def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_bytes(gzip.compress(minutes("1", "2").encode()))
    assert steps_of(read_curve(path, ISO_W)) == [(0, 1_000), (60, 2_000)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2007-02-01", "2007-02-01 01:00"),
        ("2007-02-01T00:00:00", "2007-02-01T01:00:00"),
        ("2007-02-01T01:00:00+01:00", "2007-02-01T00:00:00-01:00"),
        ("20070201T000000Z", "20070201T010000Z"),
        ("1170288000", "1170291600"),
        ("1170288000.0004", "1170291600.000"),
        ("1170288000000", "1170291600000"),
    ],
)
def test_iso_and_unix_times_need_no_format_and_local_ones_count_as_utc(
    tmp_path: Path, first: str, second: str
) -> None:
    curve = curve_of(tmp_path, f"time,power\n{first},1\n{second},2\n")
    assert steps_of(curve) == [(0, 1_000), (3_600, 2_000)]


@pytest.mark.parametrize(
    ("time_format", "first", "second"),
    [
        ("%m/%d/%Y %H:%M", "2/1/2007 0:00", "2/1/2007 1:00"),
        ("%d/%m/%Y %H:%M", "1/2/2007 00:00", "1/2/2007 01:00"),
        ("%d.%m.%Y %H:%M %z", "01.02.2007 01:00 +0100", "01.02.2007 02:00 +0100"),
        ("epoch_s", "1170288000", "1170291600"),
        ("epoch_ms", "1170288000000", "1170291600000"),
    ],
)
def test_a_time_format_is_followed_to_the_letter(
    tmp_path: Path, time_format: str, first: str, second: str
) -> None:
    columns = CurveColumns("time", "power", "W", time_format=time_format)
    curve = curve_of(tmp_path, f"time,power\n{first},1\n{second},2\n", columns)
    assert steps_of(curve) == [(0, 1_000), (3_600, 2_000)]


def test_a_column_whose_name_has_a_plus_is_taken_before_two_columns_are_joined(
    tmp_path: Path,
) -> None:
    columns = CurveColumns("a+b", "p", "W")
    joined = curve_of(tmp_path, "a,b,p\n2007-02-01,00:00,1\n2007-02-01,01:00,2\n", columns)
    single = curve_of(tmp_path, "a+b,p\n2007-02-01 00:00,1\n2007-02-01 01:00,2\n", columns)
    assert steps_of(joined) == steps_of(single) == [(0, 1_000), (3_600, 2_000)]


def test_missing_values_are_named_gaps_of_zero_watts(tmp_path: Path) -> None:
    curve = curve_of(tmp_path, minutes("1", "?", "", "NaN", "5", "6"))
    assert steps_of(curve) == [(0, 1_000), (60, 0), (120, 0), (180, 0), (240, 5_000), (300, 6_000)]
    assert [str(gap) for gap in curve.gaps] == [
        "2007-02-01T00:01:00Z to 2007-02-01T00:04:00Z (180 s): no value"
    ]
    assert "1 gaps of 180 s in all, counted as 0 W" in curve.summary()


def test_missing_rows_are_gaps_and_the_row_before_holds_for_one_resolution(
    tmp_path: Path,
) -> None:
    text = "time,power\n" + "".join(
        f"{T0_MS // 1_000 + second},7\n" for second in (0, 60, 120, 480, 540)
    )
    curve = curve_of(tmp_path, text)
    assert curve.resolution_ms == 60_000
    assert steps_of(curve) == [
        (0, 7_000),
        (60, 7_000),
        (120, 7_000),
        (180, 0),
        (480, 7_000),
        (540, 7_000),
    ]
    assert [(gap.from_ms - T0_MS, gap.length_ms, gap.reason) for gap in curve.gaps] == [
        (180_000, 300_000, "no rows")
    ]
    energy = curve.energy(curve.start_ms, curve.end_ms)
    assert energy.import_nj == 5 * 60 * 7 * 10**9


def test_a_jittering_recorder_makes_no_gaps(tmp_path: Path) -> None:
    seconds = (0, 60, 120, 181, 240, 300, 390)
    text = "time,power\n" + "".join(f"{T0_MS // 1_000 + second},1\n" for second in seconds)
    curve = curve_of(tmp_path, text)
    assert curve.gaps == ()
    assert curve.end_ms == T0_MS + 450_000


def test_a_decimal_comma_is_read_where_semicolons_separate(tmp_path: Path) -> None:
    text = "time;power\n2007-02-01;0,442\n2007-02-01T01;-1\n"
    assert steps_of(curve_of(tmp_path, text, CurveColumns("time", "power", "kW"))) == [
        (0, 442_000),
        (3_600, -1_000_000),
    ]


def test_power_is_kept_to_the_microwatt(tmp_path: Path) -> None:
    text = minutes("0.442000001", "1e-9", "2.5E-9", "5.0000000005")
    curve = curve_of(tmp_path, text, CurveColumns("time", "power", "kW"))
    assert list(curve.active_uw.values) == [442_000_001, 1, 2, 5_000_000_000]


def test_a_missing_voltage_is_assumed_nominal_and_said_so(tmp_path: Path) -> None:
    text = "time,power,u\n2007-02-01T00:00,1,231.5\n2007-02-01T00:01,1,\n"
    curve = curve_of(tmp_path, text, CurveColumns("time", "power", "W", voltage="u"))
    assert [curve.phase_voltage_mv(T0_MS + at_ms) for at_ms in (0, 60_000)] == [231_500, 230_000]
    assert "1 steps without a voltage: 230000 mV assumed" in curve.summary()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1 is empty"),
        ("time,power\n", "0 rows of data, expected at least 2"),
        (minutes("1"), "1 rows of data, expected at least 2"),
        ("when,power\n", "line 1: column 'time' is not there; columns found: when, power"),
        ("time;load;x\n", "column 'power' is not there; columns found: time, load, x"),
        ("time,power,power\n", "column 'power' is there twice"),
        (minutes("1", "x"), "line 3: column 'power': 'x' is no number"),
        (minutes("1", "1,5"), "line 3: column 'power': "),
        (minutes("1", "0x10"), "'0x10' is no number"),
        (minutes("1", "1e12"), "line 3: column 'power': '1e12', expected -1e\\+09 to 1e\\+09"),
        (minutes("1", "-1e999"), "another unit or column"),
        (minutes("1", "inf"), "'inf' is no number"),
        (minutes("1") + "2007-02-01T00:01\n", "line 3: column 'power': the row ends after 1"),
        (minutes("1") + "yesterday,1\n", "line 3: column 'time': 'yesterday' is no time"),
        (minutes("1") + "2007-02-30,1\n", "'2007-02-30' is no time"),
        (minutes("1") + "60,1\n", "'60' is no time"),
        (minutes("1") + "\n\n2007-02-01T00:00,1\n", "line 5: .* expected rising times"),
        (minutes("1", "2") + "2007-02-01T00:00:30,1\n", "line 4: .* expected rising times"),
        ("time,power\n2007-02-01,1\n2007-02-02,2\n", "the commonest step is 86400 s"),
        ("time,power\n1170288000,1\n1170288000.5,2\n", "the commonest step is 0.5 s"),
    ],
)
def test_a_file_that_makes_no_curve_is_refused_with_its_line_and_column(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(CurveError, match=complaint) as caught:
        curve_of(tmp_path, text.replace(",1,5", ',"1,5"'))
    assert "load.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (CurveColumns("time", "power", "MW"), "unit 'MW', expected one of W, kW"),
        (CurveColumns("time", "power", "W", time_format="%Q"), "time format '%Q'"),
        (CurveColumns("time", "power", "W", time_format="%Y%Y"), "time format '%Y%Y'"),
        (CurveColumns("time", "power", "W", time_format="epoch_s"), "is no Unix time"),
        (CurveColumns("time", "power", "W", voltage="power"), "'-1', expected 0 to 1000"),
        (CurveColumns("time", "power", "W", reactive="q"), "column 'q' is not there"),
    ],
)
def test_columns_that_make_no_sense_are_refused(
    tmp_path: Path, columns: CurveColumns, complaint: str
) -> None:
    with pytest.raises(CurveError, match=complaint):
        curve_of(tmp_path, minutes("-1", "2"), columns)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"\x1f\x8b broken", b"time,power\n\x00\xff,1"]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "load.csv"
    path.write_bytes(content)
    with pytest.raises(CurveError, match=r"load\.csv"):
        read_curve(path, ISO_W)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CurveError, match="none"):
        read_curve(tmp_path / "none.csv", ISO_W)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(-(10**11), 10**11)), min_size=2, max_size=12)
)
def test_a_written_curve_is_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    times_ms = [T0_MS]
    for length, _ in steps:
        times_ms.append(times_ms[-1] + length * 10_000)
    series = StepSeries(times_ms[:-1], [value for _, value in steps], times_ms[-1])
    path = tmp_path_factory.mktemp("curve") / "curve.csv"
    write_curve(Curve("drawn", 10_000, series), path, 10_000)
    back = read_curve(path, CurveColumns("time", "power_W", "W"))
    assert (back.start_ms, back.end_ms, back.gaps) == (series.start_ms, series.end_ms, ())
    for at_ms in range(series.start_ms, series.end_ms, 10_000):
        assert back.power_uw(at_ms) == series.value_at(at_ms)


def test_a_curve_off_the_grid_is_not_written(tmp_path: Path) -> None:
    curve = Curve("odd", 1_000, StepSeries([T0_MS, T0_MS + 1_500], [1, 2], T0_MS + 3_000))
    with pytest.raises(CurveError, match="grid of 1000 ms"):
        write_curve(curve, tmp_path / "odd.csv", 1_000)
    with pytest.raises(CurveError, match="cannot be written"):
        write_curve(curve, tmp_path / "missing" / "odd.csv", 500)
