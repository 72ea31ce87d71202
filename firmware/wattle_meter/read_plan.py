"""Which reads a device costs per round, and when in the round each has its slot; pure.

Where loads hang on the line too, the round leaves gaps in which their setpoints are written: a
write never takes the slot of a read.
"""

from wattle_wire.quantity import NOT_PRESENT, OUT_OF_RANGE

from wattle_meter.errors import MeterError
from wattle_meter.float32 import ReadingRangeError
from wattle_meter.line import Line
from wattle_meter.modbus import REQUEST_BYTES, response_bytes
from wattle_meter.profile import Profile
from wattle_meter.register import AbsentError, Register

# A round is planned into this part of its interval if it fits there: values are then read near
# the time that they bear.
_WINDOW_PARTS = 2
# What a slot may be late, as a part of the interval: half of the tenth that a period may differ.
_LATENESS_PARTS = 20
# Reads planned one after another before a gap for a write; where the line is too full for that, the
# second: with spare time and the write itself still the second that a setpoint may take.
_WRITE_EVERY_MS = (300, 600)


class PlanError(MeterError):
    """Quantities that a profile lacks, or a bus that cannot be read within its interval."""


class Read:
    """One request: `count` registers from `address`; `fields` lists (quantity, Register)."""

    def __init__(self, address: int, count: int) -> None:
        self.address = address
        self.count = count
        self.fields: list[tuple[str, Register]] = []

    def values(self, words: list[int], low_first: bool) -> dict[str, int | str]:
        """Quantity: the wire's integer, or the OCMF letter of one that is not there (N) or no
        number (O); `words` answered this read.
        """
        values: dict[str, int | str] = {}
        for name, register in self.fields:
            try:
                values[name] = register.value(words, self.address, low_first)
            except AbsentError:
                values[name] = NOT_PRESENT
            except ReadingRangeError:
                values[name] = OUT_OF_RANGE
        return values


class Slot:
    """The time that a round holds for read `turn` of the device at `index`: from `start_ms` to
    `end_ms` after the beginning of the round. Nobody else's read begins before that.
    """

    def __init__(self, index: int, turn: int, start_ms: int) -> None:
        self.index = index
        self.turn = turn
        self.start_ms = start_ms
        self.end_ms = 0  # known once the next one is
        self.gap_ms = 0  # kept free behind it


def plan_reads(profile: Profile, quantities: list[str]) -> list[Read]:
    """The fewest reads that fetch `quantities`, energy counters first.

    A read crosses registers nobody asked for only inside a `readable` range: outside, devices
    answer with an exception. Energy comes first because its time matters most in settlement.
    Raises PlanError for a quantity that the profile lacks or that is listed twice.
    """
    rows = []
    for name in quantities:
        if name not in profile.registers:
            raise PlanError("%s has no quantity %r" % (profile.name, name))
        if quantities.count(name) > 1:
            raise PlanError("quantity %r is listed twice" % name)
        rows.append((profile.registers[name].span(), name))
    reads: list[Read] = []
    for (first, end), name in sorted(rows):
        read = reads[-1] if reads else None
        if read is None or not _joins(profile, read, first, end):
            read = Read(first, 0)
            reads.append(read)
        read.count = max(read.count, end - read.address)
        read.fields.append((name, profile.registers[name]))
    reads.sort(key=_energy_first)
    return reads


def _joins(profile: Profile, read: Read, first: int, end: int) -> bool:
    if end - read.address > profile.registers_per_read:
        return False
    read_end = read.address + read.count
    if first <= read_end:
        return True
    return any(low <= read_end and first - 1 <= high for low, high in profile.readable)


def _energy_first(read: Read) -> tuple[bool, int]:
    return not any(field[0][0] == "e" for field in read.fields), read.address


def read_ms(read: Read, profile: Profile, line: Line) -> int:
    """Line time of one read with the usual answer time, without the device's pause."""
    length = REQUEST_BYTES + response_bytes(read.count)
    return line.transfer_ms(length) + 2 * line.silence_ms() + profile.answer_ms


def lateness_ms(interval_ms: int) -> int:
    """How far a read may run beyond its slot."""
    return interval_ms // _LATENESS_PARTS


def plan_round(
    devices: list[tuple[Profile, list[Read]]], line: Line, interval_ms: int, write_ms: int = 0
) -> tuple[list[Slot], int]:
    """(slots in their order, ms that a round without failures takes) for `devices`, a list of
    (profile, reads), on `line`; `write_ms`: what the longest write takes, 0 if there is none.

    One read of each device in turn, so that one uses the pause of another. Time that is left is
    shared out: a device that does not answer may use up its own slot, never its neighbour's.
    Raises PlanError when a round does not fit into `interval_ms`: such a bus would skip slots
    for ever.
    """
    # A late read must not use up the gap, round for round.
    gap_ms = write_ms + lateness_ms(interval_ms) if write_ms else 0
    slots, round_ms = _packed(devices, line, gap_ms, _WRITE_EVERY_MS[0])
    if gap_ms and round_ms > interval_ms:
        slots, round_ms = _packed(devices, line, gap_ms, _WRITE_EVERY_MS[1])
    if round_ms > interval_ms:
        raise PlanError(
            "a round of %d devices takes %d ms at %d Bd, the interval is %d ms"
            % (len(devices), round_ms, line.baud, interval_ms)
        )
    half_ms = interval_ms // _WINDOW_PARTS
    window_ms = half_ms if round_ms <= half_ms else interval_ms
    spare_ms = (window_ms - round_ms) // len(slots)
    added_ms = 0
    for at, slot in enumerate(slots):
        slot.start_ms += added_ms
        if at:
            slots[at - 1].end_ms = slot.start_ms - slots[at - 1].gap_ms
        profile = devices[slot.index][0]
        added_ms += min(spare_ms, profile.answer_timeout_ms - profile.answer_ms)
    slots[-1].end_ms = interval_ms - gap_ms  # what comes behind it is the next round
    return slots, round_ms


def _packed(
    devices: list[tuple[Profile, list[Read]]], line: Line, gap_ms: int, write_every_ms: int
) -> tuple[list[Slot], int]:
    """Slots without spare time, and how long a round of them takes."""
    slots: list[Slot] = []
    begun_ms: list[int | None] = [None] * len(devices)
    rested_ms = [0] * len(devices)
    now_ms = round_ms = written_ms = 0
    for turn in range(max(len(reads) for _, reads in devices)):
        for index, (profile, reads) in enumerate(devices):
            if turn >= len(reads):
                continue
            if gap_ms and now_ms - written_ms >= write_every_ms:
                slots[-1].gap_ms = gap_ms
                now_ms += gap_ms
                written_ms = now_ms
            slot = Slot(index, turn, max(now_ms, rested_ms[index]))
            now_ms = slot.start_ms + read_ms(reads[turn], profile, line)
            slots.append(slot)
            rested_ms[index] = now_ms + profile.pause_ms
            begun = begun_ms[index]
            if begun is None:
                begun = begun_ms[index] = slot.start_ms
            round_ms = max(round_ms, now_ms, rested_ms[index] - begun)
    return slots, max(round_ms, now_ms + gap_ms)
