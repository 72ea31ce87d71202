"""The image of a board: the files that it runs, compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.image import compiler, sources


@dataclass(frozen=True)
class Image:
    """`files`: path below the board's search path -> bytes; `entry`: the module whose main() runs
    the meter (on Linux: main(arguments), which gives the exit code).
    """

    files: Mapping[str, bytes]
    entry: str


_ENTRIES = {sources.ESP32: "esp32_board", sources.LINUX: "main"}


def image(firmware: Path, board: str = sources.ESP32) -> Image:
    """What a board of kind `board` ("esp32" or "linux") runs, from the sources at `firmware`.

    The start (main.py of an ESP32) is not in it: it belongs to the board, not to a version.
    Raises ImageError.
    """
    entry = _ENTRIES.get(board, "")
    files = {
        file.compiled_path: compiler.compiled(file.path, file.optimisation)
        for file in sources.device_files(firmware, board)
        if file.module == entry or file.module != "main"
    }
    return Image(files, entry)
