"""A gateway build that loses one sample in 1,000 does not get through a replay."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_testkit.bench_run import need_micropython, processes_of

pytestmark = pytest.mark.slow

DEADLINE_S = 120.0
LENGTH_S = 120


def test_a_gateway_that_loses_samples_fails_the_run(tmp_path: Path) -> None:
    need_micropython()
    rows = [f"{1_700_000_000 + second},3600" for second in range(LENGTH_S)]
    (tmp_path / "load.csv").write_text("\n".join(["t,W", *rows, ""]), encoding="utf-8")
    columns = ("--time", "t", "--power", "W", "--unit", "W", "--speed", "10")
    run = tmp_path / "run"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "wattle_testkit.wrong_replay", str(tmp_path / "load.csv")),
            # Time enough to start everything on the slowest of machines.
            *(*columns, "--start-up", "25", "--out", str(run)),
        ],
        cwd=Path(__file__).parents[1] / "kit",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    checks = {
        check["name"]: check
        for check in json.loads((run / "report.json").read_text(encoding="utf-8"))["checks"]
    }
    assert not checks["energy"]["passed"]
    assert "expected samples 12 to 12, found none" in checks["energy"]["detail"]
    assert "a reading in each slot, found 1 left out before" in checks["energy"]["detail"]
    # It never said that it has them, and what it has is in order.
    assert not checks["all final"]["passed"]
    assert checks["nothing lost"]["passed"]
    assert checks["audit"]["passed"]
    assert processes_of(run) == []
