"""The cables: one thread serves the ptys of all boards, which come and go while it runs."""

import contextlib
import errno
import os
import select
import threading
import time
import tty
from pathlib import Path
from types import TracebackType

from wattle_hil.errors import BoardError
from wattle_hil.serial_board.emulated import EmulatedBoard, Faults
from wattle_hil.serial_board.flash_memory import FlashMemory
from wattle_hil.serial_board.interpreter import Interpreter, unix_interpreter

FLASH_BYTES = 0x400000
# A pty holds 4 kB; a host that never reads loses what comes after this much.
_UNREAD_BYTES_MAX = 0x10000
_READ_BYTES = 65_536
# poll reports a closed port again and again; so often is looked whether a host has come.
_ABSENT_MS = 10
_STOP_S = 5.0
# What a babbling board sends at once, at 115200 Bd: without end for whoever listens.
_UNASKED_S = 0.01


class _Cable:
    """A board and the pty that it is plugged into."""

    def __init__(self, board: EmulatedBoard) -> None:
        self.board = board
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self.master, False)
        self.open = False
        self.unasked_from = 0.0
        self.unread = bytearray(board.power_on())
        self.heard: bytearray | None = None

    def pull(self) -> int:
        """Gives a descriptor that keeps the pty's number from others as long as it is open.

        esptool looks for a line that broke for seconds, and would find a stranger's.
        """
        self.board.power_off()
        kept = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        os.close(self.master)
        return kept


class BoardBench:
    """Emulated boards on ptys; a context manager. `folder` keeps their flash memories."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cables: dict[bytes, _Cable] = {}
        self._boards: dict[bytes, EmulatedBoard] = {}
        self._kept: list[int] = []
        self._lock = threading.Lock()
        self._wake, self._waker = os.pipe()
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="boards", daemon=True)

    def __enter__(self) -> "BoardBench":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping = True
        os.write(self._waker, b"x")
        self._thread.join(_STOP_S)
        self._kept += [cable.pull() for cable in self._cables.values()]
        for descriptor in self._kept:
            os.close(descriptor)
        for board in self._boards.values():
            board.flash.close()
        os.close(self._wake)
        os.close(self._waker)

    def add(
        self,
        mac: bytes,
        content: bytes = b"",
        faults: Faults | None = None,
        interpreter: Interpreter = unix_interpreter,
    ) -> str:
        """Plugs in a new board whose flash begins with `content`; gives its port.

        Raises BoardError when there is one of this MAC.
        """
        if mac in self._boards:
            raise BoardError(f"there is a board {mac.hex(':')} already")
        faults = faults or Faults()
        flash = FlashMemory(self._folder / f"{mac.hex()}.flash", FLASH_BYTES, faults.stuck_at)
        flash.write(0, content)
        self._boards[mac] = EmulatedBoard(mac, flash, faults, interpreter)
        return self.plug_in(mac)

    def plug_in(self, mac: bytes, faults: Faults | None = None) -> str:
        """Plugs a board in again, with other faults if given; gives its port, a new one."""
        self.pull_out(mac)
        board = self._boards[mac]
        if faults is not None:
            board.faults = faults
            board.flash.stuck_at = faults.stuck_at
        with self._lock:
            self._cables[mac] = cable = _Cable(board)
        os.write(self._waker, b"x")
        return cable.port

    def pull_out(self, mac: bytes) -> None:
        """Pulls a board out; nothing happens if it is out."""
        with self._lock:
            cable = self._cables.pop(mac, None)
            if cable is not None:
                self._kept.append(cable.pull())

    def flash(self, mac: bytes) -> FlashMemory:
        """What a board has in its flash memory."""
        return self._boards[mac].flash

    def listen(self, mac: bytes) -> bytearray:
        """From now on gets every byte that crosses the board's line, in both directions."""
        with self._lock:
            cable = self._cables[mac]
            if cable.heard is None:
                cable.heard = bytearray()
            return cable.heard

    def ports(self) -> dict[bytes, str]:
        """Where the boards are that are plugged in, by MAC."""
        with self._lock:
            return {mac: cable.port for mac, cable in self._cables.items()}

    def _serve(self) -> None:
        while not self._stopping:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            with self._lock:
                for cable in self._cables.values():
                    _register(poll, cable)
            events = dict(poll.poll(_ABSENT_MS))
            if self._wake in events:
                os.read(self._wake, _READ_BYTES)
            with self._lock:
                for mac, cable in list(self._cables.items()):
                    self._turn(cable, events)
                    if cable.board.unplugged:
                        del self._cables[mac]
                        self._kept.append(cable.pull())

    def _turn(self, cable: _Cable, events: dict[int, int]) -> None:
        board = cable.board
        if board.process is not None and events.get(board.process.output):
            _queue(cable, board.from_process())
        try:
            data = os.read(cable.master, _READ_BYTES)
        except BlockingIOError:
            cable.open = True
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            if cable.open:
                cable.open = False
                board.line_closed()
        else:
            cable.open = True
            _hear(cable, data)
            _queue(cable, board.from_host(data))
        if not cable.open:
            cable.unread.clear()
            return
        now = time.monotonic()
        if now >= cable.unasked_from:
            cable.unasked_from = now + _UNASKED_S
            _queue(cable, board.unasked())
        if cable.unread:
            with contextlib.suppress(BlockingIOError, OSError):
                del cable.unread[: os.write(cable.master, cable.unread)]


def _register(poll: select.poll, cable: _Cable) -> None:
    if cable.board.process is not None:
        poll.register(cable.board.process.output, select.POLLIN)
    if cable.open:
        wanted = select.POLLIN | (select.POLLOUT if cable.unread else 0)
        poll.register(cable.master, wanted)


def _hear(cable: _Cable, data: bytes) -> None:
    if cable.heard is not None:
        cable.heard += data


def _queue(cable: _Cable, data: bytes) -> None:
    _hear(cable, data)
    room = _UNREAD_BYTES_MAX - len(cable.unread)
    cable.unread += data[:room]
