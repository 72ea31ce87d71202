"""The demonstration ends when it is asked to, checks itself, and leaves nothing behind."""

import json
import signal
from pathlib import Path

import pytest
from wattle_testkit.bench_run import need_micropython, processes_of, read_until, start_hil
from wattle_testkit.waiting import until

pytestmark = pytest.mark.slow

DEADLINE_S = 120.0


def test_ctrl_c_ends_it_with_a_passed_summary(tmp_path: Path) -> None:
    need_micropython()
    run = tmp_path / "run"
    process = start_hil("demo", "--gateways", "1", "--meters", "2", "--out", str(run))
    try:
        said = read_until(process, "2 points are in the ledger")
        said += read_until(process, "heat-pump: ")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 0, said + rest
    assert "Demonstration: passed" in rest
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert [point["load"] for point in report["points"]] == ["kettle", "heat-pump"]
    assert report["counts"]["samples"] >= 2
    assert processes_of(run) == []


def test_it_leaves_nothing_behind_when_it_is_killed(tmp_path: Path) -> None:
    need_micropython()
    run = tmp_path / "run"
    process = start_hil("demo", "--gateways", "2", "--meters", "1", "--out", str(run))
    try:
        read_until(process, "all meters are enrolled and started")
        # Gateways, their workers and brokers, the follower, the meter.
        assert len(processes_of(run)) >= 6
    finally:
        process.kill()
        process.communicate()
    until(lambda: processes_of(run) == [], DEADLINE_S, "all its processes are gone")
