"""Which programs a run is made of. Tests put others in their place, a wrong gateway for one."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_hil import parts
from wattle_hil.errors import ProcessError
from wattle_hil.parts import PartMissingError

_METER_SCRIPT = Path("firmware/boards/linux/main.py")


@dataclass(frozen=True)
class Programs:
    """Commands, each a program with absolute path and its first arguments.

    meters: one command for each kind of interpreter, tried in turn by the meters of a run.
    """

    gateway: Sequence[str]
    tool: Sequence[str]
    meters: Sequence[Sequence[str]]


def find_programs() -> Programs:
    """The programs of this checkout. Raises ProcessError that says what is missing."""
    script = checkout() / _METER_SCRIPT
    if not script.is_file():
        raise ProcessError(f"the meter firmware is not at {script}")
    meters = []
    missing = []
    for bits in (64, 32):
        try:
            meters.append((str(parts.micropython(bits)), str(script)))
        except PartMissingError as error:
            missing.append(str(error))
    if not meters:
        raise ProcessError("; ".join(missing))
    return Programs(_beside_python("wattle-gateway"), _beside_python("wattle-tool"), meters)


def checkout() -> Path:
    """The folder of the checkout that this package stands in. Raises ProcessError."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder
    raise ProcessError("the bench runs from a checkout only: the firmware is not in the package")


def _beside_python(name: str) -> tuple[str]:
    program = Path(sys.executable).with_name(name)
    if not program.is_file():
        raise ProcessError(f"{program} is not there: run `make venv`")
    return (str(program),)
