"""One emulated board: flash, loader and interpreter behind a line. No I/O but the interpreter's.

A pty has no DTR and RTS, by which a real board is put into its loader and out of it. So the loader
comes up when it is called by its sync frame, and a board whose line is closed leaves it.
"""

import random
from dataclasses import dataclass

from wattle_hil.serial_board.flash_memory import FlashMemory
from wattle_hil.serial_board.interpreter import Interpreter, InterpreterProcess, unix_interpreter
from wattle_hil.serial_board.rom_loader import SYNC_CALL, RomLoader

_NOISE_BYTES = 40
# A real one says so without end, after each of its resets; this one whenever it is spoken to.
_NO_PROGRAM = b"invalid header: 0xffffffff\r\n" * 3


@dataclass(frozen=True)
class Faults:
    """What is wrong with a board; nothing by default.

    unplug_after: it is pulled out when the host has sent so many bytes; unplug_on: when it has
    sent these. stuck_at: a flash address
    that takes nothing any more. noise: bytes of garbage before every answer (seeded by the MAC).
    babble: it sends without end and hears nothing. silent: it never says a byte.
    """

    unplug_after: int | None = None
    unplug_on: bytes | None = None
    stuck_at: int | None = None
    noise: bool = False
    babble: bool = False
    silent: bool = False


class EmulatedBoard:
    """A board with a MAC (6 bytes); `interpreter` says what runs when its flash has a program.

    taken: how many bytes the host has sent since it was plugged in. unplugged: it pulled itself
    out, as Faults.unplug_after wants it. process: the running program, None in the loader.
    """

    def __init__(
        self,
        mac: bytes,
        flash: FlashMemory,
        faults: Faults,
        interpreter: Interpreter = unix_interpreter,
    ) -> None:
        assert len(mac) == 6
        self.mac = mac
        self.flash = flash
        self.faults = faults
        self.process: InterpreterProcess | None = None
        self.taken = 0
        self.unplugged = False
        self._interpreter = interpreter
        self._loader: RomLoader | None = None
        self._heard = b""
        self._taken_last = b""
        self._random = random.Random(mac)

    @property
    def in_loader(self) -> bool:
        return self._loader is not None

    def power_on(self) -> bytes:
        """Starts what the flash holds; gives what the board says at once."""
        self.power_off()
        self.taken = 0
        self.unplugged = False
        return self._start()

    def power_off(self) -> None:
        """Ends what runs on it."""
        if self.process is not None:
            self.process.stop()
        self.process = None
        self._loader = None
        self._heard = b""

    def from_host(self, data: bytes) -> bytes:
        """Takes bytes of the host; gives what the board answers at once."""
        limit = self.faults.unplug_after
        if limit is not None and self.taken + len(data) >= limit:
            self.unplugged = True
            return b""
        if self.faults.unplug_on is not None:
            last = self._taken_last + data
            if self.faults.unplug_on in last:
                self.unplugged = True
                return b""
            self._taken_last = last[-len(self.faults.unplug_on) :]
        self.taken += len(data)
        if self.faults.silent or self.faults.babble:
            return b""
        if self._loader is None:
            data = self._call_loader(data)
        if self._loader is not None:
            return self._noisy(self._loader.receive(data))
        if self.process is None:
            return _NO_PROGRAM
        self.process.write(data)
        return b""

    def from_process(self) -> bytes:
        """What its program says; starts it anew when it has ended, as after a reset."""
        assert self.process is not None
        data = self.process.read()
        if data is None:
            return b""
        if not data:
            self.power_off()
            return self._start()
        return self._noisy(data)

    def line_closed(self) -> None:
        """Nobody has the line open any more."""
        if self._loader is not None:
            self.power_off()
            self._start()

    def unasked(self) -> bytes:
        """What it sends without being asked."""
        return self._noise() if self.faults.babble else b""

    def _start(self) -> bytes:
        version = self.flash.app_version()
        if self.faults.silent or self.faults.babble:
            return b""
        if version is None:
            return _NO_PROGRAM
        self.process = InterpreterProcess(self._interpreter(self.flash, self.mac, version))
        return b""

    def _call_loader(self, data: bytes) -> bytes:
        """Starts the loader if it is called; gives the bytes for whoever runs now."""
        heard = self._heard + data
        at = heard.find(SYNC_CALL)
        if at < 0:
            self._heard = heard[-len(SYNC_CALL) + 1 :]
            return data
        self.power_off()
        self._loader = RomLoader(self.flash, self.mac, self._reboot)
        return heard[at:]

    def _reboot(self) -> None:
        self._loader = None
        self._start()

    def _noisy(self, data: bytes) -> bytes:
        return self._noise() + data if self.faults.noise and data else data

    def _noise(self) -> bytes:
        # Neither SLIP's END nor the marks of the raw REPL: garbage that could be anything's.
        return bytes(self._random.randrange(0x20, 0xC0) for _ in range(_NOISE_BYTES))
