"""What the outbox costs a board's flash in an hour, counted on the emulated board."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.board import machine, program
from wattle_hil.children.programs import checkout
from wattle_hil.errors import BenchError

_SCRIPT = Path("firmware/bench/flash.py")
_DEADLINE_S = 600.0
OUTBOX_BYTES = 1 << 20  # what a meter keeps unless its configuration says otherwise
_PROGRAM = """\
import json
import flash

def main():
    print(json.dumps(flash.measure(%r, %r, %r, %r)))
"""


@dataclass(frozen=True)
class Hour:
    """A sample of so many bytes every so many seconds; final after so long, or None: no link."""

    every_s: int
    sample_bytes: int
    final_after_s: int | None


@dataclass(frozen=True)
class FlashCost:
    """Of one hour: appends to files, programs and erases of the flash, erases of the block that
    was erased most, and samples that the outbox overwrote."""

    appends: int
    programs: int
    erases: int
    erases_of_one_block_max: int
    dropped: int


def flash_cost(hour: Hour, outbox_bytes: int = OUTBOX_BYTES) -> FlashCost:
    """Plays an hour. Raises PartMissingError without a board; BoardError, BenchError,
    ProcessError."""
    room = checkout()
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder) / "program.py"
        numbers = (hour.every_s, hour.sample_bytes, hour.final_after_s, outbox_bytes)
        main.write_text(_PROGRAM % numbers, encoding="utf-8")
        packages = (room / "protocol" / "wattle_wire", room / "firmware" / "wattle_meter")
        programs = {"flash": room / _SCRIPT, "program": main}
        image = Path(folder) / "rom.img"
        image.write_bytes(program.image(packages, programs))
        said = machine.run(image, deadline_s=_DEADLINE_S)
    try:
        return FlashCost(**json.loads(said))
    except (ValueError, TypeError) as error:
        raise BenchError(f"the script said {said[:200]!r}") from error
