"""The emulated board at the end of a cable: its prompt on a pty, for tools that fill boards.

Its files and its ROMFS partition outlive a soft reset; the end of qemu is the end of them.
"""

import re
import struct
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from wattle_hil import parts
from wattle_hil.errors import BoardError

# Where firmware/boards/qemu/cable.c looks for what it is told.
_DESCRIPTION_ADDRESS = 0x21FFFF00
_PTY = re.compile(r"char device redirected to (\S+)")
_SAID_LINES_MAX = 20


class CabledBoard:
    """A running board with a MAC (6 bytes); a context manager. `port`: its pty.

    rom_bytes: size of its ROMFS partition, 0 for none.
    Raises PartMissingError without the emulated board, BoardError when qemu does not start.
    """

    def __init__(self, mac: bytes, rom_bytes: int = 0) -> None:
        assert len(mac) == 6
        self._description = struct.pack("<6s2xI", mac, rom_bytes)
        self.port = ""

    def __enter__(self) -> "CabledBoard":
        qemu, firmware = parts.board()
        self._folder = tempfile.TemporaryDirectory(prefix="wattle-board-")
        description = Path(self._folder.name) / "description"
        description.write_bytes(self._description)
        loader = f"loader,file={description},addr={_DESCRIPTION_ADDRESS:#x},force-raw=on"
        command = [
            *(str(qemu), "-machine", "mps2-an385", "-display", "none", "-monitor", "none"),
            *("-semihosting", "-serial", "pty", "-kernel", str(firmware), "-device", loader),
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.port = self._find_port()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pull_out()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()

    def pull_out(self) -> None:
        """Ends it, and with it its line."""
        self._process.kill()
        self._process.wait()

    def _find_port(self) -> str:
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line.strip())
            if found := _PTY.search(line):
                return found[1]
            if len(said) > _SAID_LINES_MAX:
                break
        self.pull_out()
        raise BoardError(f"qemu opened no pty for the board: {' '.join(said)[:300]}")
