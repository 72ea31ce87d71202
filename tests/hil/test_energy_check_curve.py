"""The check's own reading of curves, against the bench's: two programs, one integral."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wattle_hil.curves.csv_file import CurveColumns, read_curve
from wattle_hil.curves.curve import NJ_PER_WH
from wattle_hil.curves.curve import Curve as BenchCurve
from wattle_hil.energy_check.curve import EXPORT, IMPORT, Curve, unix_ms
from wattle_hil.energy_check.errors import CannotCheckError
from wattle_hil.energy_check.point import Point

T0_S = 1_170_288_000
DATA = Path(__file__).parents[3] / "shared" / "data"
POINT = Point("00" * 8, 1, Path(), "t", "p", "W", 0, 0, 1, 1_000, 0, 0, 0)

# Steps: mostly the resolution, sometimes a little late, sometimes a gap; values as files have them.
steps_s = st.sampled_from([60, 60, 60, 60, 61, 90, 91, 600])
powers = st.one_of(
    st.integers(-9_000, 9_000).map(str),
    st.decimals(-9_000, 9_000, places=3, allow_nan=False).map(str),
    st.sampled_from(["", "?", "NaN", "1e3"]),
)


def both(path: Path, point: Point) -> tuple[Curve, BenchCurve]:
    columns = CurveColumns(point.time, point.power, point.unit, point.time_format)
    return Curve(replace(point, curve=path)), read_curve(path, columns)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(
    rows=st.lists(st.tuples(steps_s, powers), min_size=2, max_size=40),
    unit=st.sampled_from(["W", "kW"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    offsets_ms=st.lists(st.integers(-60_000, 10_000_000), min_size=1, max_size=6),
)
def test_both_programs_integrate_every_curve_alike(
    tmp_path: Path,
    rows: list[tuple[int, str]],
    unit: str,
    delimiter: str,
    offsets_ms: list[int],
) -> None:
    at_s, lines = T0_S, [f"t{delimiter}p"]
    for step_s, power in rows:
        lines.append(f"{at_s}{delimiter}{power}")
        at_s += step_s
    path = tmp_path / "load.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    ours, theirs = both(path, replace(POINT, unit=unit))
    assert (ours.start_ms, ours.end_ms) == (theirs.start_ms, theirs.end_ms)
    for offset_ms in offsets_ms:
        until_ms = ours.start_ms + offset_ms
        energy = theirs.energy(ours.start_ms, max(until_ms, ours.start_ms))
        assert ours.energy_wh(IMPORT, until_ms) == Fraction(energy.import_nj, NJ_PER_WH)
        assert ours.energy_wh(EXPORT, until_ms) == Fraction(energy.export_nj, NJ_PER_WH)


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared load curves are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "point", "import_wh"),
    [
        (
            "uci_household_2007-02-01_02_1min.csv",
            replace(
                POINT,
                time="Date+Time",
                power="Global_active_power",
                unit="kW",
                time_format="%m/%d/%Y %H:%M:%S",
            ),
            # shared/data/README.md: 48.9495 kWh (sum of kW / 60).
            48_949.533,
        ),
        (
            "lab_kettle_vacuum_heater_1s.csv",
            replace(POINT, time="Timestamp", power="Active (W)"),
            715.781,
        ),
    ],
)
def test_both_programs_read_the_real_curves_alike(
    name: str, point: Point, import_wh: float
) -> None:
    ours, theirs = both(DATA / name, point)
    energy = theirs.energy(ours.start_ms, ours.end_ms)
    assert ours.energy_wh(IMPORT, ours.end_ms) == Fraction(energy.import_nj, NJ_PER_WH)
    assert float(ours.energy_wh(IMPORT, ours.end_ms)) == pytest.approx(import_wh, abs=0.001)


@pytest.mark.parametrize(
    ("text", "time_format", "expected"),
    [
        ("2007-02-01 00:00:00", None, T0_S * 1_000),
        ("2007-02-01T01:00:00.250+01:00", None, T0_S * 1_000 + 250),
        (f"{T0_S}.9999", None, T0_S * 1_000 + 999),
        (f"{T0_S}123", None, T0_S * 1_000 + 123),
        ("12", "epoch_s", 12_000),
        ("12", "epoch_ms", 12),
        ("1.2.2007 00:00", "%d.%m.%Y %H:%M", T0_S * 1_000),
    ],
)
def test_times_are_read_as_the_bench_reads_them(
    text: str, time_format: str | None, expected: int
) -> None:
    assert unix_ms(text, time_format) == expected


def test_a_curve_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    for content, problem in (
        ("t,p\n", "0 rows"),
        ("t,p\n1170288000,1\n1170287999,1\n", "times do not rise"),
        ("t,p\n1170288000,one\n1170288001,1\n", "line 2"),
        ("t,q\n1170288000,1\n", "no columns"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(CannotCheckError, match=problem):
            Curve(replace(POINT, curve=path))
