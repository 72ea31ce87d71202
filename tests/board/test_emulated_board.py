"""What a board must do, on an emulated one: a Cortex-M3 with 110 kB of heap (`make board`).

Each program runs in a qemu of its own. Without the board these tests are skipped with the reason.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.bench.recording import RUNNING_INSTRUCTIONS_LIMIT, recording_cost
from wattle_hil.bench.signature import (
    INSTRUCTIONS_LIMIT,
    SLICE_LIMIT,
    BoardSignatureCost,
    board_signature_cost,
)
from wattle_hil.board import machine
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line
from wattle_hil.parts import PartMissingError
from wattle_testkit import device_cases
from wattle_tools.image import build
from wattle_tools.image.compiler import compiled, package
from wattle_tools.image.linker.link import Source
from wattle_tools.image.romfs import rom_image
from wattle_tools.image.sources import device_files

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
KIT = ROOT / "tests" / "kit" / "wattle_testkit"
CASES = [
    *sorted((ROOT / "tests" / "wire").glob("cases_*.py")),
    ROOT / "tests" / "meter" / "cases_float32.py",
]
# One group: the image is compiled once.
pytestmark = pytest.mark.xdist_group("emulated-board")

T0_MS = 1_170_288_000_000
HOUR_MS = 3_600_000


@pytest.fixture(scope="module", autouse=True)
def board() -> None:
    try:
        parts.board()
    except PartMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def firmware() -> dict[str, bytes]:
    """The packages of a meter, compiled."""
    return {
        **package(ROOT / "protocol" / "wattle_wire"),
        **package(ROOT / "firmware" / "wattle_meter"),
    }


def run(
    folder: Path, files: Mapping[str, bytes], *, line: Path | None = None, deadline_s: float = 120
) -> str:
    image = folder / "rom.img"
    image.write_bytes(rom_image(files))
    return machine.run(image, line=line, deadline_s=deadline_s)


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_the_cases_of_the_device_pass(
    tmp_path: Path, firmware: Mapping[str, bytes], cases: Path
) -> None:
    names = device_cases.case_names(cases)
    program = tmp_path / "program.py"
    program.write_text(
        f"import device_runner\n\ndef main():\n    device_runner.run({cases.stem!r}, {names!r})\n"
    )
    files = {
        **firmware,
        "device_runner.mpy": compiled(KIT / "device_runner.py"),
        # With its asserts and line numbers.
        f"{cases.stem}.mpy": compiled(cases, optimisation=0),
        "program.mpy": compiled(program),
    }
    results = device_cases.results(run(tmp_path, files), names, "the board ended")
    assert len(results) == len(names) > 0
    failed = {name: result.output for name, result in results.items() if not result.passed}
    assert not failed


@pytest.fixture(scope="module")
def cost(board: None) -> BoardSignatureCost:
    return board_signature_cost()


def test_a_signature_keeps_its_budget(cost: BoardSignatureCost) -> None:
    assert 1_000_000 < cost.sign_instructions <= cost.sign_instructions_max
    assert cost.sign_instructions_max <= INSTRUCTIONS_LIMIT


def test_nothing_with_a_key_holds_up_a_due_read(cost: BoardSignatureCost) -> None:
    longest = (
        cost.slice_instructions_max,
        cost.verify_slice_instructions_max,
        cost.ecdh_slice_instructions_max,
    )
    assert min(longest) > 0
    assert max(longest) <= SLICE_LIMIT


def test_in_the_heap_of_a_running_meter_too() -> None:
    cost = recording_cost()
    assert 50_000 < cost.heap_used < 60_000
    assert 1_000_000 < cost.sign_instructions <= cost.sign_instructions_max
    assert cost.sign_instructions_max <= RUNNING_INSTRUCTIONS_LIMIT
    assert cost.sign_instructions < cost.record_instructions
    assert 0 < cost.slice_instructions_max <= SLICE_LIMIT


def test_a_counted_run_ends_at_the_same_instruction(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import time\n\ndef main():\n    print(time.ticks_us())\n")
    image = tmp_path / "rom.img"
    image.write_bytes(rom_image({"program.mpy": compiled(program)}))
    counts = {int(machine.run(image, counted=True)) for _ in range(4)}
    assert len(counts) == 1
    assert counts.pop() > 1_000_000


def linked(program: Path) -> bytes:
    """A program with what it uses of the firmware, as one file, as a board's firmware is made."""
    firmware = ROOT / "firmware"
    own = [
        Source("serial_port", firmware / "boards" / "qemu" / "frozen" / "serial_port.py"),
        Source(program.stem, program),
    ]
    shared = [
        Source(file.module, file.path)
        for file in device_files(firmware)
        if file.module.startswith("wattle_")
    ]
    image = build.program([*shared, *own], program.stem)
    return image.files[f"{image.entry}.mpy"]


def test_metering_devices_are_read_over_the_second_uart(tmp_path: Path) -> None:
    curve = Curve("flat", HOUR_MS, StepSeries([T0_MS], [3_600 * UW_PER_W], T0_MS + 2 * HOUR_MS))
    devices = [
        EmulatedDevice(unit, FAMILIES[name], curve) for unit, name in ((1, "sdm120"), (2, "em340"))
    ]
    rows = [
        [1, "sdm120", ["ei", "f", "p", "u"]],
        [2, "em340", ["ei", "p", "u1"]],
        [9, "sdm120", ["p"]],  # nobody has this number
    ]
    profiles = ROOT / "firmware" / "profiles"
    files = {
        "program.mpy": linked(PROGRAMS / "read_meter.py"),
        "devices.json": json.dumps(rows).encode(),
        **{f"profiles/{file.name}": file.read_bytes() for file in profiles.glob("*.json")},
    }
    with Line(tmp_path / "line", devices, lambda: T0_MS + HOUR_MS) as line:
        readings, counts = map(json.loads, run(tmp_path, files, line=line.link).splitlines())
    assert readings == [
        ["G", {"ei": 3_600, "f": 5_000, "p": 36_000, "u": 2_300}],
        ["G", {"ei": 3_600, "p": 36_000, "u1": 2_300}],
        ["T", {"p": "T"}],
    ]
    assert counts["answer"] >= 2
    assert counts["timeout"] == 1
    assert counts["crc"] == counts["frame"] == counts["stale_bytes"] == 0


def test_the_outbox_on_littlefs_survives_a_cut_in_any_write(
    tmp_path: Path, firmware: Mapping[str, bytes]
) -> None:
    files = {**firmware, "program.mpy": compiled(PROGRAMS / "cut_outbox.py", optimisation=0)}
    seen = json.loads(run(tmp_path, files, deadline_s=300))
    assert seen["cuts"] > 100
    assert seen["erases"] > 0
    assert seen["torn"] == 0, "LittleFS shows an append whole or not at all"
