"""The start of an ESP32 on real MicroPython; chip, NVS and flash are files and fakes."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import boot_choice
import pytest
from wattle_hil import parts
from wattle_testkit.meter_site import FIRMWARE
from wattle_testkit.update_sender import program_image
from wattle_tools.image import romfs

DEADLINE_S = 20.0
SECTOR = 4096
MARK = b"\x01"  # of nvs_store
REST = bytes([1, 2]) + (9).to_bytes(8, "big") + (8).to_bytes(8, "big")  # of a record
SAYS = "def main(*arguments):\n    print('runs', %r)\n"
FAILS = "def main(*arguments):\n    raise ValueError('broken')\n"

# What a chip has: NVS is a file, the partition another one; a reset ends the program.
CHIP = """
import sys
import vfs

class NVS:
    def __init__(self, name):
        assert name == "wattle"
    def get_blob(self, key, buffer):
        try:
            with open(FOLDER + "/" + key, "rb") as file:
                data = file.read()
        except OSError:
            raise OSError(-0x1102)
        buffer[: len(data)] = data
        return len(data)
    def set_blob(self, key, value):
        with open(FOLDER + "/" + key, "wb") as file:
            file.write(value)
    def commit(self):
        pass

class Esp32:
    NVS = NVS

class Machine:
    @staticmethod
    def WDT(timeout):
        print("watchdog", timeout)
    @staticmethod
    def reset():
        print("reset")
        sys.exit(0)

with open(FOLDER + "/flash", "rb") as file:
    FLASH = bytearray(file.read())

class Vfs:
    VfsRom = vfs.VfsRom
    mount = vfs.mount
    @staticmethod
    def rom_ioctl(operation, segment):
        assert (operation, segment) == (2, 0)
        return memoryview(FLASH)

sys.modules.update({"esp32": Esp32, "machine": Machine, "vfs": Vfs})
sys.path[:] = [FOLDER, FIRMWARE, ".frozen"]
with open(FIRMWARE + "/main.py") as file:
    exec(compile(file.read(), "main.py", "exec"))
"""


@dataclass
class Chip:
    """A board: `folder` holds NVS, flash and what was installed."""

    folder: Path

    def install(self, name: str, source: str) -> None:
        """The program that a technician installed."""
        (self.folder / f"{name}.py").write_text(source)

    def write(self, slot: int, image: bytes) -> None:
        """Puts an image into a slot of the partition."""
        flash = bytearray((self.folder / "flash").read_bytes())
        at = slot * (len(flash) // 3 // SECTOR * SECTOR)
        flash[at : at + len(image)] = image
        (self.folder / "flash").write_bytes(flash)

    def record(self, *numbers: int) -> None:
        """The record: tries, slot on trial, slot that stands."""
        (self.folder / boot_choice.RECORD_KEY).write_bytes(MARK + bytes(numbers) + REST)

    def stored(self) -> tuple[int, ...]:
        """The same as it is now."""
        data = (self.folder / boot_choice.RECORD_KEY).read_bytes()
        assert (data[:1], data[4:14]) == (MARK, REST[:10])
        return tuple(data[1:4])

    def start(self) -> list[str]:
        """One start; what was printed, without tracebacks."""
        names = {"FOLDER": str(self.folder), "FIRMWARE": str(FIRMWARE)}
        head = "".join(f"{name} = {json.dumps(value)}\n" for name, value in names.items())
        (self.folder / "chip").write_text(head + CHIP)
        done = subprocess.run(
            [parts.micropython(64), self.folder / "chip"],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        words = ("runs", "watchdog", "reset", "slot", "ValueError")
        return [line for line in done.stdout.splitlines() if line.startswith(words)]


@pytest.fixture
def chip(tmp_path: Path) -> Chip:
    (tmp_path / "flash").write_bytes(b"\xff" * (3 * 2 * SECTOR + 100))
    made = Chip(tmp_path)
    made.install("wattle", SAYS % "installed")
    return made


def test_what_was_installed_runs_until_there_is_an_update(chip: Chip) -> None:
    assert chip.start() == ["runs installed"]
    (chip.folder / "wattle.py").unlink()
    chip.install("esp32_board", SAYS % "frozen")
    assert chip.start() == ["runs frozen"]


def test_a_version_on_trial_has_three_starts_under_a_watchdog(chip: Chip) -> None:
    chip.write(1, program_image(chip.folder, FAILS))
    chip.record(0, 1, 0)
    for tries in (1, 2, 3):
        assert chip.start() == ["watchdog 60000", "ValueError: broken", "reset"]
        assert chip.stored() == (tries, 1, 0)
    for _ in range(2):
        assert chip.start() == ["runs installed"]
        assert chip.stored() == (boot_choice.GIVEN_UP, 1, 0)


def test_a_version_on_trial_that_ends_has_had_its_try(chip: Chip) -> None:
    chip.write(2, program_image(chip.folder, SAYS % "second"))
    chip.record(0, 2, 1)
    assert chip.start() == ["watchdog 60000", "runs second", "reset"]


def test_a_version_that_stands_runs_without_a_count(chip: Chip) -> None:
    chip.write(2, program_image(chip.folder, SAYS % "second"))
    chip.record(boot_choice.STANDS, 2, 2)
    for _ in range(4):
        assert chip.start() == ["runs second"]
    assert chip.stored() == (boot_choice.STANDS, 2, 2)


def test_an_empty_slot_on_trial_is_a_failed_start(chip: Chip) -> None:
    chip.record(2, 1, 0)
    *said, last = chip.start()
    assert last == "reset"
    assert said[0].startswith("slot 1: ")
    assert chip.start() == ["runs installed"]


def test_a_slot_that_is_worn_out_leaves_what_was_installed(chip: Chip) -> None:
    """It says so for good: the birth must not name a version that does not run."""
    for image in (b"\xff" * 100, romfs.rom_image({"other": b""})):
        chip.record(boot_choice.STANDS, 1, 1)
        chip.write(1, image)
        assert chip.start()[-1] == "runs installed"
        assert chip.stored() == (boot_choice.STANDS, 0, 0)
        assert chip.start() == ["runs installed"]
