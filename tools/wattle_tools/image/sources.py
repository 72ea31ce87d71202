"""Which sources a board runs: those of firmware/manifest.py, and of its folder in boards/."""

import runpy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.errors import ImageError

MANIFEST = "manifest.py"
ESP32, LINUX = "esp32", "linux"
# What chooses a version and starts it: on the board for good, in no image.
STARTS = ("main", "boot_choice")
_PACKAGES = ("wattle_wire", "wattle_meter")


@dataclass(frozen=True)
class DeviceFile:
    """A source file: `module` is its name when imported, `optimisation` mpy-cross's level."""

    path: Path
    module: str
    optimisation: int

    @property
    def compiled_path(self) -> str:
        """Where its .mpy stands below the search path of a board."""
        if self.path.stem == "__init__":
            return f"{self.module.replace('.', '/')}/__init__.mpy"
        return f"{self.module.replace('.', '/')}.mpy"


def device_files(firmware: Path, board: str = ESP32) -> list[DeviceFile]:
    """Every file of ours that a version for a board of kind `board` has; not what starts it.

    firmware: the folder with manifest.py and boards/. Raises ImageError for an unknown kind, or
    when there is no manifest.
    """
    if board not in (ESP32, LINUX):
        raise ImageError(f"no board of kind {board!r}", f"expected {ESP32} or {LINUX}")
    files = [file for file in _frozen(firmware) if file.module not in STARTS]
    if board == ESP32:
        return files
    shared = [file for file in files if file.module.partition(".")[0] in _PACKAGES]
    level = shared[0].optimisation
    own = sorted((firmware / "boards" / LINUX).glob("*.py"))
    return shared + [DeviceFile(path, path.stem, level) for path in own if path.stem not in STARTS]


def _frozen(firmware: Path) -> list[DeviceFile]:
    """What the manifest of the ESP32's build names (docs.micropython.org, "manifest files")."""
    found: list[DeviceFile] = []

    def package(
        name: str, files: Sequence[str] | None = None, base_path: str = ".", opt: int = 0
    ) -> None:
        folder = firmware / base_path / name
        for file in files or sorted(path.name for path in folder.glob("*.py")):
            stem = file.removesuffix(".py")
            module = name if stem == "__init__" else f"{name}.{stem}"
            found.append(DeviceFile((folder / file).resolve(), module, opt))

    def module(file: str, base_path: str = ".", opt: int = 0) -> None:
        path = (firmware / base_path / file).resolve()
        found.append(DeviceFile(path, path.stem, opt))

    names = {"include": lambda path: None, "package": package, "module": module}
    try:
        runpy.run_path(str(firmware / MANIFEST), names)
    except OSError as error:
        raise ImageError(
            f"{firmware / MANIFEST}: cannot be read: {error.strerror}",
            "--firmware names the folder of the firmware",
        ) from error
    return found
