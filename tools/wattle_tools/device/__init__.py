"""The sources that run on boards: in a checkout beside the tools, in a wheel inside this package.

pyproject.toml puts `firmware/` and `protocol/wattle_wire/` here when it builds a wheel, in the same
places relative to each other, since firmware/manifest.py names one from the other.
"""

from pathlib import Path

from wattle_tools.errors import ToolError

_MANIFEST = Path("firmware") / "manifest.py"


def firmware_folder() -> Path:
    """The folder `firmware` of this installation. Raises ToolError when it has none."""
    here = Path(__file__).resolve().parent
    for folder in (here, here.parents[2]):
        if (folder / _MANIFEST).is_file():
            return folder / _MANIFEST.parent
    raise ToolError(
        f"{here} has no firmware: the installation is not whole; install wattle-grid[tools] again"
    )
