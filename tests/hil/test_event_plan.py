"""When an event of a demonstration happens, whatever the speed, and what its loads leave behind."""

import csv
import tomllib
from pathlib import Path

import pytest
from wattle_hil.curves.csv_file import read_curve
from wattle_hil.curves.curve import UW_PER_W
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_hil.energy_check.curve import IMPORT, Curve
from wattle_hil.energy_check.point import Point
from wattle_hil.errors import RunError
from wattle_hil.runs.adjustable_loads import adjustable_loads, plan_adjustable, write_tracks
from wattle_hil.runs.event_plan import PARTICIPANTS, event_times
from wattle_hil.runs.folder import RunFolder

T = 1_800_000_000_000


@pytest.mark.parametrize(
    ("speed", "sampling_ms", "interval_s"), [(1, 1_000, 12), (10, 10_000, 120), (60, 60_000, 720)]
)
def test_a_window_has_readings_enough_and_a_baseline_before_its_loads_move(
    speed: int, sampling_ms: int, interval_s: int
) -> None:
    times = event_times(speed, sampling_ms)
    assert times.interval_ms == interval_s * 1_000
    assert times.interval_ms >= 12 * sampling_ms
    market = tomllib.loads(times.market())
    assert market["interval_s"] == interval_s
    assert market["settle_ms"] < market["dispute_ms"]
    assert times.dispatch_before_ms < times.select_before_ms <= times.before_to_min * 60_000
    baseline_ms = (times.before_from_min - times.before_to_min) * 60_000
    assert baseline_ms >= times.interval_ms
    begin_ms = times.begin_after(T + 1, T + 5_000)
    assert begin_ms % times.interval_ms == 0
    assert begin_ms - times.before_from_min * 60_000 >= T + 1
    assert begin_ms - times.select_before_ms > T + 5_000


def test_readings_too_rare_for_an_event_are_refused() -> None:
    with pytest.raises(RunError, match="too rare for an event"):
        event_times(600, 600_000)


def test_what_a_load_drew_is_written_for_the_independent_check(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create()
    sources = adjustable_loads(folder, T)
    plans = plan_adjustable(sources)
    assert [plan.owner for plan in plans] == [one.owner for one in PARTICIPANTS]
    load = AdjustableLoad(100, T, 3_000)
    load.power.follow(T + 1_000, [(T + 12_345, 500 * UW_PER_W), (T + 31_000, 3_000 * UW_PER_W)])
    write_tracks(plans, {plans[0].name: load}, T + 60_000)
    path = sources[0].path
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["time", "power_W"]
    assert [str(T + 12_345), "500"] in rows
    until_ms = T + 60_000
    exact = load.power.energy(T, until_ms).import_nj
    curve = read_curve(path, sources[0].columns)
    assert curve.energy(T, until_ms).import_nj == exact
    point = Point("", 1, path, "time", "power_W", "W", 0, 0, 1, 1, 1, 1, 1)
    assert Curve(point).energy_wh(IMPORT, until_ms) * 3_600 * 10**9 == exact
    assert not sources[1].path.exists()
