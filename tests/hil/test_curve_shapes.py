"""Synthetic curves: the same from the same seed, and of the kind their name says."""

import hashlib
from pathlib import Path

import pytest
from wattle_hil.curves.csv_file import CurveColumns, read_curve, write_curve
from wattle_hil.curves.curve import NJ_PER_WH, UW_PER_W, Curve
from wattle_hil.curves.shapes import MAX_DURATION_MS, SHAPES, STEP_MS
from wattle_hil.errors import CurveError

MIDNIGHT_MS = 1_170_288_000_000
DAY_MS = 86_400_000


def day_of(name: str, seed: int = 1) -> Curve:
    return SHAPES[name](MIDNIGHT_MS, DAY_MS, seed)


def fingerprint(curve: Curve) -> str:
    parts = [curve.active_uw.times_ms.tobytes(), curve.active_uw.values.tobytes()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


# From Python 3.11 on amd64. Random.randrange is the same on every platform.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kettle", "28659483bb7dc4f9"),
        ("heat-pump", "e7339754524a785a"),
        ("ev-charger", "52767492c379e566"),
        ("pv-export", "52b7d4b0176213ab"),
        ("office", "8dcf805b30403bbd"),
    ],
)
def test_a_seed_gives_the_same_curve_everywhere(name: str, expected: str) -> None:
    assert fingerprint(day_of(name)) == expected
    assert fingerprint(day_of(name, seed=2)) != expected


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_fills_its_time_on_the_grid_and_survives_its_csv(name: str, tmp_path: Path) -> None:
    curve = SHAPES[name](MIDNIGHT_MS, 3 * 3_600_000, 5)
    assert (curve.start_ms, curve.end_ms) == (MIDNIGHT_MS, MIDNIGHT_MS + 3 * 3_600_000)
    path = tmp_path / "shape.csv"
    write_curve(curve, path, STEP_MS)
    back = read_curve(path, CurveColumns("time", "power_W", "W"))
    assert back.energy(back.start_ms, back.end_ms) == curve.energy(curve.start_ms, curve.end_ms)


# Bounds from the shapes' own descriptions: W at least, at most; Wh imported, exported in a day.
@pytest.mark.parametrize(
    ("name", "least_w", "most_w", "import_kwh", "export_kwh"),
    [
        ("kettle", 0, 2_200, (2, 16), (0, 0)),
        ("heat-pump", 12, 3_900, (20, 60), (0, 0)),
        ("ev-charger", 5, 11_050, (60, 200), (0, 0)),
        ("pv-export", -9_000, 3, (0.02, 0.04), (50, 84)),
        ("office", 810, 7_700, (75, 95), (0, 0)),
    ],
)
def test_a_day_looks_like_its_appliance(
    name: str,
    least_w: int,
    most_w: int,
    import_kwh: tuple[float, float],
    export_kwh: tuple[float, float],
) -> None:
    curve = day_of(name)
    values = curve.active_uw.values
    assert least_w * UW_PER_W <= min(values) < max(values) <= most_w * UW_PER_W
    energy = curve.energy(curve.start_ms, curve.end_ms)
    assert import_kwh[0] <= energy.import_nj / NJ_PER_WH / 1_000 <= import_kwh[1]
    assert export_kwh[0] <= energy.export_nj / NJ_PER_WH / 1_000 <= export_kwh[1]


@pytest.mark.parametrize("name", ["kettle", "heat-pump", "ev-charger"])
def test_something_happens_within_the_first_two_minutes(name: str) -> None:
    curve = day_of(name)
    assert max(curve.power_uw(MIDNIGHT_MS + at_ms) for at_ms in (0, 70_000)) > 1_000 * UW_PER_W


@pytest.mark.parametrize(
    ("start_ms", "duration_ms", "complaint"),
    [
        (MIDNIGHT_MS + 1, DAY_MS, "multiples of 10000"),
        (MIDNIGHT_MS, 15_000, "multiples of 10000"),
        (MIDNIGHT_MS, 0, "expected 10000 to"),
        (MIDNIGHT_MS, MAX_DURATION_MS + STEP_MS, "expected 10000 to"),
    ],
)
def test_a_start_or_duration_off_the_grid_is_refused(
    start_ms: int, duration_ms: int, complaint: str
) -> None:
    with pytest.raises(CurveError, match=complaint):
        SHAPES["kettle"](start_ms, duration_ms, 1)
