"""What a replay is told becomes a plan, or a clear refusal before anything is started."""

import argparse
import json
from pathlib import Path

import pytest
from wattle_hil.energy_check.point import read_points
from wattle_hil.errors import CurveError, HilError, ScheduleError
from wattle_hil.runs.demo import add_arguments as add_demo_arguments
from wattle_hil.runs.demo import plan_demo
from wattle_hil.runs.points_file import ReadingTimes, write_points
from wattle_hil.runs.replay_plan import add_arguments, plan_replay

LEDGER_ID = "ab" * 16


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    rows = [f"2024-01-01T00:{at // 60:02d}:{at % 60:02d},{at % 3}" for at in range(600)]
    path = tmp_path / "load.csv"
    path.write_text("\n".join(["t,p", *rows, ""]), encoding="utf-8")
    return path


def options(curve: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    columns = ("--time", "t", "--power", "p", "--unit", "kW")
    return parser.parse_args([str(curve), *columns, "--out", str(curve.parent / "run"), *words])


def test_every_device_has_counters_of_its_own_and_the_curve_beside_the_ledger(curve: Path) -> None:
    plan = plan_replay(options(curve, "--meters", "3", "--devices", "2", "--speed", "10"))
    devices = [device for meter in plan.meters for device in meter.devices]
    assert len(plan.meters) == 3
    assert len({device.initial_import_wh for device in devices}) == 6
    assert {device.load.path for device in devices} == {plan.folder.curves / "load.csv"}
    assert plan.kills == []
    # Even the last counter is where a float32 register shows single Wh.
    assert {device.tolerance_wh for device in devices} == {1}


def test_the_points_file_is_what_the_energy_check_reads(curve: Path) -> None:
    plan = plan_replay(options(curve, "--devices", "2", "--speed", "10"))
    times = ReadingTimes(10_000, 5_000, 1_704_067_000_000, 1_704_068_000_000)
    write_points(plan.folder, plan.meters, {"meter1": "12" * 8}, LEDGER_ID, times)
    ledger_id, points = read_points(plan.folder.points)
    assert ledger_id.hex() == LEDGER_ID
    assert [(point.meter, point.device) for point in points] == [("12" * 8, 1), ("12" * 8, 2)]
    assert points[0].curve.samefile(plan.folder.curves / "load.csv")
    assert (points[0].unit, points[0].interval_ms, points[0].resolution_wh) == ("kW", 10_000, 1)
    assert not Path(json.loads(plan.folder.points.read_text())["points"][0]["curve"]).is_absolute()


def test_a_slow_host_gets_the_time_it_asks_for_before_the_curve_begins(curve: Path) -> None:
    plan = plan_replay(options(curve, "--speed", "10", "--start-up", "40")).schedule
    assert plan.first_slot_ms - plan.begin_ms == 40_000 * 10


def test_kills_fall_into_the_curve(curve: Path) -> None:
    plan = plan_replay(options(curve, "--speed", "10", "--kill", "gateway,meter", "--kills", "2"))
    begin_ms, start_ms = plan.schedule.begin_ms, plan.meters[0].devices[0].load.curve.start_ms
    assert len(plan.kills) == 4
    assert all(kill.at_s >= (start_ms - begin_ms) / 10_000 for kill in plan.kills)
    assert all(kill.at_s <= plan.schedule.real_s for kill in plan.kills)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--unit", "kW", "--power", "q"), CurveError),
        (("--speed", "600", "--interval", "60"), ScheduleError),
        (("--speed", "60", "--kill", "gateway", "--kills", "9"), ScheduleError),
    ],
)
def test_what_cannot_be_done_leaves_no_folder(
    curve: Path, words: tuple[str, ...], error: type[HilError]
) -> None:
    with pytest.raises(error):
        plan_replay(options(curve, *words))
    assert not (curve.parent / "run").exists()


@pytest.mark.parametrize("targets", ["gateway,gateway", "ledger", ""])
def test_only_parts_that_there_are_can_be_killed(
    curve: Path, targets: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        options(curve, "--kill", targets)
    assert "expected some of gateway,broker,meter" in capsys.readouterr().err


def test_a_demonstration_has_other_loads_for_other_seeds(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_demo_arguments(parser)
    kettles = []
    for seed in ("1", "1", "2"):
        words = ["--once", "30", "--meters", "5", "--seed", seed]
        plan = plan_demo(parser.parse_args([*words, "--out", str(tmp_path / str(len(kettles)))]))
        names = list(plan.load_names.values())
        assert len(set(names)) == len(names) == 5
        for meter in plan.meters:
            assert meter.devices[0].load.path.is_file()
        kettles.append((plan.folder.curves / "1-kettle.csv").read_text(encoding="utf-8"))
    assert kettles[0] == kettles[1] != kettles[2]
