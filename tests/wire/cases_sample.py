"""The sample's payload: one form only, and nothing in it can take a decoder by surprise."""

from wattle_wire import cbor, quantity, sample, sample_reader
from wattle_wire.errors import LimitError, MalformedError
from wattle_wire.sample import Reading, Sample

EUI64 = b"\x02\x11\x22\xff\xfe\x33\x44\x55"
T = 1700000000000


def _sample() -> Sample:
    return Sample(
        EUI64,
        70,
        3,
        b"\x11" * 32,
        "S",
        [
            Reading(1, T, "G", {"ei": 123456, "p": -2304, "u": 2301, "f": 5001, "i": 1234}),
            Reading(2, T, "T", {"ei": "T", "p": 5}),
            Reading(1, T + 1000, "E", {}),
        ],
        (3, b"\x22" * 16),
        [(1, 2, sample.GAP_RESTART), (9, 9, sample.GAP_FULL)],
        (b"\x33" * 32, -500),
    )


def _refused(action, argument) -> None:  # type: ignore[no-untyped-def]
    try:
        action(argument)
    except MalformedError:
        return
    raise AssertionError("was not refused")


def test_decoding_gives_back_what_was_encoded() -> None:
    for made in (_sample(), Sample(EUI64, 1, 0, None, "U", [Reading(32, T, "G", {"f": 1})])):
        payload = sample.encode(made)
        read = sample_reader.decode(payload)
        assert sample.encode(read) == payload
        assert read.readings == made.readings
        assert (read.eui64, read.seq, read.boot) == (made.eui64, made.seq, made.boot)
        assert (read.prev, read.clock, read.seen) == (made.prev, made.clock, made.seen)
        assert (read.gaps, read.command) == (made.gaps, made.command)


def test_records_are_those_of_the_specification() -> None:
    records = cbor.decode(sample.encode(_sample()))
    assert isinstance(records, list)
    assert records[0] == {
        0: "0/seq",
        2: 70,
        -1: 26,
        -2: "urn:dev:mac:021122fffe334455:",
    }
    assert [record[0] for record in records] == [
        "0/seq",
        "0/boot",
        "0/prev",
        "0/clk",
        "0/seen",
        "0/gap",
        "0/cmd",
        "1/ei",
        "1/f",
        "1/i",
        "1/p",
        "1/st",
        "1/u",
        "2/ei",
        "2/p",
        "2/st",
        "1/st",
    ]
    assert records[7] == {0: "1/ei", 1: "Wh", 2: 123456, -3: cbor.Tag(4, [-3, T])}
    assert records[10] == {0: "1/p", 1: "W", 2: cbor.Tag(4, [-1, -2304])}
    assert records[13] == {0: "2/ei", 3: "T", -3: cbor.Tag(4, [-3, T])}


def test_every_truncation_and_every_flipped_byte_is_refused_or_another_sample() -> None:
    payload = sample.encode(_sample())
    for length in range(len(payload)):
        _refused(sample_reader.decode, payload[:length])
    _refused(sample_reader.decode, payload + b"\x00")
    _refused(sample_reader.decode, b"\x00" + payload)
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 0x01
        try:
            other = sample_reader.decode(bytes(changed))
        except MalformedError:
            continue
        assert sample.encode(other) == bytes(changed)


def _changed(change) -> bytes:  # type: ignore[no-untyped-def]
    records = cbor.decode(sample.encode(_sample()))
    change(records)
    return cbor.encode(records)


def _drop(index: int):  # type: ignore[no-untyped-def]
    def change(records):  # type: ignore[no-untyped-def]
        del records[index]

    return change


def _set(index: int, label: int, value: object):  # type: ignore[no-untyped-def]
    def change(records):  # type: ignore[no-untyped-def]
        records[index][label] = value

    return change


def _swap(first: int, second: int):  # type: ignore[no-untyped-def]
    def change(records):  # type: ignore[no-untyped-def]
        records[first], records[second] = records[second], records[first]

    return change


def test_packs_in_any_other_form_are_refused() -> None:
    changes = [
        _drop(0),
        _drop(1),
        _drop(3),
        _drop(11),
        _swap(0, 1),
        _swap(4, 5),
        _swap(8, 9),
        _set(0, -1, 10),
        _set(0, -2, "urn:dev:mac:021122FFFE334455:"),
        _set(0, -2, "urn:dev:mac:021122fffe3344:"),
        _set(0, 2, -1),
        _set(0, 2, 1 << 53),
        _set(0, 2, "70"),
        _set(1, 2, True),
        _set(2, 8, b"\x11" * 31),
        _set(3, 3, "X"),
        _set(4, 8, cbor.encode([3, b"\x22" * 15])),
        _set(4, 8, b"\x82"),
        _set(5, 8, cbor.encode([])),
        _set(5, 8, cbor.encode([[2, 1, 1]])),
        _set(5, 8, cbor.encode([[1, 70, 1]])),
        _set(5, 8, cbor.encode([[1, 2, 9]])),
        _set(5, 8, cbor.encode([[1, 2]])),
        _set(6, 8, cbor.encode([b"\x33" * 32, 1, 2])),
        _set(7, -3, 1700000000),
        _set(7, -3, cbor.Tag(4, [-6, T * 1000])),
        _set(7, -3, cbor.Tag(4, [-3, 1000])),
        _set(7, 1, "kWh"),
        _set(7, 2, cbor.Tag(4, [0, 5])),
        _set(7, 6, 0),
        _set(8, 2, 50),
        _set(8, 2, cbor.Tag(4, [-1, 500])),
        _set(8, 2, None),
        _set(8, 3, "G"),
        _set(8, 0, "1/unknown"),
        _set(8, 0, "0/f"),
        _set(8, 0, "01/f"),
        _set(8, 0, "\u00b2/f"),
        _set(8, 0, "33/f"),
        _set(8, 0, "f"),
        _set(8, 0, 5),
        _set(8, 0, "1/f1"),
        _set(11, 3, "Q"),
        _set(13, 3, "G"),
        _set(15, 3, "G"),
    ]
    for number, change in enumerate(changes):
        try:
            payload = _changed(change)
        except MalformedError:
            raise AssertionError("change %d could not even be encoded" % number) from None
        try:
            sample_reader.decode(payload)
        except MalformedError:
            continue
        raise AssertionError("change %d was accepted" % number)


def test_what_is_no_array_of_records_is_refused() -> None:
    for value in (None, 5, {}, [], [5], [{}], [{0: 1}], "0/seq", [[0, 1]]):
        _refused(sample_reader.decode, cbor.encode(value))


def test_a_meter_cannot_sign_what_a_gateway_would_refuse() -> None:
    good = Reading(1, T, "G", {"f": 5000})
    bad = [
        Sample(EUI64, 1, 0, None, "U", []),
        Sample(EUI64, 1, 0, None, "U", [good, good]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T, "G", {})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T, "G", {"f": "T"})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(0, T, "G", {"f": 1})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(33, T, "G", {"f": 1})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, 0, "G", {"f": 1})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T, "GG", {"f": 1})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T, "", {"f": 1})]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T, "G", {"ei": 1 << 63})]),
        Sample(EUI64, -1, 0, None, "U", [good]),
        Sample(EUI64, 1, 1 << 32, None, "U", [good]),
        Sample(EUI64[:7], 1, 0, None, "U", [good]),
        Sample(EUI64, 1, 0, b"", "U", [good]),
        Sample(EUI64, 1, 0, None, "", [good]),
        Sample(EUI64, 1, 0, None, "U", [good], None, [(1, 1, 1)]),
        Sample(EUI64, 99, 0, None, "U", [good], None, [(n, n, 1) for n in range(9)]),
        Sample(EUI64, 1, 0, None, "U", [Reading(1, T + n, "E", {}) for n in range(65)]),
    ]
    for item in bad:
        _refused(sample.encode, item)


def test_a_payload_beyond_the_limit_is_refused_before_it_is_read() -> None:
    try:
        sample_reader.decode(b"\x00" * (sample.SAMPLE_BYTES_MAX + 1))
    except LimitError:
        return
    raise AssertionError("was not refused")


def test_quantity_names_are_in_reading_order() -> None:
    names = quantity.names()
    assert names == sorted(names)
    assert len(names) == 7 + 3 * 6
    assert quantity.form("ei3") == ("Wh", 0)
    for name in ("", "1", "f1", "ei4", "ei11", "st", "x", "EI"):
        _refused(quantity.form, name)


def test_a_boolean_is_no_integer_even_where_python_says_it_equals_one() -> None:
    one = Sample(EUI64, 1, 1, None, "U", [Reading(1, T, "G", {"ei": 1, "p": 1})])
    payload = sample.encode(one)
    for index, label in ((0, 2), (1, 2), (3, 2)):
        records = cbor.decode(payload)
        assert isinstance(records, list)
        assert records[index][label] == 1
        records[index][label] = True
        _refused(sample_reader.decode, cbor.encode(records))
    records = cbor.decode(payload)
    assert isinstance(records, list)
    records[4][2] = cbor.Tag(4, [-1, True])
    _refused(sample_reader.decode, cbor.encode(records))
