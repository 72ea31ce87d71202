"""An update whose power is cut at any write to the flash leaves the old version or the new one."""

import json
import os
import subprocess
from pathlib import Path

from wattle_hil import parts

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "cut_update.py"
_ROOMS = ("protocol", "firmware", "firmware/boards/linux", "tests/kit")
_DEADLINE_S = 120


def test_every_prefix_of_writes_to_littlefs_is_one_version_or_the_other() -> None:
    path = ":".join([*(f"{ROOT}/{room}" for room in _ROOMS), ".frozen"])
    done = subprocess.run(
        [parts.micropython(64), "-X", "heapsize=8m", PROGRAM],
        env=os.environ | {"MICROPYPATH": path},
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert min(seen["old"], seen["new"]) > 10, seen
    assert seen["last"] == 6
