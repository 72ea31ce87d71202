"""What one signature costs on real MicroPython, measured by the firmware's own script."""

import json
from dataclasses import dataclass
from pathlib import Path

from wattle_hil import parts
from wattle_hil.children.processes import run
from wattle_hil.children.programs import checkout
from wattle_hil.errors import BenchError
from wattle_hil.parts import PartMissingError

_SCRIPT = Path("firmware/bench/signature.py")
# What a board has; objects of the 32-bit interpreter are those of a board.
HEAP = "110k"
_DEADLINE_S = 120.0


@dataclass(frozen=True)
class SignatureCost:
    """Of `signatures` signatures: median and longest time, longest time between two yields, heap
    bytes that one allocates, heap bytes that all of them keep."""

    signatures: int
    sign_us: int
    sign_us_max: int
    slice_us_max: int
    garbage_bytes: int
    kept_bytes: int


def signature_cost(bits: int) -> SignatureCost:
    """Runs the script. Raises BenchError when there is no such interpreter, ProcessError."""
    try:
        program = parts.micropython(bits)
    except PartMissingError as error:
        raise BenchError(str(error)) from error
    room = checkout()
    done = run(
        f"signature on {bits} bits",
        (str(program), "-X", f"heapsize={HEAP}", str(room / _SCRIPT)),
        _DEADLINE_S,
        {"MICROPYPATH": f"{room / 'protocol'}:.frozen"},
    )
    try:
        return SignatureCost(**json.loads(done.expect_success()))
    except (ValueError, TypeError) as error:
        raise BenchError(f"the script said {done.output[:200]!r}") from error
