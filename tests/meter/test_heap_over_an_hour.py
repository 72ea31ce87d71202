"""3,600 samples at one a second fit the heap of a board, and leave nothing behind in it."""

import json
import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_testkit import rom_image

ROOT = Path(__file__).parents[2]
SDM120 = ROOT / "firmware" / "profiles" / "sdm120.json"
PROGRAM = Path(__file__).with_name("hour_on_device.py")
DEADLINE_S = 300
# A list or a number that grows by a step now and then is no leak; one byte a sample would be 3,300.
JITTER_BYTES = 1_024


@pytest.mark.slow
def test_an_hour_of_samples_in_the_heap_of_a_board(tmp_path: Path) -> None:
    try:
        interpreter = parts.micropython(32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    image = rom_image.build(tmp_path / "firmware.romfs", PROGRAM)
    command = rom_image.command(interpreter, image, PROGRAM.stem)
    done = subprocess.run(
        [*command, str(tmp_path / "outbox"), str(SDM120)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hour = json.loads(done.stdout)
    print(f"peak {hour['peak_bytes']} of {hour['heap_bytes']} bytes")
    assert (hour["samples"], hour["rounds"]) == (3_600, 3_600)
    assert (hour["failed_readings"], hour["missed_slots"]) == (0, 0)
    assert hour["dropped"] > 0  # the outbox went around
    used = hour["used_each_minute"]
    assert len(used) == 60
    assert max(used[5:]) - min(used[5:]) <= JITTER_BYTES
    assert max(used[-10:]) <= max(used[-20:-10])
    assert hour["peak_bytes"] < hour["heap_bytes"] * 3 // 4
