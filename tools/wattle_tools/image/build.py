"""The image of a board: its whole program as one compiled file."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.errors import ImageError
from wattle_tools.image import compiler, sources
from wattle_tools.image.linker import link
from wattle_tools.image.linker.readable import Readable
from wattle_tools.image.sources import ESP32, LINUX

PROGRAM = "wattle"
PROBE = "wattle_probe"
NAMES_SUFFIX = ".names.json"  # of the table of names beside an image or a bundle


@dataclass(frozen=True)
class Image:
    """`files`: path below the board's search path -> bytes; `entry`: the module whose main() runs
    the meter (on Linux: main(arguments), which gives the exit code); `names`: what its
    short names stand for.
    """

    files: Mapping[str, bytes]
    entry: str
    names: Readable


# Which function of which module a board runs.
_ENTRIES: Mapping[str, tuple[str, str]] = {
    ESP32: ("esp32_board", "main"),
    LINUX: ("linux_meter", "main"),
}
# Errors about bytes from outside, which a board only counts; their texts stay in the tools.
_NUMBERED = (
    "wattle_wire.errors:WireError",
    "wattle_meter.modbus:ModbusError",
    "wattle_meter.packing:PackedDamagedError",
)


def image(firmware: Path, board: str = ESP32) -> Image:
    """What a board of kind `board` ("esp32" or "linux") runs, from the sources at `firmware`.

    The start (main.py of an ESP32) is not in it: it belongs to the board, not to a version.
    Raises ImageError.
    """
    if board not in _ENTRIES:
        raise ImageError(f"no board of kind {board!r}", f"expected {' or '.join(_ENTRIES)}")
    module, function = _ENTRIES[board]
    return program(_parts(firmware, board), module, function)


def probe(firmware: Path) -> Image:
    """What a technician brings to an ESP32 to see who answers on its line: its main(units) prints
    it. A meter needs none of it, so it is not in the image. Raises ImageError.
    """
    return program(_parts(firmware, ESP32), "esp32_board", "show_line", PROBE)


def program(
    parts: Sequence[link.Source], module: str, function: str = link.MAIN, name: str = PROGRAM
) -> Image:
    """The program that `function` of `module` is, linked and compiled to the file `name`.mpy.

    Raises ImageError.
    """
    linked = link.link(parts, module, function, numbered=_NUMBERED)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.py"
        source.write_text(linked.source, encoding="utf-8")
        data = compiler.compiled(source)
    return Image({f"{name}.mpy": data}, name, linked.names)


def _parts(firmware: Path, board: str) -> list[link.Source]:
    return [link.Source(file.module, file.path) for file in sources.device_files(firmware, board)]
