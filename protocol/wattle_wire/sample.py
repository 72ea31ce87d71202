"""The sample: a SenML pack in CBOR that a meter signs (SPEC section 5).

A Reading is the state of one device at one time; a Sample is what one signed message
says. Both are plain records, checked when they are encoded and when they are decoded.
"""

import binascii

from wattle_wire import cbor, quantity, structure
from wattle_wire.errors import LimitError, MalformedError

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_BYTES_MAX = 16384
READINGS_MAX = 64
GAPS_MAX = 8
DEVICE_MAX = 32
SEQ_MAX = (1 << 53) - 1  # what every JSON reader of an export can hold
BOOT_MAX = (1 << 32) - 1
# RFC 8428 section 4.5.3: times below 2^28 seconds are relative to now
TIME_MS_MIN = 268435456000
TIME_MS_MAX = (1 << 53) - 1

CLOCK_STATES = ("U", "I", "S", "R")

GAP_RESTART = 1
GAP_FULL = 2
GAP_DAMAGED = 3
GAP_ABSENT = 4
GAP_REASONS = (GAP_RESTART, GAP_FULL, GAP_DAMAGED, GAP_ABSENT)

_BVER, _BN, _BT = -1, -2, -3
_N, _U, _V, _VS, _VD = 0, 1, 2, 3, 8
_BVER_SECONDARY_UNITS = 26  # RFC 9100: version 10 and feature 4


class Reading:
    """One device at one time.

    `device` 1..32; `time_ms` Unix time; `status` OCMF letter of the device; `values` maps a
    quantity name to an int (in units of its decimal exponent) or to the status letter of a
    quantity that could not be read.
    """

    __slots__ = ("device", "status", "time_ms", "values")

    def __init__(
        self, device: int, time_ms: int, status: str, values: dict[str, int | str]
    ) -> None:
        self.device = device
        self.time_ms = time_ms
        self.status = status
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and _reading_key(self) == _reading_key(other)

    def __hash__(self) -> int:
        return hash((self.device, self.time_ms, self.status))

    def __repr__(self) -> str:
        return "Reading(%d, %d, %r, %r)" % (self.device, self.time_ms, self.status, self.values)


def _reading_key(reading: Reading) -> tuple[int, int, str, dict[str, int | str]]:
    return (reading.device, reading.time_ms, reading.status, reading.values)


class Sample:
    """The content of one signed sample.

    `eui64` 8 bytes; `seq`, `boot` uint; `prev` 32 bytes or None at a segment's start;
    `clock` one of U I S R; `readings` list of Reading, ordered by time and device;
    `seen` (commit index, 16 bytes) or None; `gaps` list of (from, to, reason);
    `command` (digest 32 bytes, reached W) or None.
    """

    __slots__ = ("boot", "clock", "command", "eui64", "gaps", "prev", "readings", "seen", "seq")

    def __init__(
        self,
        eui64: bytes,
        seq: int,
        boot: int,
        prev: bytes | None,
        clock: str,
        readings: list[Reading],
        seen: tuple[int, bytes] | None = None,
        gaps: list[tuple[int, int, int]] | None = None,
        command: tuple[bytes, int] | None = None,
    ) -> None:
        self.eui64 = eui64
        self.seq = seq
        self.boot = boot
        self.prev = prev
        self.clock = clock
        self.readings = readings
        self.seen = seen
        self.gaps = gaps or []
        self.command = command


def encode(sample: Sample) -> bytes:
    """The payload bytes of a sample. Raises as `pack` does.

    Record by record: all of them at once take seven times the heap that their bytes do. Counted
    first, so that a head put before them later makes no further copy.
    """
    _check_fields(sample)
    count = 0
    for _ in _records(sample):
        count += 1
    out = bytearray(cbor.array_head(count))
    for record in _records(sample):
        out.extend(cbor.encode(record))
    return bytes(out)


def pack(sample: Sample) -> list[dict[int, object]]:
    """The SenML pack of a sample: its records, not encoded yet.

    Raises MalformedError or LimitError if a field is not as SPEC section 5 has it: a meter must
    not sign what a gateway would refuse.
    """
    _check_fields(sample)
    return list(_records(sample))


def _records(sample: Sample) -> "Iterator[dict[int, object]]":
    yield {
        _BVER: _BVER_SECONDARY_UNITS,
        _BN: base_name(sample.eui64),
        _N: "0/seq",
        _V: sample.seq,
    }
    yield {_N: "0/boot", _V: sample.boot}
    if sample.prev is not None:
        yield {_N: "0/prev", _VD: sample.prev}
    yield {_N: "0/clk", _VS: sample.clock}
    if sample.seen is not None:
        yield {_N: "0/seen", _VD: cbor.encode(list(sample.seen))}
    if sample.gaps:
        yield {_N: "0/gap", _VD: cbor.encode([list(gap) for gap in sample.gaps])}
    if sample.command is not None:
        yield {_N: "0/cmd", _VD: cbor.encode(list(sample.command))}
    for reading in sample.readings:
        yield from _reading_records(reading)


def base_name(eui64: bytes) -> str:
    """The SenML base name of a meter's EUI-64 (RFC 9039 section 4.1)."""
    return "urn:dev:mac:" + binascii.hexlify(eui64).decode() + ":"


def _reading_records(reading: Reading) -> "Iterator[dict[int, object]]":
    prefix = "%d/" % reading.device
    names = list(reading.values)
    names.append(quantity.STATUS)
    names.sort()
    base_time: object = cbor.Tag(cbor.TAG_DECIMAL, [-3, reading.time_ms])
    for name in names:
        record: dict[int, object] = {_N: prefix + name}
        value = reading.status if name == quantity.STATUS else reading.values[name]
        if isinstance(value, str):
            record[_VS] = value
        else:
            record[_U], exponent = quantity.form(name)
            record[_V] = cbor.Tag(cbor.TAG_DECIMAL, [exponent, value]) if exponent else value
        if base_time is not None:
            record[_BT] = base_time
            base_time = None
        yield record


def _check_fields(sample: Sample) -> None:
    structure.uint(sample.seq, "seq", SEQ_MAX)
    structure.uint(sample.boot, "boot", BOOT_MAX)
    structure.octets(sample.eui64, 8, "eui64")
    if sample.prev is not None:
        structure.octets(sample.prev, 32, "prev")
    if sample.clock not in CLOCK_STATES:
        raise MalformedError("clock state %r, expected one of %r" % (sample.clock, CLOCK_STATES))
    if sample.seen is not None:
        structure.uint(sample.seen[0], "seen index", SEQ_MAX)
        structure.octets(sample.seen[1], 16, "seen digest")
    if sample.command is not None:
        structure.octets(sample.command[0], 32, "command digest")
        structure.integer(sample.command[1], "reached setpoint")
    _check_gaps(sample.gaps, sample.seq)
    if not 1 <= len(sample.readings) <= READINGS_MAX:
        raise LimitError("%d readings, expected 1 to %d" % (len(sample.readings), READINGS_MAX))
    last = (-1, -1)
    for reading in sample.readings:
        check_reading(reading)
        position = (reading.time_ms, reading.device)
        if position <= last:
            raise MalformedError("readings are not in rising order of time and device")
        last = position


def _check_gaps(gaps: list[tuple[int, int, int]], seq: int) -> None:
    if len(gaps) > GAPS_MAX:
        raise LimitError("%d gap records, expected at most %d" % (len(gaps), GAPS_MAX))
    last = -1
    for first, to, reason in gaps:
        if not last < first <= to < seq:
            raise MalformedError("gap %d..%d is not rising and below seq %d" % (first, to, seq))
        if reason not in GAP_REASONS:
            raise MalformedError("gap reason %r, expected one of %r" % (reason, GAP_REASONS))
        last = to


def check_reading(reading: Reading) -> None:
    """Raise MalformedError or LimitError unless the reading can stand in a sample."""
    if not 1 <= reading.device <= DEVICE_MAX:
        raise LimitError("device %d, expected 1 to %d" % (reading.device, DEVICE_MAX))
    if not TIME_MS_MIN <= reading.time_ms <= TIME_MS_MAX:
        raise LimitError("time %d ms is out of range" % reading.time_ms)
    _check_letter(reading.status)
    good = reading.status == quantity.GOOD
    if good and not reading.values:
        raise MalformedError("status G without a value")
    for name in reading.values:
        quantity.form(name)
        value = reading.values[name]
        if isinstance(value, str):
            _check_letter(value)
            if good or value == quantity.GOOD:
                raise MalformedError("status G beside %s which has no value" % name)
        elif isinstance(value, bool) or not cbor.INT_MIN <= value <= cbor.INT_MAX:
            raise LimitError("%s is not an int64" % name)


def _check_letter(letter: str) -> None:
    if len(letter) != 1 or letter not in quantity.STATUS_LETTERS:
        raise MalformedError("status %r, expected one of %s" % (letter, quantity.STATUS_LETTERS))
