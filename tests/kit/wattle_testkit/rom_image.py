"""The firmware as a board carries it: linked, compiled, in read-only memory, outside the heap.

A MicroPython process that imports .py files compiles them into its heap: 100 kB of a 110 kB heap
would hold bytecode, which a board executes from flash. So the firmware becomes one .mpy file in a
ROMFS image (docs.micropython.org, "vfs", VfsRom), which `rom_boot.py` maps into memory.
"""

from pathlib import Path

from wattle_tools.image import build
from wattle_tools.image.linker.link import Source
from wattle_tools.image.romfs import rom_image
from wattle_tools.image.sources import LINUX, device_files

_ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = _ROOT / "firmware"
_KIT = Path(__file__).parent
_BOOT = _KIT / "rom_boot.py"
BOARD_HEAP = "110k"  # what an ESP32 has left for Python


def linux_board() -> build.Image:
    """The program of the Linux board, which is a meter."""
    return build.image(FIRMWARE, LINUX)


def own_program(program: Path) -> build.Image:
    """A test's own program with what it uses of the firmware and of the fakes of a board."""
    fakes = [
        Source("wattle_testkit", _KIT / "__init__.py"),
        Source("wattle_testkit.meter_fakes", _KIT / "meter_fakes.py"),
    ]
    firmware = [Source(file.module, file.path) for file in device_files(FIRMWARE, LINUX)]
    own = Source(program.stem, program)
    return build.program([*firmware, *fakes, own], program.stem)


def command(interpreter: Path, target: Path, image: build.Image) -> tuple[str, ...]:
    """How to run an image, written to the file `target`, in the heap of a board."""
    target.write_bytes(rom_image(image.files))
    return (
        str(interpreter),
        *("-X", f"heapsize={BOARD_HEAP}"),
        *(str(_BOOT), str(target), image.entry),
    )
