"""Keys are born on the board: a small program of the firmware makes them there, and prints proof.

The program (firmware/boards/esp32/commissioning.py) is brought as a file, run and removed. Only the
proof comes back, which holds public keys; that it does is verified here.
"""

import contextlib
import functools
from pathlib import Path

from wattle_tools import proof
from wattle_tools.boards.repl import Progress, Repl, printable
from wattle_tools.errors import BoardError, ImageError, SerialLineError, ToolError, UnfitBoardError
from wattle_tools.flash import installation
from wattle_tools.image import build, sources
from wattle_tools.image.linker.link import Source
from wattle_tools.proof import Proof

_NAME = "wattle_commission"
_PATH = f"/{_NAME}.mpy"
_MODULE = "commissioning"
# Keys take a board 2 s (firmware/main.py says the same); a busy host may be late as well.
_KEYS_S = 30.0


@functools.cache
def program(firmware: Path) -> bytes:
    """What is brought to a board, from the sources at `firmware`. Raises ImageError.

    Made once in a run: it takes a second, and a batch has many boards.
    """
    own = firmware / "boards" / "esp32" / f"{_MODULE}.py"
    if not own.is_file():
        raise ImageError(f"{own} is missing; expected the sources of the firmware")
    parts = [Source(file.module, file.path) for file in sources.device_files(firmware)]
    made = build.program([*parts, Source(_MODULE, own)], _MODULE, name=_NAME)
    return made.files[f"{_NAME}.mpy"]


def prove(repl: Repl, brought: bytes, ledger_id: bytes, mac: bytes, progress: Progress) -> Proof:
    """The verified proof of a board, whose keys are made now if it has none.

    Raises SerialLineError, UnfitBoardError, ReadBackError.
    """
    try:
        repl.write(_PATH, brought, progress)
        installation.verify_files(repl, {_PATH: brought})
        said = repl.run(f"import {_NAME}\n{_NAME}.main('{ledger_id.hex()}')", _KEYS_S)
    finally:
        with contextlib.suppress(ToolError):
            installation.remove_files(repl, [_PATH])
    try:
        raw = bytes.fromhex(said.strip())
        found = proof.parse(raw, ledger_id, "the board")
    except (ValueError, BoardError) as error:
        raise SerialLineError(
            f"what it says of its keys does not verify: {printable(str(error))}",
            "run it again; if it stays so, the line is disturbed: try another cable",
        ) from error
    if found.eui64 != mac[:3] + b"\xff\xfe" + mac[3:]:
        raise UnfitBoardError(
            f"its proof names {found.eui64.hex()}, its chip {mac.hex()}",
            "leave the boards plugged in, and run it again",
        )
    return found
