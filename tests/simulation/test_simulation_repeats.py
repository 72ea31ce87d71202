"""A seed is one run: on every machine, whatever the order of hashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATHS = [str(Path(__file__).resolve().parents[1] / "kit")]
PATHS.append(str(Path(__file__).resolve().parents[2] / "firmware"))
CODE = """
from wattle_testkit.simulation.campaign import run_options
from wattle_testkit.simulation.options import draw
for seed, size in ((11, 4), (3, 7)):
    result = run_options(draw(seed, size), fingerprint=True)
    print(seed, size, result.fingerprint, result.tally, result.failure)
"""


def run_with(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
def test_two_processes_with_other_hashes_do_the_same_step_by_step() -> None:
    one, other = run_with("1"), run_with("2")
    assert one == other
    assert one.count("Tally") == 2
