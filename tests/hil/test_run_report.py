"""A run's folder becomes a report: readings, what is missing and why, delays."""

import json
from pathlib import Path

import pytest
from wattle_hil.errors import RunError
from wattle_hil.report.model import Check
from wattle_hil.runs.folder import PointNote, RunFolder, RunNote
from wattle_hil.runs.report import run_report
from wattle_testkit.ledger_export import COMMIT_DELAY_MS, INITIAL_WH, START_MS, Export

SPEED = 10


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def export(folder: RunFolder) -> Export:
    made = Export(folder.path, [3_600] * 30)
    made.sign_all(restart_at=12)
    return made


def note(folder: RunFolder, meter: str) -> None:
    point = PointNote(meter, 1, "kettle", "SDM120")
    RunNote("Replay", "wattle-hil replay", "2026-11-20", 7, SPEED, (point,)).write(folder.run)


def test_readings_restarts_and_delays_are_taken_from_the_files(
    folder: RunFolder, export: Export
) -> None:
    export.write()
    note(folder, export.meter.kid.hex())
    check = Check("energy", True, "agrees")
    report = run_report(folder, [check], [], {"host": "here"}, real_s=12.5)
    (point,) = report.points
    assert report.passed
    assert (point.name, point.load) == (f"{export.meter.kid.hex()}/1", "kettle")
    assert len(point.readings) == len(export.rows)
    assert point.readings[0].import_wh == INITIAL_WH
    assert point.net_wh(point.readings[-1]) == 30
    assert [stretch.reason for stretch in point.unread] == ["restart of the meter"]
    assert report.counts["starts of meters"] == 2
    assert report.counts["readings classed gap"] == 1
    assert report.latencies_ms["slot to commit"].median == COMMIT_DELAY_MS / SPEED


def test_stretches_of_failed_readings_are_named_with_their_letters(
    folder: RunFolder, export: Export
) -> None:
    for row, letter in zip(export.rows[3:6], "TTF", strict=True):
        row |= {"st": letter, "ei_wh": letter, "ee_wh": letter, "p_w": letter}
    export.write()
    note(folder, export.meter.kid.hex())
    report = run_report(folder, [], [], {}, real_s=1)
    (failed,) = (one for one in report.points[0].unread if "failed" in one.reason)
    assert failed.reason == "reading failed: F, T"
    assert (failed.from_ms, failed.to_ms) == (START_MS + 1_000, START_MS + 4_000)
    assert report.counts["readings that failed"] == 3
    assert not report.passed


def test_a_folder_of_something_else_is_refused(folder: RunFolder, export: Export) -> None:
    with pytest.raises(RunError, match="not the note of a run"):
        run_report(folder, [], [], {}, real_s=1)
    export.write()
    note(folder, "00" * 8)
    with pytest.raises(RunError, match="not in the note"):
        run_report(folder, [], [], {}, real_s=1)
    folder.run.write_text(json.dumps({"title": "x"}), encoding="utf-8")
    with pytest.raises(RunError, match="not the note of a run"):
        run_report(folder, [], [], {}, real_s=1)


def test_a_run_never_uses_a_folder_that_holds_something(folder: RunFolder) -> None:
    folder.create()
    with pytest.raises(RunError, match="is not empty"):
        folder.create()
