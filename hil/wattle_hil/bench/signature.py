"""What one signature costs on real MicroPython, measured by the firmware's own script."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wattle_hil import parts
from wattle_hil.board import machine, program
from wattle_hil.children.processes import run
from wattle_hil.children.programs import checkout
from wattle_hil.errors import BenchError
from wattle_hil.parts import PartMissingError

_SCRIPT = Path("firmware/bench/signature.py")
# What a board has; objects of the 32-bit interpreter are those of a board.
HEAP = "110k"
_DEADLINE_S = 120.0
# What a signature may cost, and what may stand between a due read and its time.
INSTRUCTIONS_LIMIT, SLICE_LIMIT = 12_000_000, 3_000_000
# The emulated board does the same in every run: a few digests show how much they differ.
_BOARD_SIGNATURES = 10
_BOARD_PROGRAM = """\
import json
import signature

def main():
    print(json.dumps(signature.measure(%d)))
"""


@dataclass(frozen=True)
class SignatureCost:
    """Of `signatures` signatures: median and longest time, longest time between two yields, heap
    bytes that one allocates, heap bytes that all of them keep. Of a check and a key agreement:
    time, longest time between two yields; of a check also the heap bytes that it allocates."""

    signatures: int
    sign_us: int
    sign_us_max: int
    slice_us_max: int
    garbage_bytes: int
    kept_bytes: int
    verify_us: int
    verify_slice_us_max: int
    verify_garbage_bytes: int
    ecdh_us: int
    ecdh_slice_us_max: int


@dataclass(frozen=True)
class BoardSignatureCost:
    """The same of the emulated board, exact: median and most instructions of a signature, of a
    check, of a key agreement, and the most between two yields of each."""

    signatures: int
    sign_instructions: int
    sign_instructions_max: int
    slice_instructions_max: int
    verify_instructions: int
    verify_slice_instructions_max: int
    ecdh_instructions: int
    ecdh_slice_instructions_max: int


def signature_cost(bits: int) -> SignatureCost:
    """Runs the script. Raises BenchError when there is no such interpreter, ProcessError."""
    try:
        interpreter = parts.micropython(bits)
    except PartMissingError as error:
        raise BenchError(str(error)) from error
    room = checkout()
    done = run(
        f"signature on {bits} bits",
        (str(interpreter), "-X", f"heapsize={HEAP}", str(room / _SCRIPT)),
        _DEADLINE_S,
        {"MICROPYPATH": f"{room / 'protocol'}:.frozen"},
    )
    return SignatureCost(**_figures(done.expect_success()))


def board_signature_cost() -> BoardSignatureCost:
    """Runs the script on the emulated Cortex-M3.

    Raises PartMissingError without a board; BoardError, BenchError, ProcessError.
    """
    room = checkout()
    with tempfile.TemporaryDirectory() as folder:
        main = Path(folder) / "program.py"
        main.write_text(_BOARD_PROGRAM % _BOARD_SIGNATURES, encoding="utf-8")
        programs = {"signature": room / _SCRIPT, "program": main}
        image = Path(folder) / "rom.img"
        image.write_bytes(program.image([room / "protocol" / "wattle_wire"], programs))
        ticks = _figures(machine.run(image, counted=True, deadline_s=_DEADLINE_S))
    return BoardSignatureCost(
        signatures=ticks["signatures"],
        sign_instructions=machine.instructions(ticks["sign_us"]),
        sign_instructions_max=machine.instructions(ticks["sign_us_max"]),
        slice_instructions_max=machine.instructions(ticks["slice_us_max"]),
        verify_instructions=machine.instructions(ticks["verify_us"]),
        verify_slice_instructions_max=machine.instructions(ticks["verify_slice_us_max"]),
        ecdh_instructions=machine.instructions(ticks["ecdh_us"]),
        ecdh_slice_instructions_max=machine.instructions(ticks["ecdh_slice_us_max"]),
    )


def _figures(said: str) -> dict[str, int]:
    try:
        figures: dict[str, int] = json.loads(said)
        if figures.keys() != SignatureCost.__dataclass_fields__.keys():
            raise ValueError(f"figures are {list(figures)}")
    except (ValueError, AttributeError) as error:
        raise BenchError(f"the script said {said[:200]!r}") from error
    return figures
