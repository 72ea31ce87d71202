"""A board's serial loader, through esptool: who the chip is, and its flash memory.

esptool runs as a program of its own: what hangs or fails in it ends with it, its output can be
read, and its licence (GPL) stays its own. One call holds the line; afterwards the chip is reset.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.errors import (
    InterpreterImageError,
    ReadBackError,
    SerialLineError,
    ToolError,
    UnfitBoardError,
)

ROM_BAUD = 115_200  # the loader's own, from which esptool goes up
# Five attempts take a silent line 5 s.
_ATTEMPTS = 5
_IDENTIFY_S = 20.0
# 16 MiB at 115200 Bd take 24 minutes; nothing of ours is larger than 4 MiB.
_WRITE_S = 900.0
_LOOK_S = 0.1
_OUTPUT_BYTES_MAX = 1_000_000
_CHIP = re.compile(r"^Chip type: +(.+)$", re.MULTILINE)
_FAMILY = re.compile(r"Connected to (\S+) on ")
_MAC = re.compile(r"^(?:BASE )?MAC: +((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$", re.MULTILINE)
_WRITING = re.compile(rb"Writing at 0x([0-9a-f]+)")
_VERIFIED = "Hash of data verified."
_FATAL = re.compile(r"fatal error occurred: (.*)", re.DOTALL)

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Chip:
    """`family` as esptool names it ("ESP32-S3"), its full name, and its base MAC, 6 bytes."""

    family: str
    name: str
    mac: bytes


@dataclass(frozen=True)
class Region:
    """Bytes for the flash memory from `offset` on."""

    offset: int
    data: bytes


class Loader:
    """The serial loader of the board at `port`; `check` raises to end the work.

    Each call raises SerialLineError when the chip does not answer or the line breaks, and ToolError
    with what esptool said otherwise.
    """

    def __init__(self, port: str, check: Callable[[], None], baud: int = ROM_BAUD) -> None:
        self._port = port
        self._check = check
        self._baud = baud

    def identify(self) -> Chip:
        """Who the chip is."""
        return _chip(self._run(["read-mac"], _IDENTIFY_S, stub=False))

    def holds(self, regions: Sequence[Region]) -> tuple[Chip, bool]:
        """Who the chip is, and whether its flash has these regions already (by MD5)."""
        with _Files(regions) as files:
            try:
                return _chip(self._run(["verify-flash", *files.arguments], _WRITE_S)), True
            except _DiffersError as error:
                return _chip(error.output), False

    def read(self, offset: int, size: int) -> bytes:
        """A part of the flash."""
        with tempfile.TemporaryDirectory(prefix="wattle-flash-") as folder:
            path = Path(folder) / "part.bin"
            self._run(["read-flash", hex(offset), hex(size), str(path)], _WRITE_S)
            return path.read_bytes()

    def write(self, regions: Sequence[Region], progress: Progress) -> None:
        """Writes the regions and has the chip hash each one afterwards.

        progress: gets the bytes written so far. Raises ReadBackError unless every hash agrees.
        """
        with _Files(regions) as files:
            output = self._run(
                ["write-flash", *files.arguments],
                _WRITE_S,
                lambda at: progress(_written(regions, at)),
            )
        if output.count(_VERIFIED) != len(regions):
            raise _read_back_differs()

    def erase(self, offset: int, size: int) -> None:
        """Erases a part of the flash."""
        self._run(["erase-region", hex(offset), hex(size)], _WRITE_S)

    def _run(
        self,
        command: Sequence[str],
        seconds: float,
        writing: Callable[[int], None] | None = None,
        stub: bool = True,
    ) -> str:
        """What esptool printed. Raises our error for its own.

        A line is disturbed now and then, a busy host late: what fails is tried once more, but not
        the question who is there.
        """
        try:
            return self._try(command, seconds, writing, stub)
        except (SerialLineError, UnfitBoardError):
            if not stub or not os.path.exists(self._port):
                raise
        return self._try(command, seconds, writing, stub)

    def _try(
        self,
        command: Sequence[str],
        seconds: float,
        writing: Callable[[int], None] | None,
        stub: bool,
    ) -> str:
        options = ["--port", self._port, "--baud", str(self._baud)]
        options += ["--connect-attempts", str(_ATTEMPTS), *([] if stub else ["--no-stub"])]
        process = subprocess.Popen(
            [sys.executable, "-m", "esptool", *options, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Its own session: Ctrl-C in the terminal is ours to act on.
            start_new_session=True,
            env=os.environ | {"COLUMNS": "400", "NO_COLOR": "1"},
        )
        try:
            output = self._follow(process, time.monotonic() + seconds, writing)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            assert process.stdout is not None
            process.stdout.close()
        if process.returncode != 0:
            raise _error(output, os.path.exists(self._port))
        return output

    def _follow(
        self,
        process: "subprocess.Popen[bytes]",
        until: float,
        writing: Callable[[int], None] | None,
    ) -> str:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        output = b""
        while True:
            self._check()
            if time.monotonic() > until:
                raise SerialLineError("esptool did not come to an end", _TRY_LINE)
            if not select.select([pipe], [], [], _LOOK_S)[0]:
                continue
            data = os.read(pipe, 65_536)
            if not data:
                process.wait()
                return output.decode(errors="replace")
            output = (output + data)[-_OUTPUT_BYTES_MAX:]
            if writing is not None and (found := _WRITING.findall(data)):
                writing(int(found[-1], 16))


_TRY_LINE = "try another cable or USB port, and run it again"


class _DiffersError(Exception):
    """verify-flash found other bytes; `output` is what it printed."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output


class _Files:
    """The regions as files, for esptool's command line; `arguments` while it is entered."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._folder = tempfile.TemporaryDirectory(prefix="wattle-flash-")
        self.arguments: list[str] = []

    def __enter__(self) -> "_Files":
        for region in self._regions:
            path = Path(self._folder.name) / f"{region.offset:x}.bin"
            path.write_bytes(region.data)
            self.arguments += [hex(region.offset), str(path)]
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _written(regions: Sequence[Region], at: int) -> int:
    return sum(min(max(at - region.offset, 0), len(region.data)) for region in regions)


def _chip(output: str) -> Chip:
    name, family, mac = _CHIP.search(output), _FAMILY.search(output), _MAC.search(output)
    if name is None or family is None or mac is None:
        raise ToolError(f"esptool said nothing of the chip: {output.strip()[-80:]!r}")
    return Chip(family[1], name[1].strip(), bytes.fromhex(mac[1].replace(":", "")))


def _error(output: str, line_is_there: bool) -> Exception:
    found = _FATAL.search(output)
    said = " ".join((found[1] if found else output).split()) or "nothing"
    lower = said.lower()
    if "verification failed" in lower:
        return _DiffersError(output)
    if "does not match data in flash" in lower or "md5 of file" in lower:
        return _read_back_differs()
    # After a break esptool opens the line again, so this is often the last that it says.
    if not line_is_there or any(word in lower for word in _BROKEN):
        return SerialLineError(
            "the line broke while esptool worked",
            "plug the board in again, and run the command again: it goes on where it was",
        )
    if "failed to connect" in lower or "no serial data received" in lower:
        return SerialLineError(
            "its serial loader does not answer",
            "hold the button BOOT while you plug it in, and run it again",
        )
    if "could not open" in lower or "port is busy" in lower:
        return SerialLineError(
            "its line cannot be opened", "close other programs that use it, and run it again"
        )
    if "not for this chip" in lower or "unexpected chip id" in lower:
        return InterpreterImageError(f"esptool: {said[:120]}", "take the image of this chip")
    return UnfitBoardError(f"esptool: {said[:120]}", _TRY_LINE)


_BROKEN = (
    "device disconnected",
    "input/output error",
    "lost connection",
    "no such file",
    "serial data stream stopped",
    "serial exception",
    "write timeout",
    "readiness to read",
    "bad file descriptor",
    "packet content transfer stopped",
    "invalid head of packet",
    "not functioning",
)


def _read_back_differs() -> ReadBackError:
    return ReadBackError(
        "its flash memory does not hold what was written",
        "run it again; if it stays so, the memory is worn out: take another board",
    )
