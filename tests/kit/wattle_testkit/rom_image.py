"""The firmware as a board carries it: compiled, in read-only memory, outside the heap.

A MicroPython process that imports .py files compiles them into its heap: 100 kB of a 110 kB heap
would hold bytecode, which a board executes from flash. So the firmware is compiled by mpy-cross
into a ROMFS image (docs.micropython.org, "vfs", VfsRom), which `rom_boot.py` maps into memory.
"""

from collections.abc import Iterable
from pathlib import Path

from wattle_testkit.device_image import DeviceFile

_ROOT = Path(__file__).resolve().parents[3]
_KIT = Path(__file__).parent
_BOOT = _KIT / "rom_boot.py"
OPTIMISATION = 3  # that of firmware/manifest.py
BOARD_HEAP = "110k"  # what an ESP32 has left for Python
LINUX_BOARD = tuple((_ROOT / "firmware" / "boards" / "linux").glob("*.py"))

# ROMFS records (MicroPython extmod/vfs_rom.c): kind and length as big-endian base-128 numbers.
_MAGIC = b"\xd2\xcd\x31"
_DATA, _DIRECTORY, _FILE = 2, 4, 5


def build(target: Path, *programs: Path) -> Path:
    """Compiles wattle_wire, wattle_meter, the fakes of a board and, on top, `programs`.

    Gives `target`, the ROMFS image.
    """
    packages = {
        "wattle_wire": (_ROOT / "protocol" / "wattle_wire").glob("*.py"),
        "wattle_meter": (_ROOT / "firmware" / "wattle_meter").glob("*.py"),
        "wattle_testkit": (_KIT / "__init__.py", _KIT / "meter_fakes.py"),
    }
    content = b"".join(_directory(name, _modules(files)) for name, files in packages.items())
    content += b"".join(_modules(programs))
    length = _number(len(content))
    if (len(_MAGIC) + len(length) + len(content)) % 2:
        length = b"\x80" + length  # the image has an even length
    target.write_bytes(_MAGIC + length + content)
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


def _modules(sources: Iterable[Path]) -> Iterable[bytes]:
    for source in sorted(sources):
        compiled = DeviceFile(source, OPTIMISATION).compiled()
        yield _record(_FILE, _named(f"{source.stem}.mpy") + _record(_DATA, compiled))


def _directory(name: str, records: Iterable[bytes]) -> bytes:
    return _record(_DIRECTORY, _named(name) + b"".join(records))


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _named(name: str) -> bytes:
    return _number(len(name)) + name.encode()


def _number(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))
