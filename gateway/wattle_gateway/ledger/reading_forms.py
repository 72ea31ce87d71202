"""Samples by the form of their readings: what `sample_reader.decode` gives, ten times as fast.

Readings of a meter differ in their integers and in little else: names, units, status and the
length of each number are those of the reading before. Such a form is learned from a sample that
was decoded the long way, and the next reading is one `struct` away. It counts only if its bytes
are the very ones that the encoder writes for what was read, which is what the long way checks,
too; whatever is not goes the long way, and is judged there.
"""

import struct
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from operator import le
from typing import Any

from wattle_wire import cbor, sample, sample_reader
from wattle_wire.errors import WireError
from wattle_wire.sample import Reading, Sample

# A household's meter needs two or three; who sends ever new ones is decoded the long way.
FORMS_MAX = 16
# The meter's own records have a form of each meter's; at some 1 kB, those of a large substation.
METERS_MAX = 4096

_BT, _N, _V, _VD = -3, 0, 2, 8
# Keys of a record, in the order of their encodings.
_KEYS = (_N, 1, _V, 3, _VD, -1, -2, _BT)
# An integer of CBOR: additional information, struct's letter, the smallest that is written so.
_WIDTHS = ((27, "Q", 1 << 32), (26, "I", 1 << 16), (25, "H", 1 << 8), (24, "B", 24))
_PREV_BYTES = 32
_OWN = "0/"
# What stands before the EUI-64 in the first record, and how far from its begin at most.
_BASE_NAME = b"urn:dev:mac:"
_BASE_NAME_WITHIN = 64


@dataclass(frozen=True)
class Layout:
    """Bytes that differ in some fields: `constants` with a field between each two of them, as
    encoded from `least` to `most`."""

    packed: struct.Struct
    constants: tuple[bytes, ...]
    least: tuple[Any, ...]
    most: tuple[Any, ...]

    def fields(self, payload: bytes, start: int) -> list[Any] | None:
        """The fields of what begins at `start`, None if the bytes there are others."""
        if start + self.packed.size > len(payload):
            return None
        found = self.packed.unpack_from(payload, start)
        if found[::2] != self.constants:
            return None
        fields = list(found[1::2])
        if all(map(le, self.least, fields)) and all(map(le, fields, self.most)):
            return fields
        return None


@dataclass(frozen=True)
class Form:
    """Readings of a layout: field `time_at` is the time, the others are those of `names`,
    `negative` ones as -1 - n; `values` what all readings of the form have, in its order."""

    layout: Layout
    time_at: int
    names: tuple[str, ...]
    negative: tuple[bool, ...]
    device: int
    status: str
    values: dict[str, int | str]

    def read(self, payload: bytes, start: int) -> Reading | None:
        """The reading that begins at `start`, None if the bytes there are not of this form."""
        numbers = self.layout.fields(payload, start)
        if numbers is None:
            return None
        time_ms = numbers.pop(self.time_at)
        values = self.values.copy()
        if True in self.negative:
            pairs = zip(numbers, self.negative, strict=True)
            numbers = [~number if negative else number for number, negative in pairs]
        values.update(zip(self.names, numbers, strict=True))
        return Reading(self.device, time_ms, self.status, values)


@dataclass(frozen=True)
class OwnForm:
    """The meter's own records of a layout, of a sample without `seen`, gaps and command: `names`
    the fields, `values` what all samples of the form have."""

    layout: Layout
    names: tuple[str, ...]
    values: dict[str, Any]

    def read(self, payload: bytes, start: int, end: int) -> Sample | None:
        """The sample, without readings, whose own records are these bytes; None if not so."""
        fields = None
        if end - start == self.layout.packed.size:
            fields = self.layout.fields(payload, start)
        if fields is None:
            return None
        return Sample(**self.values, **dict(zip(self.names, fields, strict=True)), readings=[])


class _Maker:
    """Puts a layout together, record by record."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.negative: list[bool] = []
        self.time_at = 0
        self._constants = [bytearray()]
        self._letters: list[str] = []
        self._least: list[Any] = []
        self._most: list[Any] = []

    def take(self, record: dict[int, object], most: int = cbor.INT_MAX) -> None:
        """A record of a sample, as `sample.pack` gives it; its number is `most` at most."""
        name = str(record[_N])
        self._constants[-1].append(0xA0 | len(record))
        for key in _KEYS:
            if key not in record:
                continue
            self._constants[-1] += cbor.encode(key)
            value = record[key]
            if isinstance(value, cbor.Tag):
                assert isinstance(value.value, list)
                exponent, value = value.value
                self._constants[-1] += b"\xc4\x82" + cbor.encode(exponent)
            if isinstance(value, int) and key == _BT:
                self.time_at = len(self._letters)
                self._number(value, sample.TIME_MS_MIN, sample.TIME_MS_MAX)
            elif isinstance(value, int) and key == _V and self._number(value, 0, most):
                self.names.append(name.partition("/")[2])
                self.negative.append(value < 0)
            elif isinstance(value, bytes) and key == _VD:
                self._constants[-1] += cbor.bytes_head(len(value))
                self._field(f"{len(value)}s", b"", b"\xff" * len(value))
                self.names.append(name.partition("/")[2])
            elif not isinstance(value, int) or key != _V:
                self._constants[-1] += cbor.encode(value)

    def layout(self) -> Layout:
        """What was taken."""
        parts = [f"{len(self._constants[0])}s"]
        for letter, constant in zip(self._letters, self._constants[1:], strict=True):
            parts += [letter, f"{len(constant)}s"]
        constants = tuple(bytes(constant) for constant in self._constants)
        packed = struct.Struct(">" + "".join(parts))
        return Layout(packed, constants, tuple(self._least), tuple(self._most))

    def _number(self, value: int, low: int, high: int) -> bool:
        """Whether it is one that differs from sample to sample: not a single byte."""
        number = ~value if value < 0 else value
        for info, letter, least in _WIDTHS:
            if number >= least:
                self._constants[-1].append((0x20 if value < 0 else 0) | info)
                longest = (1 << 8 * struct.calcsize("=" + letter)) - 1
                self._field(letter, max(low, least), min(high, longest))
                return True
        self._constants[-1] += cbor.encode(value)
        return False

    def _field(self, letter: str, low: object, high: object) -> None:
        self._constants.append(bytearray())
        self._letters.append(letter)
        self._least.append(low)
        self._most.append(high)


def form_of(reading: Reading) -> Form:
    """The form of a reading that can stand in a sample."""
    maker = _Maker()
    for record in _records(Sample(bytes(8), 1, 1, None, "S", [reading]), own=False):
        maker.take(record)
    return Form(
        maker.layout(),
        maker.time_at,
        tuple(maker.names),
        tuple(maker.negative),
        reading.device,
        reading.status,
        dict(reading.values),
    )


def own_form_of(found: Sample) -> OwnForm:
    """The form of the own records of a sample that has no `seen`, gaps and command."""
    maker = _Maker()
    for record in _records(found, own=True):
        maker.take(record, sample.BOOT_MAX if record[_N] == "0/boot" else sample.SEQ_MAX)
    values = {
        name: getattr(found, name)
        for name in ("eui64", "seq", "boot", "prev", "clock")
        if name not in maker.names
    }
    return OwnForm(maker.layout(), tuple(maker.names), values)


def _records(whole: Sample, *, own: bool) -> list[dict[int, object]]:
    """The meter's own records of a sample, or those of its readings."""
    return [record for record in sample.pack(whole) if str(record[_N]).startswith(_OWN) == own]


class SampleForms:
    """Decodes samples and learns their forms. Threads may share one: what one learns while another
    does may be lost, and is learned again."""

    def __init__(self) -> None:
        self._forms: tuple[Form, ...] = ()
        self._own: OrderedDict[bytes, OwnForm] = OrderedDict()

    def decode(self, payload: bytes) -> Sample:
        """As `sample_reader.decode`: the same sample, the same errors."""
        readings: list[Reading] = []
        try:
            found = self._by_forms(payload, readings)
        except WireError:
            found = None  # of the stand-in's making, or the payload's: the long way tells
        if found is not None:
            return found
        found = sample_reader.decode(payload)
        if len(readings) < len(found.readings):
            learned = form_of(found.readings[len(readings)])
            self._forms = (learned, *self._forms)[:FORMS_MAX]
        return found

    def _by_forms(self, payload: bytes, readings: list[Reading]) -> Sample | None:
        """The sample, None if it has to be decoded the long way; `readings` are those at its
        begin that are of known forms."""
        if len(payload) > sample.SAMPLE_BYTES_MAX:
            return None
        count, start = _count(payload)
        places = [payload.find(form.layout.constants[0], start) for form in self._forms]
        begin = behind = min((place for place in places if place >= 0), default=len(payload))
        while behind < len(payload) and len(readings) < sample.READINGS_MAX:
            for form in self._forms:
                reading = form.read(payload, behind)
                if reading is not None:
                    break
            else:
                return None
            readings.append(reading)
            behind += form.layout.packed.size
            count -= len(reading.values) + 1
        if behind != len(payload) or count < 1 or not readings or not _rise(readings):
            return None
        found = self._own_records(payload, start, begin, count)
        if found is not None:
            found.readings = readings
        return found

    def _own_records(self, payload: bytes, start: int, end: int, count: int) -> Sample | None:
        """A sample with the meter's own records, which stand in these bytes; None if there are
        others or not `count` of them. Raises WireError for what is none."""
        at = payload.find(_BASE_NAME, start, start + _BASE_NAME_WITHIN) + len(_BASE_NAME)
        meter = payload[at : at + 16]
        form = self._own.get(meter)
        found = None if form is None else form.read(payload, start, end)
        if found is not None:
            return found if count == _own_count(found) else None
        own = cbor.array_head(count + 1) + payload[start:end] + _STAND_IN
        found = sample_reader.decode(own)
        if len(found.readings) != 1:
            return None
        if found.seen is None and found.command is None and not found.gaps:
            self._own[meter] = own_form_of(found)
            if len(self._own) > METERS_MAX:
                self._own.pop(next(iter(self._own)), None)
        return found


def _own_count(found: Sample) -> int:
    """How many records a meter has of its own, without `seen`, gaps and command."""
    return 3 if found.prev is None else 4


def _count(payload: bytes) -> tuple[int, int]:
    """How many records an array's head says, and where they begin; (0, 0) for any other bytes."""
    for size in (1, 2, 3):
        if len(payload) < size:
            break
        count = payload[0] & 31 if size == 1 else int.from_bytes(payload[1:size], "big")
        if count <= cbor.ITEMS_MAX and payload[:size] == cbor.array_head(count):
            return count, size
    return 0, 0


def _rise(readings: list[Reading]) -> bool:
    return all(
        (one.time_ms, one.device) < (other.time_ms, other.device)
        for one, other in pairwise(readings)
    )


def _stand_in() -> bytes:
    """A reading of one record; stands for the others where the meter's own are decoded."""
    alone = Sample(bytes(8), 1, 1, None, "S", [Reading(1, sample.TIME_MS_MIN, "N", {})])
    return b"".join(cbor.encode(record) for record in _records(alone, own=False))


_STAND_IN = _stand_in()
