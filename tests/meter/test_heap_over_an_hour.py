"""An hour of readings at one a second fits the heap of a board, and leaves nothing behind in it."""

import json
import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_testkit import rom_image

PROFILES = Path(__file__).parents[2] / "firmware" / "profiles"
PROGRAM = Path(__file__).with_name("hour_on_device.py")
DEADLINE_S = 300
# A list or a number that grows by a step now and then is no leak; one byte a sample would be 3,300.
JITTER_BYTES = 1_024

pytestmark = pytest.mark.slow


def sampled(folder: Path, profile: str, devices: int, minutes: int) -> dict[str, object]:
    """What sampling in the heap of a board came to; skips without a 32-bit interpreter."""
    try:
        interpreter = parts.micropython(32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    image = rom_image.own_program(PROGRAM)
    command = rom_image.command(interpreter, folder / "firmware.romfs", image)
    arguments = (folder / "outbox", PROFILES / f"{profile}.json", str(devices), str(minutes))
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    print(f"peak {result['peak_bytes']} of {result['heap_bytes']} bytes")
    assert result["rounds"] == 60 * minutes
    assert (result["failed_readings"], result["missed_slots"]) == (0, 0)
    return result


def test_an_hour_of_samples_in_the_heap_of_a_board(tmp_path: Path) -> None:
    hour = sampled(tmp_path, "sdm120", 1, 60)
    # Ten minutes with a link and a sample a second, then ten readings in each.
    assert hour["samples"] == 10 * 60 + 50 * 60 // 10
    assert hour["waiting_rounds"] == 0
    assert hour["dropped"], "the outbox did not go around"
    used = hour["used_each_minute"]
    assert isinstance(used, list)
    assert len(used) == 60
    assert max(used[5:]) - min(used[5:]) <= JITTER_BYTES
    assert max(used[-10:]) <= max(used[-20:-10])


def test_four_devices_with_all_their_quantities_fit_too(tmp_path: Path) -> None:
    made = sampled(tmp_path, "sdm630", 4, 15)
    # Two rounds of 92 values share a sample while there is no link.
    assert made["samples"] == 10 * 60 + 5 * 60 // 2
