"""Which reads a device costs per round, and how long a round takes on the line; pure."""

from wattle_meter import register
from wattle_meter.errors import MeterError
from wattle_meter.line import Line
from wattle_meter.modbus import REQUEST_BYTES, response_bytes
from wattle_meter.profile import Profile


class PlanError(MeterError):
    """Quantities that a profile lacks, or a bus that cannot be read within its interval."""


class Read:
    """One request: `count` registers from `address`.

    `fields` lists (quantity, offset in words, type name, exponent10).
    """

    def __init__(self, address: int, count: int) -> None:
        self.address = address
        self.count = count
        self.fields: list[tuple[str, int, str, int]] = []


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
        address, type_name, exponent10 = profile.registers[name]
        rows.append((address, name, type_name, exponent10))
    reads: list[Read] = []
    for address, name, type_name, exponent10 in sorted(rows):
        end = address + register.words_of(type_name)
        read = reads[-1] if reads else None
        if read is None or not _joins(profile, read, address, end):
            read = Read(address, 0)
            reads.append(read)
        read.count = max(read.count, end - read.address)
        read.fields.append((name, address - read.address, type_name, exponent10))
    reads.sort(key=_energy_first)
    return reads


def _joins(profile: Profile, read: Read, address: int, end: int) -> bool:
    if end - read.address > profile.registers_per_read:
        return False
    read_end = read.address + read.count
    if address <= read_end:
        return True
    return any(first <= read_end and address - 1 <= last for first, last in profile.readable)


def _energy_first(read: Read) -> tuple[bool, int]:
    return not any(field[0][0] == "e" for field in read.fields), read.address


def read_ms(read: Read, profile: Profile, line: Line) -> int:
    """Line time of one read with the usual answer time, without the device's pause."""
    length = REQUEST_BYTES + response_bytes(read.count)
    return line.transfer_ms(length) + 2 * line.silence_ms() + profile.answer_ms


def check_interval(devices: list[tuple[Profile, list[Read]]], line: Line, interval_ms: int) -> int:
    """Time in ms that one round over `devices`, a list of (profile, reads), takes on `line`.

    Pauses of one device are used for reads of another. Raises PlanError when a round does not
    fit into `interval_ms`: such a bus would skip slots for ever.
    """
    line_ms = 0
    longest_ms = 0
    for profile, reads in devices:
        busy_ms = 0
        for read in reads:
            busy_ms += read_ms(read, profile, line)
        line_ms += busy_ms
        longest_ms = max(longest_ms, busy_ms + len(reads) * profile.pause_ms)
    round_ms = max(line_ms, longest_ms)
    if round_ms > interval_ms:
        raise PlanError(
            "a round of %d devices takes %d ms at %d Bd, the interval is %d ms"
            % (len(devices), round_ms, line.baud, interval_ms)
        )
    return round_ms
