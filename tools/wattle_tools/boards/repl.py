"""MicroPython on a board, through mpremote's transport: run code, put files, take hashes.

Every fault of the line or the board comes out as one of our errors, with what to do next.
"""

import ast
import contextlib
import errno
import os
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from wattle_tools.boards.watched_line import LOOK_S, WatchedLine
from wattle_tools.errors import SerialLineError, UnfitBoardError

_OPEN_S = 5.0
# A program may be inside C code when Ctrl-C comes: joining a network is the longest, seconds.
_PROMPT_S = 5.0
_ASK_AGAIN_S = 0.5
# A line that has been quiet for so long has said what it had to say.
_QUIET_S = 0.2
_HEARD_BYTES_MAX = 20_000
# The longest that we have a board print is a sample in hex.
_LINE_BYTES_MAX = 40_000
_END_OF_OUTPUT = b"\x04"  # of the raw prompt
_ENTER_S = 16.0
_TRY_S = 8.0
# The longest: hashing a megabyte, or an erase of flash inside one write.
EXEC_S = 30.0
CHUNK_BYTES = 1_024
_STOP_AND_LEAVE = b"\r\x03\x02"  # Ctrl-C, Ctrl-B: answered with the prompt in any mode
_RESTART = b"\x04"
_RESTARTING = b"soft reboot\r\n"
_PROMPT = b">>> "
_NO_PROGRAM = b"invalid header: 0x"  # of the ESP32's ROM, again and again

Progress = Callable[[int], None]


class NoPromptError(SerialLineError):
    """The line answers with no prompt of MicroPython. `heard`: whether it said anything."""

    def __init__(self, reason: str, advice: str, heard: bool) -> None:
        super().__init__(reason, advice)
        self.heard = heard


class NoProgramError(NoPromptError):
    """The chip says that its flash memory holds no program."""


class LineGoneError(SerialLineError):
    """There is no line, or no more."""


class Repl:
    """A context manager: MicroPython at `port`, its program stopped.

    check: called again and again, raises to end the work (Ctrl-C).
    Raises SerialLineError, UnfitBoardError, and what `check` raises.
    """

    def __init__(self, port: str, check: Callable[[], None] = lambda: None) -> None:
        self._port = port
        self._check = check
        self._transport: SerialTransport

    def __enter__(self) -> "Repl":
        with self._faults():
            self._transport = SerialTransport(self._port, timeout=LOOK_S)
            self._line = WatchedLine(self._transport.serial, self._check)
            self._transport.serial = self._line
            try:
                self._stop_program()
                self._enter()
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def run(self, code: str, seconds: float = EXEC_S) -> str:
        """What the code prints."""
        with self._faults():
            self._line.allow(seconds, "running our code")
            said: bytes = self._transport.exec(code)
            return said.decode()

    def follow(self, code: str, seconds: float, told: Callable[[str], None]) -> None:
        """Runs code of which nobody knows when it prints; `told` gets each line as it comes."""
        heard = bytearray()

        def hear(data: bytes) -> None:
            heard.extend(data.replace(_END_OF_OUTPUT, b""))
            if heard.endswith(b"\n") or len(heard) > _LINE_BYTES_MAX:
                line = heard.decode(errors="replace").rstrip("\r\n")
                heard.clear()
                told(line)

        with self._faults():
            self._line.allow(seconds, "running our code")
            _, error = self._transport.exec_raw(code, timeout=None, data_consumer=hear)
            if error:
                raise _board_said(error.decode(errors="replace"))

    def value(self, code: str) -> object:
        """The value whose repr the code prints."""
        text = self.run(code).strip()
        try:
            found: object = ast.literal_eval(text)
        except (ValueError, SyntaxError) as error:
            raise _garbled(text) from error
        return found

    def write(self, path: str, data: bytes, progress: Progress) -> None:
        """Puts a file; `progress` gets the bytes written so far."""
        with self._faults():
            self._line.allow(EXEC_S, f"writing {path}")
            self._transport.fs_writefile(
                path, data, CHUNK_BYTES, lambda done, _: self._advance(path, done, progress)
            )

    def sha256(self, paths: list[str]) -> Mapping[str, str]:
        """The SHA-256 (hex) of files on the board; those that are not there are not in it."""
        found = self.value(_HASHES % (CHUNK_BYTES, paths))
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            raise _garbled(str(found))
        return found

    def restart(self) -> None:
        """Lets the board start its program as after power-on; to be the last thing done."""
        with self._faults():
            self._line.allow(EXEC_S, "restarting")
            self._transport.exit_raw_repl()
            self._line.write(_RESTART)
            # It says so at once; whoever opens the line next finds it starting, not about to.
            self._transport.read_until(1, _RESTARTING, timeout=_TRY_S, timeout_overall=_TRY_S)

    def hear(self, seconds: float) -> Iterator[str]:
        """Each line that the board says once it was restarted, for so long at most."""
        with self._faults():
            self._line.allow(seconds + _TRY_S, "listening")
            until = time.monotonic() + seconds
            heard = b""
            while time.monotonic() < until:
                count = self._line.inWaiting()
                if not count:
                    time.sleep(0.01)
                    continue
                *whole, heard = (heard + self._line.read(count)).split(b"\n")
                heard = heard[-_LINE_BYTES_MAX:]
                for line in whole:
                    yield printable(line.decode(errors="replace").rstrip("\r"), 400)

    def _advance(self, path: str, done: int, progress: Progress) -> None:
        self._line.allow(EXEC_S, f"writing {path}")
        progress(done)

    def _stop_program(self) -> None:
        """Returns when the prompt is there. Raises NoPromptError."""
        self._line.allow(_PROMPT_S + _OPEN_S, "waiting for the prompt")
        began = last_asked = heard_at = time.monotonic()
        self._line.write(_STOP_AND_LEAVE)
        heard = b""
        while True:
            now = time.monotonic()
            count = self._line.inWaiting()
            if count:
                heard = (heard + self._line.read(count))[-_HEARD_BYTES_MAX:]
                heard_at = now
            elif heard.rstrip(b" ").endswith(_PROMPT.rstrip()) and now - heard_at > _QUIET_S:
                return
            else:
                time.sleep(0.01)
            if _NO_PROGRAM in heard:
                raise NoProgramError(
                    "it has no interpreter",
                    "give it one: wattle-tool flash --image FILE.bin",
                    heard=True,
                )
            if now - began > _PROMPT_S:
                raise _no_prompt(heard, quiet=now - heard_at > _QUIET_S)
            if now - max(last_asked, heard_at) > _ASK_AGAIN_S and not count:
                self._line.write(_STOP_AND_LEAVE)
                last_asked = now

    def _enter(self) -> None:
        """Enters the raw prompt, and tries it: disturbed lines show here, before anything else.

        With a soft reset: it frees the heap of the program that ran, and closes files that a job
        left open which was cut off; closed later, they would write into their successors.
        """
        self._line.allow(_ENTER_S, "entering the raw prompt")
        self._transport.enter_raw_repl(soft_reset=True, timeout_overall=_ENTER_S / 2)
        self._line.allow(_TRY_S, "trying the raw prompt")
        try:
            answer = self._transport.exec("print('wattle')")
        except SerialLineError as error:
            raise _garbled("the raw prompt is not understood") from error
        if answer.strip() != b"wattle":
            raise _garbled(answer.decode(errors="replace"))

    def _close(self) -> None:
        # The far end may be gone: then there is nothing to set free.
        with contextlib.suppress(OSError):
            self._transport.close()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Turns what mpremote and pyserial raise into our errors."""
        try:
            yield
        except TransportExecError as error:
            raise _board_said(error.error_output) from error
        except TransportError as error:
            if "failed to access" in str(error):
                raise _cannot_open(self._port) from error
            raise _garbled(str(error)) from error
        except (OSError, termios.error) as error:
            raise self._os_fault(error) from error
        except (struct.error, ValueError, SyntaxError, TypeError, IndexError) as error:
            raise _garbled(str(error)) from error

    def _os_fault(self, error: OSError | termios.error) -> Exception:
        """Of our line; or of the board's files, which mpremote raises as if it were ours."""
        ours = isinstance(error, serial.SerialException | termios.error)
        if ours or not os.path.exists(self._port):
            return LineGoneError(
                f"the line broke: {self._port} is gone",
                "plug the board in again, and run the command again: it goes on where it was",
            )
        assert isinstance(error, OSError)
        if error.errno == errno.ENOSPC:
            return _full()
        return _board_said(f"OSError: {error}")


# Hashes on the board: (piece size, paths). A file that cannot be opened is not there.
_HASHES = """
import hashlib, binascii
def _h(p):
 h = hashlib.sha256()
 with open(p, 'rb') as f:
  while 1:
   b = f.read(%d)
   if not b: break
   h.update(b)
 return binascii.hexlify(h.digest()).decode()
r = {}
for p in %r:
 try: r[p] = _h(p)
 except OSError: pass
print(r)
"""


def _no_prompt(heard: bytes, quiet: bool) -> NoPromptError:
    if not heard:
        return NoPromptError(
            "it says nothing",
            "check cable and power; if a program on it holds the line, "
            "wattle-tool flash --image FILE.bin --erase-files",
            heard=False,
        )
    if not quiet:
        return NoPromptError(
            "it sends without end and does not stop",
            "unplug it and plug it in again; if it stays so, "
            "wattle-tool flash --image FILE.bin --erase-files",
            heard=True,
        )
    text = heard.decode("ascii", errors="replace").strip()[-40:]
    return NoPromptError(
        f"it answers, but not as MicroPython: {text!r}",
        "give it an interpreter: wattle-tool flash --image FILE.bin",
        heard=True,
    )


def _cannot_open(port: str) -> LineGoneError:
    if not os.path.exists(port):
        return LineGoneError(f"{port} is not there", "plug the board in, and run it again")
    if not Path(port).is_char_device():
        return LineGoneError(
            f"{port} is no serial line", "leave out --port: boards behind USB are found"
        )
    if not os.access(port, os.R_OK | os.W_OK):
        return LineGoneError(
            f"no right to open {port}",
            "become a member of the group that owns it (Debian: dialout), and log in again",
        )
    return LineGoneError(
        f"{port} is in use by another program", "close the other program, and run it again"
    )


def _garbled(said: str) -> SerialLineError:
    return SerialLineError(
        f"garbage on the line: {printable(said)}",
        "try another cable or USB port, and run it again: it goes on where it was",
    )


def printable(said: str, most: int = 80) -> str:
    """The beginning of what a board said, without what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in said[:most])


def _full() -> UnfitBoardError:
    return UnfitBoardError(
        "its file system is full",
        "remove files from it, or wattle-tool flash --image FILE.bin --erase-files",
    )


def _board_said(traceback: str) -> Exception:
    """The error of code that failed on the board."""
    last = (traceback.strip().splitlines() or ["nothing"])[-1]
    if "ENOSPC" in last or last == "OSError: 28":
        return _full()
    if last.startswith("KeyboardInterrupt"):
        return _garbled("a Ctrl-C that nobody sent")
    return UnfitBoardError(
        f"it failed in our code: {printable(last)}",
        "unplug it and plug it in again, then run it again",
    )
