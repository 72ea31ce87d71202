"""Decode a sample's payload, refusing everything that `sample.encode` would not write.

The decoder reads the fields and then compares the pack with the one the writer would make of
them: one rule book, so reader and writer cannot drift apart. Comparing packs is comparing bytes,
because a pack has one encoding and `cbor.decode` takes no other; that Python calls True equal to
1 does no harm, since a boolean is refused wherever an integer is read.
"""

import binascii

from wattle_wire import cbor, quantity, sample, structure
from wattle_wire.errors import LimitError, MalformedError
from wattle_wire.sample import Reading, Sample

_BVER, _BN, _BT = -1, -2, -3
_N, _U, _V, _VS, _VD = 0, 1, 2, 3, 8
_BASE_NAME_PREFIX = "urn:dev:mac:"


def decode(payload: bytes) -> Sample:
    """The sample in a payload; its signature is the caller's business.

    Raises MalformedError (or its kinds) unless the payload is exactly as SPEC section 5 has it.
    """
    if len(payload) > sample.SAMPLE_BYTES_MAX:
        raise LimitError(
            "payload of %d bytes, expected at most %d" % (len(payload), sample.SAMPLE_BYTES_MAX)
        )
    records = cbor.decode(payload)
    if not isinstance(records, list) or not records:
        raise MalformedError("a sample is a non-empty array of records")
    for record in records:
        if not isinstance(record, dict) or not isinstance(record.get(_N), str):
            raise MalformedError("a record is not a map with a name")
    result = _fields(records)
    if sample.pack(result) != records:
        raise MalformedError("the pack is not in the one form that SPEC section 5 allows")
    return result


def _fields(records: list[dict[int, object]]) -> Sample:
    meter: dict[str, object] = {}
    position = 0
    for record in records:
        name = record[_N]
        assert isinstance(name, str)
        if not name.startswith("0/"):
            break
        position += 1
        if name in meter:
            raise MalformedError("%s stands twice" % name)
        meter[name] = record.get(_VD, record.get(_VS, record.get(_V)))
    gaps = _unpack(meter.get("0/gap"), 0)
    seen = _unpack(meter.get("0/seen"), 2)
    command = _unpack(meter.get("0/cmd"), 2)
    return Sample(
        _eui64(records[0].get(_BN)),
        structure.integer(meter.get("0/seq"), "0/seq"),
        structure.integer(meter.get("0/boot"), "0/boot"),
        _octets(meter.get("0/prev")),
        _text(meter.get("0/clk"), "0/clk"),
        _readings(records[position:]),
        None if seen is None else (structure.integer(seen[0], "0/seen"), _octets(seen[1]) or b""),
        None if gaps is None else [_gap(gap) for gap in gaps],
        None
        if command is None
        else (_octets(command[0]) or b"", structure.integer(command[1], "0/cmd")),
    )


def _readings(records: list[dict[int, object]]) -> list[Reading]:
    readings: list[Reading] = []
    for record in records:
        name = record[_N]
        assert isinstance(name, str)
        number, what = _split_name(name)
        if _BT in record:
            if len(readings) >= sample.READINGS_MAX:
                raise LimitError("more than %d readings" % sample.READINGS_MAX)
            readings.append(Reading(number, _decimal(record[_BT], -3), "", {}))
        if not readings or readings[-1].device != number:
            raise MalformedError("the first record of a reading carries no time")
        reading = readings[-1]
        value = _value(record, what)
        if what != quantity.STATUS:
            reading.values[what] = value
        elif isinstance(value, str):
            reading.status = value
    return readings


def _split_name(name: str) -> tuple[int, str]:
    device, slash, what = name.partition("/")
    if not slash or not 1 <= len(device) <= 2:
        raise MalformedError("record name %r, expected <device>/<quantity>" % name)
    number = 0
    for char in device:  # not int(): on CPython that also takes digits of other scripts
        if not "0" <= char <= "9":
            raise MalformedError("record name %r, expected a device number" % name)
        number = number * 10 + ord(char) - 48
    return number, what


def _value(record: dict[int, object], what: str) -> int | str:
    if _VS in record:
        return _text(record[_VS], what)
    unit, exponent = quantity.form(what)
    if record.get(_U) != unit:
        raise MalformedError("unit of %s is %r, expected %s" % (what, record.get(_U), unit))
    value = record.get(_V)
    return _decimal(value, exponent) if exponent else structure.integer(value, what)


def _decimal(value: object, exponent: int) -> int:
    if isinstance(value, cbor.Tag) and value.number == cbor.TAG_DECIMAL:
        parts = value.value
        if isinstance(parts, list) and len(parts) == 2 and parts[0] == exponent:
            return structure.integer(parts[1], "mantissa")
    raise MalformedError("%r, expected a decimal fraction with exponent %d" % (value, exponent))


def _eui64(name: object) -> bytes:
    text = _text(name, "base name")
    if not text.startswith(_BASE_NAME_PREFIX) or len(text) != len(_BASE_NAME_PREFIX) + 17:
        raise MalformedError("base name %r, expected urn:dev:mac:<EUI-64>:" % text)
    try:
        return binascii.unhexlify(text[len(_BASE_NAME_PREFIX) : -1])
    except ValueError:
        raise MalformedError("base name %r is not hexadecimal" % text) from None


def _unpack(packed: object, length: int) -> list[object] | None:
    if packed is None:
        return None
    if not isinstance(packed, bytes):
        raise MalformedError("a data value is not a byte string")
    items = cbor.decode(packed)
    if not isinstance(items, list) or not items or (length and len(items) != length):
        raise MalformedError("a data value is not the array expected")
    return items


def _gap(gap: object) -> tuple[int, int, int]:
    row = structure.array(gap, 3, "gap record")
    return (
        structure.integer(row[0], "gap from"),
        structure.integer(row[1], "gap to"),
        structure.integer(row[2], "gap reason"),
    )


def _octets(value: object) -> bytes | None:
    if value is not None and not isinstance(value, bytes):
        raise MalformedError("%r, expected a byte string" % (value,))
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedError("%s is %r, expected text" % (what, value))
    return value
