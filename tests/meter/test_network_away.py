"""The network goes without a word, names are not answered, flash is full: nothing is reset for it.

A network of its own, which can be taken away, and a file system that is too small need a user
namespace; where the system gives none, these tests say so and are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "programs" / "network_away.py"
KIT = Path(__file__).parents[1] / "kit"
NAMESPACES = ("unshare", "--map-root-user", "--net", "--mount")
STORY_S = 200

pytestmark = pytest.mark.slow


def told(folder: Path, story: str) -> dict[str, Any]:
    """What the gateway of the story got, and what the meter counted."""
    try:
        subprocess.run([*NAMESPACES, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no user namespaces here: {error}")
    search = os.pathsep.join([str(KIT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*NAMESPACES, sys.executable, PROGRAM, folder, story],
        capture_output=True,
        text=True,
        timeout=STORY_S,
        check=False,
        env=os.environ | {"PYTHONPATH": search},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_sampling_never_waits_for_a_network_that_is_gone(tmp_path: Path) -> None:
    found = told(tmp_path, "away")
    assert (found["broken"], found["broken_links"], found["gaps"]) == ([], [], [])
    assert found["boots"] == [1]
    assert found["seqs"] == list(range(1, max(found["seqs"]) + 1))
    assert found["steps_ms"] == [500]
    assert (found["restarts"], found["opened"]) == (0, 2)
    # A look-up that waits costs every slot for seconds, again and again; a busy host some.
    assert found["missed_slots"] * 4 <= found["rounds"]


def test_full_flash_costs_the_oldest_samples_and_says_so(tmp_path: Path) -> None:
    found = told(tmp_path, "full")
    assert found["broken"] == []
    assert found["boots"] == [1]
    assert (found["restarts"], found["unsaved"]) == (0, 0)
    assert found["write_failed"] >= 1
    reasons = {reason for _, _, reason in found["gaps"]}
    assert reasons == {2}  # full
    declared = {seq for first, to, _ in found["gaps"] for seq in range(first, to + 1)}
    assert len(declared) >= 10
    assert found["whole"]
