"""Keys are born on the board: a small program of the firmware makes them there, and prints proof.

The program (firmware/boards/esp32/commissioning.py) is brought as a file, run and removed. Only the
proof comes back, which holds public keys; that it does is verified here.
"""

from pathlib import Path

from wattle_tools import proof
from wattle_tools.boards.repl import Progress, Repl, printable
from wattle_tools.errors import BoardError, SerialLineError, UnfitBoardError, reason_of
from wattle_tools.proof import Proof
from wattle_tools.provision import brought
from wattle_tools.provision.brought import Brought

# Keys take a board 2 s (firmware/main.py says the same); a busy host may be late as well.
_KEYS_S = 30.0


def program(firmware: Path) -> Brought:
    """What is brought to a board, from the sources at `firmware`. Raises ImageError."""
    return brought.program(firmware, "commissioning")


def prove(repl: Repl, keys: Brought, ledger_id: bytes, mac: bytes, progress: Progress) -> Proof:
    """The verified proof of a board, whose keys are made now if it has none.

    Raises SerialLineError, UnfitBoardError, ReadBackError.
    """
    with brought.on_board(repl, keys, progress):
        said = repl.run(keys.call(ledger_id.hex()), _KEYS_S)
    try:
        raw = bytes.fromhex(said.strip())
        found = proof.parse(raw, ledger_id, "the board")
    except (ValueError, BoardError) as error:
        raise SerialLineError(
            f"what it says of its keys does not verify: {printable(reason_of(error))}",
            "run it again; if it stays so, the line is disturbed: try another cable",
        ) from error
    if found.eui64 != mac[:3] + b"\xff\xfe" + mac[3:]:
        raise UnfitBoardError(
            f"its proof names {found.eui64.hex()}, its chip {mac.hex()}",
            "leave the boards plugged in, and run it again",
        )
    return found
