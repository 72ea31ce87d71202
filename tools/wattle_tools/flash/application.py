"""The application of an ESP32 meter, as it is to be on the board."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

from wattle_tools.boards.mark import FILES, ROMFS, Mark
from wattle_tools.errors import ImageError
from wattle_tools.image import build, romfs
from wattle_tools.image.sources import MANIFEST

LIBRARY = "/lib"
_MAIN = "main.py"


@dataclass(frozen=True)
class Application:
    """`program`: compiled files by their path below the search path; `start`: the sources that
    choose and start it, by their path on the board, main.py last.
    """

    version: str
    program: Mapping[str, bytes]
    start: Mapping[str, bytes]

    @property
    def rom(self) -> bytes:
        """The program as a ROMFS image."""
        return romfs.rom_image(self.program)

    @property
    def as_files(self) -> dict[str, bytes]:
        """The program as files, by their path on the board."""
        return {f"{LIBRARY}/{path}": data for path, data in sorted(self.program.items())}

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything, wherever it is kept."""
        parts = {**self.as_files, **self.start}
        rows = (f"{path} {_sha256(data)}\n" for path, data in sorted(parts.items()))
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def mark(self, in_rom: bool) -> Mark:
        """What an installation leaves on the board."""
        files = self.start if in_rom else {**self.as_files, **self.start}
        hashes = {path: _sha256(data) for path, data in files.items()}
        return Mark(self.digest, self.version, ROMFS if in_rom else FILES, hashes)


def application(firmware: Path) -> Application:
    """The application from the sources at `firmware`. Raises ImageError."""
    program = build.image(firmware).files
    names = sorted(path.name for path in firmware.glob("*.py") if path.name != MANIFEST)
    if _MAIN not in names:
        raise ImageError(
            f"{firmware} has no {_MAIN}", "--firmware names the folder of the firmware"
        )
    # The board starts by main.py: until it is there, nothing runs.
    names.remove(_MAIN)
    names.append(_MAIN)
    start = {f"/{name}": (firmware / name).read_bytes() for name in names}
    return Application(installed_version("wattle-grid"), program, start)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
