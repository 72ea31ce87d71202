"""Samples by forms: nothing but time tells them from the long way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.ledger import reading_forms
from wattle_gateway.ledger.reading_forms import FORMS_MAX, SampleForms
from wattle_testkit.alliance import reading
from wattle_wire import cbor, quantity, sample, sample_reader
from wattle_wire.errors import WireError
from wattle_wire.sample import Reading, Sample

BEGIN_MS = 1_790_000_000_000
# One on each side of every length that an integer has.
LENGTHS = [0, 23, 24, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 63) - 1]
# Heads of integers: additional information, bytes behind it, the smallest number.
HEADS = [(24, 1, 24), (25, 2, 256), (26, 4, 65536), (27, 8, 1 << 32)]
numbers = st.sampled_from([*LENGTHS, *(~number for number in LENGTHS)]) | st.integers(-999, 99_999)
names = st.sampled_from(quantity.names())


@st.composite
def readings(draw: st.DrawFn) -> list[Reading]:
    """Some readings of some devices; many are like the one before."""
    found: list[Reading] = []
    like = draw(st.lists(st.dictionaries(names, numbers, min_size=1, max_size=4), min_size=1))
    for at in range(draw(st.integers(1, 6))):
        values: dict[str, int | str] = dict(draw(st.sampled_from(like)))
        status = draw(st.sampled_from("GGGTS"))
        if status != "G" and draw(st.booleans()):
            values[next(iter(values))] = "E"
        for name in draw(st.sets(st.sampled_from(sorted(values)))):
            if isinstance(values[name], int):
                values[name] = draw(numbers)
        device = draw(st.integers(1, 3))
        found.append(reading(BEGIN_MS + 1000 * at, device, status, **values))
    return found


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """What meters send."""
    seq = draw(st.sampled_from([2, 23, 24, 255, 256, 70_000, sample.SEQ_MAX]))
    return sample.encode(
        Sample(
            draw(st.sampled_from([b"\x02meter-1", b"\x02meter-2"])),
            seq,
            draw(st.sampled_from([0, 1, 30, sample.BOOT_MAX])),
            draw(st.none() | st.binary(min_size=32, max_size=32)),
            draw(st.sampled_from(sample.CLOCK_STATES)),
            draw(readings()),
            draw(st.sampled_from([None, None, (7, bytes(16))])),
            draw(st.sampled_from([None, None, [(1, 1, sample.GAP_FULL)]])),
            draw(st.sampled_from([None, None, (bytes(32), 900)])),
        )
    )


def told(decode: object, payload: bytes) -> object:
    """What a decoder makes of a payload: its fields, or the error."""
    assert callable(decode)
    try:
        found = decode(payload)
    except WireError as error:
        return type(error), str(error)
    return {name: getattr(found, name) for name in Sample.__slots__}


def ten(begin_ms: int = BEGIN_MS, energy_wh: int = 70_000) -> list[Reading]:
    """What a meter at 1 Hz puts into a sample; none of its numbers is a single byte."""
    return [
        reading(begin_ms + 1000 * at, ei=energy_wh + at, p=-1_800 - at, u=2_301) for at in range(10)
    ]


def encoded(found: list[Reading], seq: int = 300) -> bytes:
    """A payload."""
    return sample.encode(Sample(b"\x02meter-1", seq, 1, bytes(32), "S", found))


@settings(max_examples=60, deadline=None)
@given(st.lists(payloads(), min_size=1, max_size=4))
def test_whatever_a_meter_sends_is_what_the_long_way_gives(sent: list[bytes]) -> None:
    forms = SampleForms()
    for payload in [*sent, *sent]:
        assert told(forms.decode, payload) == told(sample_reader.decode, payload)


@settings(max_examples=80, deadline=None)
@given(payloads(), st.data())
def test_altered_bytes_are_judged_as_the_long_way_judges_them(
    payload: bytes, data: st.DataObject
) -> None:
    forms = SampleForms()
    for _ in range(8):
        forms.decode(payload)
    altered = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 2))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 0, 1, 20]))
    raw = bytes(altered[: len(altered) - cut])
    assert told(forms.decode, raw) == told(sample_reader.decode, raw)


def test_each_bit_of_a_known_form_counts() -> None:
    payload = encoded(ten()[:2])
    forms = SampleForms()
    for _ in range(3):
        forms.decode(payload)
    for at in range(len(payload)):
        for bit in (0x01, 0x40):
            altered = bytearray(payload)
            altered[at] ^= bit
            expected = told(sample_reader.decode, bytes(altered))
            assert told(forms.decode, bytes(altered)) == expected, at


def test_a_known_form_does_not_go_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = SampleForms()
    for seq in (300, 301):
        forms.decode(encoded(ten(), seq))
    following = encoded(ten(BEGIN_MS + 10_000, 70_500), 302)
    expected = told(sample_reader.decode, following)

    def refuse(payload: bytes) -> Sample:
        raise AssertionError(f"{len(payload)} bytes went the long way")

    monkeypatch.setattr(reading_forms.sample_reader, "decode", refuse)
    assert told(forms.decode, following) == expected


@pytest.mark.parametrize("number", LENGTHS[:8])
def test_a_number_in_more_bytes_than_it_needs_is_refused(number: int) -> None:
    """The form of one more byte is known, and the number would fit into it."""
    info, size, longer = next(row for row in HEADS if row[2] > number)
    forms = SampleForms()
    good = encoded([reading(BEGIN_MS, ei=longer)])
    for _ in range(2):
        forms.decode(good)
    head = bytes([info])
    padded = good.replace(head + longer.to_bytes(size, "big"), head + number.to_bytes(size, "big"))
    assert padded != good
    assert told(forms.decode, padded) == told(sample_reader.decode, padded)
    assert told(forms.decode, padded) != told(forms.decode, good)
    with pytest.raises(WireError, match="shortest form"):
        forms.decode(padded)


def test_readings_that_do_not_rise_are_refused() -> None:
    forms = SampleForms()
    for _ in range(3):
        forms.decode(encoded(ten()))
    one, two = (b"".join(map(cbor.encode, _records(one))) for one in ten()[:2])
    payload = encoded(ten()[:2])
    swapped = payload.replace(one + two, two + one)
    assert swapped != payload
    with pytest.raises(WireError, match="rising order"):
        forms.decode(swapped)


def test_more_readings_than_a_sample_may_have_are_refused() -> None:
    forms = SampleForms()
    for _ in range(3):
        forms.decode(encoded(ten()))
    many = [reading(BEGIN_MS + 1000 * at, ei=70_000, p=-1_800, u=2_301) for at in range(65)]
    own = encoded(many[:1])[1:]
    own = own[: own.index(b"".join(map(cbor.encode, _records(many[0]))))]
    body = b"".join(cbor.encode(record) for one in many for record in _records(one))
    payload = cbor.array_head(4 + 4 * 65) + own + body
    assert told(forms.decode, payload) == told(sample_reader.decode, payload)
    with pytest.raises(WireError, match="64 readings"):
        forms.decode(payload)


def test_who_sends_ever_new_forms_takes_no_more_room() -> None:
    forms = SampleForms()
    for at in range(3 * FORMS_MAX):
        values: dict[str, int | str] = {"ei": 70_000, "p": at % 24}
        forms.decode(encoded([reading(BEGIN_MS, 1 + at % 32, **values)]))
    assert len(forms._forms) == FORMS_MAX


def _records(one: Reading) -> list[dict[int, object]]:
    whole = sample.pack(Sample(b"\x02meter-1", 300, 1, bytes(32), "S", [one]))
    return whole[4:]
