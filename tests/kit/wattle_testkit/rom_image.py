"""The firmware as a board carries it: compiled, in read-only memory, outside the heap.

A MicroPython process that imports .py files compiles them into its heap: 100 kB of a 110 kB heap
would hold bytecode, which a board executes from flash. So the firmware is compiled by mpy-cross
into a ROMFS image (docs.micropython.org, "vfs", VfsRom), which `rom_boot.py` maps into memory.
"""

from pathlib import Path

from wattle_tools.image.compiler import compiled, package
from wattle_tools.image.romfs import rom_image

_ROOT = Path(__file__).resolve().parents[3]
_KIT = Path(__file__).parent
_BOOT = _KIT / "rom_boot.py"
_FAKES = ("__init__", "meter_fakes")
BOARD_HEAP = "110k"  # what an ESP32 has left for Python
LINUX_BOARD = tuple((_ROOT / "firmware" / "boards" / "linux").glob("*.py"))


def build(target: Path, *programs: Path) -> Path:
    """Compiles wattle_wire, wattle_meter, the fakes of a board and, on top, `programs`.

    Gives `target`, the ROMFS image.
    """
    files = {
        **package(_ROOT / "protocol" / "wattle_wire"),
        **package(_ROOT / "firmware" / "wattle_meter"),
    }
    files |= {f"wattle_testkit/{name}.mpy": compiled(_KIT / f"{name}.py") for name in _FAKES}
    files |= {f"{program.stem}.mpy": compiled(program) for program in programs}
    target.write_bytes(rom_image(files))
    return target


def command(interpreter: Path, image: Path, program: str) -> tuple[str, ...]:
    """How to run `program` (a module with a function main) of an image in the heap of a board."""
    return (
        str(interpreter),
        "-X",
        f"heapsize={BOARD_HEAP}",
        str(_BOOT),
        str(image),
        program,
    )
