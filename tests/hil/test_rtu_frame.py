"""RTU requests found in a stream, however it is cut and whatever is mixed in."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU
from wattle_hil.devices.rtu_frame import MAX_FRAME_BYTES, RequestScanner, crc16, is_sealed, seal

SILENCE_NS = 50_000_000
UNITS = {1, 2}


def read_request(unit: int = 1, address: int = 0x000C, count: int = 2) -> bytes:
    return seal(struct.pack(">BBHH", unit, 4, address, count))


def write_request(unit: int, data: bytes) -> bytes:
    head = struct.pack(">BBHHB", unit, 16, 0x0014, len(data) // 2, len(data))
    return seal(head + data)


REQUESTS = st.one_of(
    st.builds(read_request, st.sampled_from([1, 2]), st.integers(0, 0xFFFF), st.integers(0, 100)),
    st.builds(write_request, st.sampled_from([1, 2]), st.binary(max_size=100)),
)


def scanner() -> RequestScanner:
    return RequestScanner(UNITS, SILENCE_NS)


@pytest.mark.parametrize(
    "frame",
    [
        # shared facts: examples of Eastron's documents and of a PZEM-004T.
        "01 04 00 00 00 02 71 CB",
        "01 04 04 43 66 33 34 1B 38",
        "F8 04 00 00 00 0A 64 64",
        "01 03 00 00 00 02 C4 0B",
        "01 90 01 8D C0",
    ],
)
def test_crc_agrees_with_published_frames(frame: str) -> None:
    raw = bytes.fromhex(frame)
    assert seal(raw[:-2]) == raw
    assert is_sealed(raw)
    assert not is_sealed(raw[:-1] + bytes([raw[-1] ^ 1]))


@given(st.binary(max_size=300))
def test_crc_agrees_with_pymodbus(data: bytes) -> None:
    # pymodbus holds the two bytes in the order in which they are sent.
    assert crc16(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@given(st.lists(REQUESTS, max_size=6), st.data())
def test_requests_are_found_however_the_stream_is_cut(
    requests: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20), "cuts"))
    reader = scanner()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end], 0)
    assert found == requests
    assert reader.garbage_bytes == 0
    assert reader.deadline_ns is None


@given(st.binary(max_size=600), REQUESTS, st.binary(max_size=40))
def test_a_request_is_found_between_garbage(before: bytes, request: bytes, after: bytes) -> None:
    reader = scanner()
    found = reader.feed(before + request + after, 0)
    found += reader.feed(b"", SILENCE_NS)
    assert request in found
    assert sum(map(len, found)) + reader.garbage_bytes == len(before + request + after)


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_garbage_never_fills_the_buffer_and_is_counted_to_the_byte(pieces: list[bytes]) -> None:
    reader = RequestScanner(set(), SILENCE_NS)
    found = []
    for piece in pieces:
        found += reader.feed(piece, 0)
        assert len(reader._buffer) <= MAX_FRAME_BYTES
    found += reader.feed(b"", SILENCE_NS)
    assert sum(map(len, found)) + reader.garbage_bytes == sum(map(len, pieces))
    assert reader.deadline_ns is None


@pytest.mark.parametrize("length", range(1, 8))
def test_half_a_request_is_dropped_after_silence_and_the_next_one_is_whole(length: int) -> None:
    reader = scanner()
    assert reader.feed(read_request()[:length], 1_000) == []
    assert reader.deadline_ns == 1_000 + SILENCE_NS
    assert reader.feed(read_request(2), 1_000 + SILENCE_NS) == [read_request(2)]
    assert reader.garbage_bytes == length


def test_the_second_half_may_come_late_but_not_after_the_silence() -> None:
    reader = scanner()
    half = read_request()[:5]
    assert reader.feed(half, 0) == []
    assert reader.feed(read_request()[5:], SILENCE_NS - 1) == [read_request()]
    assert reader.feed(half, SILENCE_NS) == []
    assert reader.feed(read_request()[5:], 2 * SILENCE_NS) == []


def test_a_wrong_crc_is_silence() -> None:
    reader = scanner()
    broken = read_request()[:-1] + bytes([read_request()[-1] ^ 0x80])
    assert reader.feed(broken, 0) == []
    assert reader.feed(b"", SILENCE_NS) == []
    assert reader.garbage_bytes == len(broken)


def test_a_frame_of_an_unknown_function_ends_with_the_silence() -> None:
    reader = scanner()
    reset_energy = seal(b"\x01\x42")
    assert reader.feed(reset_energy, 0) == []
    assert reader.feed(b"", SILENCE_NS - 1) == []
    assert reader.feed(b"", SILENCE_NS) == [reset_energy]


def test_a_frame_to_another_unit_is_a_frame_but_not_behind_garbage() -> None:
    foreign = read_request(unit=9)
    assert scanner().feed(foreign, 0) == [foreign]
    assert scanner().feed(b"\xff" + foreign, 0) == []


def test_forgetting_the_rest_counts_nothing() -> None:
    reader = scanner()
    reader.feed(read_request()[:5], 0)
    reader.reset()
    assert reader.deadline_ns is None
    assert reader.feed(read_request(), 0) == [read_request()]
    assert reader.garbage_bytes == 0
