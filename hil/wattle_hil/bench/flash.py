"""What the outbox holds and what it costs a board's flash, counted on LittleFS."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from wattle_hil import parts
from wattle_hil.children.processes import run
from wattle_hil.children.programs import checkout
from wattle_hil.errors import BenchError
from wattle_hil.parts import PartMissingError

_SCRIPT = Path("firmware/bench/flash.py")
_DEADLINE_S = 600.0
_HEAP = "8m"  # the flash itself is memory of the interpreter
OUTBOX_BYTES = 1 << 20  # what a meter keeps unless its configuration says otherwise
# What a NOR flash stands for each block (data sheets of Winbond W25Q, GigaDevice GD25Q).
ERASE_CYCLES = 100_000
YEAR_H = 8_766
# Of a device with one phase, all that the firmware's profiles read.
QUANTITIES = ("ee", "ei", "f", "i", "p", "q", "u")


@dataclass(frozen=True)
class Duty:
    """Hours of a reading every so many seconds, so many in a sample; final after so long, or
    None: no link."""

    hours: int
    every_s: int
    readings: int
    final_after_s: int | None


@dataclass(frozen=True)
class FlashCost:
    """Of a duty: appends to files, programs and erases of the flash, erases of the block that was
    erased most, and samples that the outbox overwrote before they were final."""

    appends: int
    programs: int
    erases: int
    erases_of_one_block_max: int
    dropped: int


@dataclass(frozen=True)
class Capacity:
    """What the outbox holds at least without a link, at a reading a second: samples, the seconds
    that they span, bytes of a sample as signed and as it takes of the flash."""

    samples: int
    seconds: int
    sample_bytes: int
    flash_bytes_each: int


def flash_cost(duty: Duty) -> FlashCost:
    """Plays a duty. Raises BenchError, ProcessError."""
    after = "none" if duty.final_after_s is None else str(duty.final_after_s)
    words = [str(number) for number in (duty.hours, duty.every_s, duty.readings)]
    return FlashCost(**_measured("wears", *words, after, ",".join(QUANTITIES)))


def capacity(readings: int, quantities: tuple[str, ...] = QUANTITIES) -> Capacity:
    """Fills an outbox with samples of so many readings. Raises BenchError, ProcessError."""
    return Capacity(**_measured("holds", str(readings), ",".join(quantities)))


def outage_hours_a_year(cost: FlashCost, hours: int, years: int) -> int:
    """For how many hours of each year flash can stand what `hours` of it cost, for `years`.

    The worst block of a short run counts as the worst of a long one: wear levelling evens it out
    further with time.
    """
    if cost.erases_of_one_block_max == 0:
        return YEAR_H
    return min(YEAR_H, ERASE_CYCLES * hours // (years * cost.erases_of_one_block_max))


def figures(duty: Duty, cost: FlashCost) -> dict[str, object]:
    """For a JSON report."""
    return asdict(duty) | asdict(cost)


def _measured(*arguments: str) -> dict[str, int]:
    try:
        interpreter = parts.micropython(64)
    except PartMissingError as error:
        raise BenchError(str(error)) from error
    room = checkout()
    done = run(
        "flash",
        (str(interpreter), "-X", f"heapsize={_HEAP}", str(room / _SCRIPT), *arguments),
        _DEADLINE_S,
        {"MICROPYPATH": f"{room / 'protocol'}:{room / 'firmware'}:.frozen"},
    )
    said = done.expect_success()
    try:
        found: dict[str, int] = json.loads(said)
    except ValueError as error:
        raise BenchError(f"the script said {said[:200]!r}") from error
    return found
