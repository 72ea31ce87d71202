"""What tests put on emulated boards, and how they look at it."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wattle_hil.serial_board.bench import FLASH_BYTES, BoardBench
from wattle_hil.serial_board.flash_memory import BOOTLOADER_AT
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.repl import Repl
from wattle_tools.flash import fleet, interpreter_image
from wattle_tools.flash.application import Application
from wattle_tools.flash.interpreter_image import InterpreterImage
from wattle_tools.flash.job import JobResult, Order
from wattle_tools.flash.table import SilentView

# The board shows by this file that its program has run.
MAIN = b"import wattle_start\nwith open('/started', 'w') as f: f.write(wattle_start.WORD)\n"
START = b"WORD = 'yes'\n"


def mac(number: int) -> bytes:
    """A MAC of a maker's that no test shares with another board."""
    return bytes.fromhex("240ac40000") + bytes([number])


def flash_content(image: bytes) -> bytes:
    """What a board has in flash that was made with an interpreter image."""
    return b"\xff" * BOOTLOADER_AT + image


def saved(folder: Path, image: bytes) -> InterpreterImage:
    """The image as the tool reads it."""
    path = folder / "interpreter.bin"
    path.write_bytes(image)
    return interpreter_image.load(path)


def small_application(size: int = 9_000, seed: int = 1) -> Application:
    """An application of two compiled files, of which nobody runs any, and a start that runs."""
    code = random.Random(seed).randbytes(size)
    program = {"wattle.mpy": code[: size // 2], "wattle_wire/cbor.mpy": code[size // 2 :]}
    return Application("9.9", program, {"/wattle_start.py": START, "/main.py": MAIN})


def flash(ports: Sequence[str], order: Order) -> list[JobResult]:
    """Finds the boards on these lines and flashes all."""
    return fleet.run(fleet.find(ports), order, SilentView())


def flashed_content(folder: Path, image: bytes, application: Application) -> bytes:
    """What a board of this image has in flash once it was flashed."""
    with BoardBench(folder) as bench:
        port = bench.add(mac(1), flash_content(image))
        [result] = flash([port], Order(application))
        assert not result.failed, result.reason
        return bench.flash(mac(1)).read(0, FLASH_BYTES)


def found(port: str) -> FoundBoard:
    """The board on a line."""
    [board] = fleet.find([port])
    return board


def files(port: str) -> Mapping[str, int]:
    """The files on a board and their sizes."""
    return _each_file(port, _SIZE)


def hashes(port: str) -> Mapping[str, str]:
    """The files on a board and their SHA-256, in hex."""
    return _each_file(port, _SHA256)


def _each_file(port: str, told: str) -> Mapping[str, Any]:
    """What the function `told` says of each file; the board is started anew."""
    with Repl(port) as repl:
        rows = repl.value(told + _WALK)
        repl.restart()
    assert isinstance(rows, dict)
    return rows


def put(port: str, path: str, content: bytes) -> None:
    """Puts a file on a board, and starts the board anew."""
    with Repl(port) as repl:
        repl.write(path, content, lambda _: None)
        repl.restart()


# The functions take path and entry of `os.ilistdir`.
_SIZE = "def told(p, e): return e[3]"
_SHA256 = """import hashlib, binascii
def told(p, e):
 with open(p, 'rb') as f: return binascii.hexlify(hashlib.sha256(f.read()).digest()).decode()
"""
_WALK = """
import os
r = {}
def w(d):
 for e in os.ilistdir(d):
  p = d + '/' + e[0]
  if e[1] & 0x4000:
   if p != '/rom': w(p)
  else: r[p] = told(p, e)
w('')
print(r)
"""
