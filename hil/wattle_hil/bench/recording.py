"""What a sample costs in the heap of a running meter, counted on the emulated board.

The program is linked as that of an ESP32 is (wattle_tools.image): names and functions take heap,
and each collection looks at all that is there.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.errors import ImageError
from wattle_tools.image import build
from wattle_tools.image.linker.link import Source
from wattle_tools.image.romfs import rom_image
from wattle_tools.image.sources import device_files

from wattle_hil.board import machine
from wattle_hil.children.programs import checkout
from wattle_hil.errors import BenchError, BoardError

_SCRIPT = Path("firmware/bench/recording.py")
_SAMPLES = 6
# What a meter with one device and a connection keeps besides its code, on the 32-bit interpreter.
_BALLAST_BYTES = 16_384
_DEADLINE_S = 300.0
# Of a signature there, where collections are a quarter of it; 12 million hold in an empty heap.
RUNNING_INSTRUCTIONS_LIMIT = 16_500_000


@dataclass(frozen=True)
class RecordingCost:
    """Instructions of a sample from readings to outbox, and of its signature alone: median and
    most; the most between two yields; bytes of heap in use and free after a collection.
    """

    samples: int
    record_instructions: int
    record_instructions_max: int
    sign_instructions: int
    sign_instructions_max: int
    slice_instructions_max: int
    heap_used: int
    heap_free: int


def recording_cost() -> RecordingCost:
    """Raises PartMissingError without a board; BoardError, BenchError, ProcessError."""
    room = checkout()
    firmware = [
        Source(file.module, file.path)
        for file in device_files(room / "firmware")
        if file.module.startswith("wattle_")
    ]
    try:
        linked = build.program([*firmware, Source("recording", room / _SCRIPT)], "recording")
    except ImageError as error:
        raise BoardError(str(error)) from error
    files = {
        "program.mpy": linked.files[f"{linked.entry}.mpy"],
        "recording.json": json.dumps([_SAMPLES, _BALLAST_BYTES]).encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "rom.img"
        image.write_bytes(rom_image(files))
        said = machine.run(image, counted=True, deadline_s=_DEADLINE_S)
    try:
        row: dict[str, int] = json.loads(said)
        return RecordingCost(
            samples=row["samples"],
            record_instructions=machine.instructions(row["record_us"]),
            record_instructions_max=machine.instructions(row["record_us_max"]),
            sign_instructions=machine.instructions(row["sign_us"]),
            sign_instructions_max=machine.instructions(row["sign_us_max"]),
            slice_instructions_max=machine.instructions(row["slice_us_max"]),
            heap_used=row["heap_used"],
            heap_free=row["heap_free"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"the script said {said[:200]!r}") from error
