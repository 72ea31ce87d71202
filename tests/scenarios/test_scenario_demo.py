"""The whole demonstration: a gateway dies, its meter (real firmware) moves by itself to another,
the gateway comes back, and at the end there is one ledger in which nothing is missing."""

import csv
import json
from pathlib import Path

import pytest
from wattle_testkit.bench_run import need_micropython, processes_of, start_hil

pytestmark = pytest.mark.slow

DEADLINE_S = 300.0
# The meter moves after `final` stood still for a minute.
ONCE_S = 66


def test_a_meter_whose_gateway_dies_moves_by_itself_and_loses_nothing(tmp_path: Path) -> None:
    need_micropython()
    run = tmp_path / "run"
    process = start_hil("demo", "--once", str(ONCE_S), "--out", str(run))
    try:
        said, _ = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 0, said
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert [check["name"] for check in report["checks"]] == [
        "energy",
        "all final",
        "demand response",
        "nothing lost",
        "statements",
        "audit",
        "one ledger",
    ]
    assert all(check["passed"] for check in report["checks"])
    events = [event["text"] for event in report["events"]]
    (killed,) = [text for text in events if text.startswith("kill -9 of bench-4; at it: ")]
    meter = killed.rpartition(" ")[2]
    (moved,) = [text for text in events if text.startswith(f"{meter} has moved to bench-")]
    assert events.index(killed) < events.index(moved)
    assert any(text.startswith("bench-4 has caught up after ") for text in events)
    with (run / "samples.csv").open(encoding="utf-8", newline="") as file:
        seqs = [int(row["seq"]) for row in csv.DictReader(file) if row["meter"] == meter]
    assert sorted(seqs) == list(range(1, len(seqs) + 1)), "each seq once, none left out"
    assert len(seqs) >= ONCE_S - 10
    assert processes_of(run) == []
