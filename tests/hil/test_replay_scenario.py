"""A whole replay on real parts, each of them killed on the way, and gateways that lie about it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil.energy_check.__main__ import FAILED, PASSED
from wattle_hil.energy_check.__main__ import main as check_energy
from wattle_hil.runs.ledger_rows import read_rows
from wattle_testkit.bench_run import need_micropython, processes_of, start_hil

pytestmark = pytest.mark.slow

DEADLINE_S = 180.0
SPEED = 10
LENGTH_S = 360
# Time enough for the slowest of machines: this test is not about how fast things start.
START_UP_S = 30
# Steps of kW, export, and a stretch without rows.
LEVELS_W = (120, 2_315, 7_740, -3_450, 15, 4_999)
GAP_S = range(200, 230)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a replay with two meters during which everything was killed once."""
    need_micropython()
    folder = tmp_path_factory.mktemp("replay")
    rows = [
        f"2024-02-29 23:5{5 + second // 60}:{second % 60:02d},{LEVELS_W[second // 25 % 6]}"
        if second < 300
        else f"2024-03-01 00:00:{second - 300:02d},{LEVELS_W[second // 25 % 6]}"
        for second in range(LENGTH_S)
        if second not in GAP_S
    ]
    (folder / "load.csv").write_text("\n".join(["when,W", *rows, ""]), encoding="utf-8")
    words = ("--time", "when", "--power", "W", "--unit", "W", "--speed", str(SPEED))
    parts = ("--meters", "2", "--device", "sdm630", "--start-up", str(START_UP_S))
    parts += ("--out", str(folder / "run"))
    kills = ("--kill", "gateway,broker,meter", "--kills", "1", "--seed", "3")
    process = start_hil("replay", str(folder / "load.csv"), *words, *parts, *kills)
    said, _ = process.communicate(timeout=DEADLINE_S)
    (folder / "said.txt").write_text(said, encoding="utf-8")
    assert process.returncode == 0, said
    return folder / "run"


def test_the_ledger_has_what_the_load_did_although_every_part_was_killed(run: Path) -> None:
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["passed"]
    names = ["energy", "all final", "nothing lost", "audit"]
    assert [check["name"] for check in report["checks"]] == names
    assert all(check["passed"] for check in report["checks"])
    events = " ".join(event["text"] for event in report["events"])
    for part in ("gateway", "broker", "meter"):
        assert f"kill -9 of {part}" in events
    assert events.count(" is back after ") == 3
    energy = json.loads((run / "energy_check.json").read_text(encoding="utf-8"))
    assert [point["curve_enclosed"] for point in energy["points"]] == [True, True]
    assert sum(point["restarts"] for point in energy["points"]) == 1


def test_the_gap_in_the_curve_was_named_and_stands_in_the_report(run: Path) -> None:
    said = (run.parent / "said.txt").read_text(encoding="utf-8")
    assert "gap in the curve: 2024-02-29T23:58:20Z to 2024-02-29T23:58:50Z (30 s): no rows" in said
    assert "(30 s): no rows" in (run / "report.html").read_text(encoding="utf-8")


def test_the_samples_carry_the_time_of_the_curve(run: Path) -> None:
    rows = list(read_rows(run / "samples.csv"))
    seconds = [row.time_ms // 1_000 for row in rows]
    # 2024-02-29T23:55:00Z and six minutes later.
    assert min(seconds) < 1_709_250_900
    assert max(seconds) >= 1_709_250_900 + LENGTH_S
    assert max(seconds) - min(seconds) < LENGTH_S + START_UP_S * SPEED + 120


def test_nothing_is_left_running(run: Path) -> None:
    assert processes_of(run) == []


def test_a_run_can_be_checked_again(run: Path) -> None:
    process = start_hil("check", str(run))
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert said.count("[passed]") == 3


@pytest.mark.parametrize(
    ("wrong", "rules"),
    [("drop", {"chain", "slots"}), ("shift", {"row"}), ("rewrite", {"signature", "chain"})],
)
def test_a_gateway_that_lies_fails_the_energy_check(
    run: Path, capsys: pytest.CaptureFixture[str], wrong: str, rules: set[str]
) -> None:
    exported = run.parent / f"{wrong}.csv"
    lie = [sys.executable, "-m", "wattle_testkit.wrong_gateway", wrong, "samples"]
    kit = Path(__file__).parents[1] / "kit"
    with exported.open("wb") as file:
        subprocess.run(
            [*lie, str(run / "gateway"), "--format", "csv", "--raw"],
            stdout=file,
            cwd=kit,
            timeout=DEADLINE_S,
            check=True,
        )
    meters = ("--meters", str(run / "meters.csv"))
    assert check_energy([str(run / "points.json"), *meters, "--samples", str(exported)]) == FAILED
    printed = capsys.readouterr().out.splitlines()
    assert {line.split(":")[0] for line in printed if line.split(":")[0] in rules} == rules
    true = ("--samples", str(run / "samples.csv"))
    assert check_energy([str(run / "points.json"), *meters, *true]) == PASSED
