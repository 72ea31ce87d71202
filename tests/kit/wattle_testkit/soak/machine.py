"""The interpreter of a soak: the firmware in read-only memory, and a heap as a board has it.

The firmware stands there as its modules, not linked into one, so that parts of it can be replaced.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wattle_hil import parts
from wattle_hil.board import program

_ROOT = Path(__file__).resolve().parents[4]
_BOOT = Path(__file__).resolve().parents[1] / "rom_boot.py"
_PROGRAMS = _ROOT / "tests" / "soak" / "programs"
_LINUX = _ROOT / "firmware" / "boards" / "linux"
_PACKAGES = (_ROOT / "protocol" / "wattle_wire", _ROOT / "firmware" / "wattle_meter")
_COUNTED = re.compile(r"harness: (\d+)\n.*n_total_bytes=(\d+)", re.DOTALL)
BOARD_HEAP_BYTES = 110 * 1_024  # what an ESP32 has left for Python


@dataclass(frozen=True)
class Machine:
    """`command`: how to start a life, up to its FOLDER; `extra_bytes`: heap beyond a board's, for
    what a board keeps elsewhere.
    """

    command: tuple[str, ...]
    extra_bytes: int


def build(folder: Path) -> Machine:
    """Makes the image in `folder`. Raises PartMissingError where there is no 32-bit interpreter."""
    interpreter = parts.micropython(32)
    programs = {path.stem: path for path in _PROGRAMS.glob("*.py")}
    programs |= {name: _LINUX / f"{name}.py" for name in ("file_store", "host")}
    image = folder / "firmware.romfs"
    image.write_bytes(program.image(_PACKAGES, programs))
    counting = _command(interpreter, image, BOARD_HEAP_BYTES, "soak_cost")
    done = subprocess.run(counting, capture_output=True, text=True, check=True)
    found = _COUNTED.search(done.stdout)
    assert found is not None, done.stdout
    extra = int(found[1]) + int(found[2])
    return Machine(_command(interpreter, image, BOARD_HEAP_BYTES + extra, "soak_meter"), extra)


def _command(interpreter: Path, image: Path, heap_bytes: int, name: str) -> tuple[str, ...]:
    return (str(interpreter), "-X", f"heapsize={heap_bytes}", str(_BOOT), str(image), name)
