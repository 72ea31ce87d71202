"""The MicroPython of an emulated board: a process between two pipes, which ends with them."""

import contextlib
import importlib.util
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from wattle_hil import parts
from wattle_hil.errors import BoardError
from wattle_hil.serial_board.flash_memory import FlashMemory

# How the board's program is started: the flash, its MAC and the version that its image bears.
Interpreter = Callable[[FlashMemory, bytes, str], Sequence[str]]

# A program for MicroPython, which is never imported here, and what it imports from its folder.
_SHIM = "wattle_hil.serial_board.shim.raw_repl"
_CHIP = "wattle_hil.serial_board.shim.chip_modules"
# What it keeps of a 32-bit heap, which on a chip is the interpreter's own (gc.mem_alloc() at the
# prompt).
_SHIM_HEAP_BYTES = 15_600
_INTERRUPT = b"\x03"
_READ_BYTES = 65_536


def unix_interpreter(flash: FlashMemory, mac: bytes, version: str) -> Sequence[str]:
    """The command of the unix MicroPython with the shim. Raises PartMissingError, BoardError."""
    files = flash.partition("vfs")
    if files is None:
        raise BoardError("the partition table of the emulated board names no vfs")
    rom = flash.partition("romfs")
    rom_at, rom_bytes = (rom.offset, rom.size) if rom else (0, 0)
    nvs = flash.partition("nvs")
    numbers = (files.offset, files.size, rom_at, rom_bytes, nvs.offset if nvs else 0)
    command = (str(parts.micropython(64)), _shim(), str(flash.path), mac.hex(), version)
    return (*command, *map(str, numbers))


def connected_interpreter(uart: Path, heap_bytes: int | None = None) -> Interpreter:
    """As `unix_interpreter`, with the pty `uart` on the board's UART and this machine's network.

    heap_bytes: of a board; then the interpreter is a 32-bit one, as the chip's is.
    """

    def command(flash: FlashMemory, mac: bytes, version: str) -> Sequence[str]:
        program, *rest = unix_interpreter(flash, mac, version)
        words = [program, *rest, str(uart.resolve())]
        if heap_bytes is not None:
            heap = heap_bytes + _SHIM_HEAP_BYTES
            words[:1] = [str(parts.micropython(32)), "-X", f"heapsize={heap}"]
        return words

    return command


def _shim() -> str:
    paths = []
    for name in (_CHIP, _SHIM):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        paths.append(found.origin)
    return paths[-1]


class InterpreterProcess:
    """The running program. Bytes for it go to `write`; `output` is what it said, a descriptor."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise BoardError(f"{command[0]} cannot be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input = self._process.stdin.fileno()
        self.output = self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self.output, False)

    def write(self, data: bytes) -> None:
        """Gives it bytes as a UART does: Ctrl-C interrupts, what finds no room is lost."""
        before, interrupt, after = data.rpartition(_INTERRUPT)
        if interrupt:
            self._process.send_signal(signal.SIGINT)
            before = before.replace(_INTERRUPT, b"")
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._input, before + after)

    def read(self) -> bytes | None:
        """What it said; None for nothing, b"" when it has ended."""
        try:
            return os.read(self.output, _READ_BYTES)
        except BlockingIOError:
            return None

    def stop(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
