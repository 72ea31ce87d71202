"""The load files that come with the firmware: accepted, and understood by the load of the bench."""

import struct
from pathlib import Path

import pytest
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_meter import load, modbus

LOADS = sorted((Path(__file__).resolve().parents[2] / "firmware" / "loads").glob("*.json"))
T0_MS = 1_700_000_000_000


@pytest.mark.parametrize("path", LOADS, ids=lambda path: path.stem)
def test_a_file_is_accepted_and_named_like_its_type(path: Path) -> None:
    assert load.load(str(path)).name == path.stem


@pytest.mark.parametrize("name", ["bench-load", "bench-load-wide"])
@pytest.mark.parametrize("watts", [0, 10, 1_230, 10_000])
def test_the_load_of_the_bench_understands_what_the_firmware_writes(name: str, watts: int) -> None:
    [path] = [path for path in LOADS if path.stem == name]
    kind = load.load(str(path))
    device = AdjustableLoad(9, T0_MS, 500)
    request = modbus.write_request(9, kind.function, kind.address, kind.words(watts))
    answer = device.answer(request[1:-2], T0_MS)
    body = bytes([9]) + answer
    frame = body + struct.pack("<H", modbus.crc16(body))
    assert modbus.find_write_response(frame, request, False)
    assert device.setpoint_w == watts
