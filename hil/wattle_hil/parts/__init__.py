"""Programs that are not Python packages, kept under the build folder: fetched once, then found.

`make micropython`, `make parts` and `make board` fetch them (`python -m wattle_hil.parts`); the
functions here find them and never fetch.
"""

from pathlib import Path

from wattle_hil.parts import emulated_board, host_program, interpreter
from wattle_hil.parts.errors import PartError, PartMissingError
from wattle_hil.parts.folder import build_folder

__all__ = ["PartError", "PartMissingError", "board", "mbpoll", "micropython", "mosquitto"]


def board() -> tuple[Path, Path]:
    """The emulated Cortex-M3 board: (qemu-system-arm, the firmware it runs).

    Raises PartMissingError that says why it is not there and what to do.
    """
    return emulated_board.find(build_folder())


def micropython(bits: int) -> Path:
    """The real MicroPython of a word size, 64 or 32; its process keeps the id it is started with.

    Raises PartMissingError that says why there is none: not fetched, or a kernel that runs no
    32-bit programs.
    """
    return interpreter.find(build_folder(), bits)


def mosquitto(name: str = "mosquitto") -> Path:
    """The program mosquitto, mosquitto_pub or mosquitto_sub.

    Raises PartMissingError that says why it is not there and what to do.
    """
    return host_program.find(build_folder(), host_program.MOSQUITTO, name)


def mbpoll() -> Path:
    """The Modbus master mbpoll. Raises PartMissingError as `mosquitto` does."""
    return host_program.find(build_folder(), host_program.MBPOLL, "mbpoll")
