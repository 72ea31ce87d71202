"""Who a board is and what is on it: asked of its MicroPython, else of its serial loader.

Its name is its MAC. The number of a ttyUSB changes with the order of plugging, and cheap USB
bridges all bear the same serial number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wattle_tools.boards import mark, meter_record
from wattle_tools.boards.esptool import Loader
from wattle_tools.boards.mark import Mark
from wattle_tools.boards.meter_record import MeterRecord
from wattle_tools.boards.repl import LineGoneError, NoProgramError, NoPromptError, Repl, printable
from wattle_tools.errors import (
    AdvisedError,
    InterruptedJobError,
    SerialLineError,
    ToolError,
    UnfitBoardError,
)

_MAC_BYTES = 6
_MACHINE_CHIP = re.compile(r"with (ESP32\S*)")
# Names that only our application has.
_OURS = ("boot_choice", "wattle", "wattle_meter", "wattle_wire")

INSTALLED = "installed"
HALF_DONE = "half done"
EMPTY = "no application"
FOREIGN = "another program"
BARE = "no interpreter"
STUCK = "does not listen"
GARBLED = "garbage on the line"
SILENT = "no answer"


@dataclass(frozen=True)
class Interpreter:
    """MicroPython's version (three numbers), its .mpy format, and how it names the board."""

    version: tuple[int, int, int]
    mpy: int
    machine: str

    @property
    def shown(self) -> str:
        return "MicroPython {}.{}.{}".format(*self.version)


@dataclass(frozen=True)
class Contents:
    """What MicroPython said of its board.

    free and block: of the file system, bytes; rom: partitions for ROMFS; names: at the root and
    in /lib; configured: whether it has a configuration of a meter; record: who it is, None unless
    it was provisioned to the end.
    """

    mac: bytes | None
    interpreter: Interpreter
    free: int
    block: int
    rom: int
    names: tuple[str, ...]
    mark: Mark | None
    record: MeterRecord | None = None

    @property
    def configured(self) -> bool:
        return "config.json" in self.names

    @property
    def state(self) -> str:
        """One of the words above."""
        if self.mark is not None:
            return INSTALLED if "main.py" in self.names else HALF_DONE
        if any(name.partition(".")[0] in _OURS for name in self.names):
            return HALF_DONE
        return FOREIGN if "main.py" in self.names else EMPTY


@dataclass(frozen=True)
class FoundBoard:
    """A line with a board on it, as far as it could be found out.

    mac: 6 bytes, None if nobody said. chip: "" likewise. contents: None without a prompt; then
    `trouble` says why.
    """

    port: str
    mac: bytes | None
    chip: str
    state: str
    contents: Contents | None = None
    trouble: AdvisedError | None = None

    @property
    def name(self) -> str:
        """Its MAC, or where it is as long as nobody knows it."""
        return self.mac.hex(":") if self.mac else self.port


def identify(port: str, check: Callable[[], None] = lambda: None) -> FoundBoard:
    """The board on a line. What runs on it is stopped for this, and started again.

    Raises what `check` raises; every trouble of the board is in the answer.
    """
    try:
        with Repl(port, check) as repl:
            contents = read_contents(repl)
            repl.restart()
    except LineGoneError as error:
        return FoundBoard(port, None, "", SILENT, trouble=error)
    except AdvisedError as error:
        return _from_loader(port, check, error)
    found = _MACHINE_CHIP.search(contents.interpreter.machine)
    chip = found[1] if found else contents.interpreter.machine
    return FoundBoard(port, contents.mac, chip, contents.state, contents)


def _from_loader(port: str, check: Callable[[], None], why: AdvisedError) -> FoundBoard:
    """The board as its chip's loader knows it, since MicroPython did not answer."""
    if isinstance(why, InterruptedJobError):
        raise why
    heard = not isinstance(why, NoPromptError) or why.heard
    try:
        chip = Loader(port, check).identify()
    except InterruptedJobError:
        raise
    except ToolError:
        return FoundBoard(port, None, "", GARBLED if heard else SILENT, trouble=why)
    state = BARE if isinstance(why, NoProgramError) else GARBLED
    if isinstance(why, NoPromptError) and state != BARE:
        state = STUCK
        why = UnfitBoardError(
            "its program does not stop for Ctrl-C, or is no MicroPython",
            "wattle-tool flash --image FILE.bin --erase-files",
        )
    return FoundBoard(port, chip.mac, chip.name, state, trouble=why)


def read_contents(repl: Repl) -> Contents:
    """What MicroPython says of its board. Raises as Repl does."""
    row: Any = repl.value(_ASK % (mark.BYTES_MAX, meter_record.BYTES_MAX))
    try:
        version, mpy, machine, unique, free, block, rom, names, text, record = row
        major, minor, patch = map(int, version)
        interpreter = Interpreter((major, minor, patch), int(mpy), printable(str(machine)))
        return Contents(
            unique if len(unique) == _MAC_BYTES else None,
            interpreter,
            int(free),
            int(block),
            max(int(rom), 0),
            tuple(map(str, names)),
            mark.decoded(text),
            meter_record.decoded(record),
        )
    except (TypeError, ValueError) as error:
        raise SerialLineError(
            f"garbage on the line: {printable(str(row))}", "try another cable, and run it again"
        ) from error


# (most bytes of a mark, of a record). MicroPython's dialect; what a board lacks is left empty.
_ASK = """
import sys, os
i = sys.implementation
r = [list(i.version[:3]), getattr(i, '_mpy', 0), getattr(i, '_machine', sys.platform)]
try:
 import machine
 r.append(bytes(machine.unique_id()))
except (ImportError, AttributeError):
 r.append(b'')
try:
 s = os.statvfs('/')
 r += [s[0] * s[3], s[0]]
except OSError:
 r += [0, 0]
try:
 import vfs
 r.append(vfs.rom_ioctl(1))
except (ImportError, AttributeError):
 r.append(0)
n = []
for d in ('/', '/lib'):
 try: n += os.listdir(d)
 except OSError: pass
r.append(n)
for p, b in (('/wattle.json', %d), ('/meter.json', %d)):
 try:
  with open(p) as f: r.append(f.read(b))
 except (OSError, ValueError):
  r.append('')
print(r)
"""
