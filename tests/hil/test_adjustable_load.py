"""The emulated adjustable load: setpoints in; power and energy as its metering device shows."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusSerialClient
from wattle_hil.curves.curve import UW_PER_W
from wattle_hil.devices import adjustable_load
from wattle_hil.devices.adjustable_load import (
    DEVICE_FAILURE,
    SETPOINT_10W,
    SETPOINT_W,
    STEPS_MAX,
    AdjustableLoad,
    LoadTraits,
    PowerTrack,
)
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.sdm import SDM120
from wattle_hil.errors import DeviceError
from wattle_testkit.waiting import until

T0_MS = 1_700_000_000_000
NJ_PER_WS = 1_000_000_000
DEADLINE_S = 15.0


def single(address: int, number: int) -> bytes:
    return struct.pack(">BHh", 6, address, number)


def multiple(address: int, data: bytes) -> bytes:
    return struct.pack(">BHHB", 16, address, len(data) // 2, len(data)) + data


def read(load: AdjustableLoad, address: int, count: int, at_ms: int = T0_MS) -> bytes:
    answer = load.answer(struct.pack(">BHH", 3, address, count), at_ms)
    assert answer[:2] == bytes([3, 2 * count])
    return answer[2:]


def power_w(load: AdjustableLoad, at_ms: int) -> float:
    return load.power.power_uw(at_ms) / UW_PER_W


def test_a_setpoint_in_either_register_is_echoed_read_back_and_obeyed() -> None:
    load = AdjustableLoad(9, T0_MS, 3_000)
    request = single(SETPOINT_10W, 150)
    assert load.answer(request, T0_MS) == request
    assert power_w(load, T0_MS) == 3_000
    assert power_w(load, T0_MS + 1) == 1_500
    assert read(load, SETPOINT_10W, 2, T0_MS + 1) == struct.pack(">hh", 150, 150)
    request = multiple(SETPOINT_W, struct.pack(">i", 1_234))
    assert load.answer(request, T0_MS + 10) == request[:5]
    assert read(load, SETPOINT_W, 2) == struct.pack(">i", 1_234)
    assert power_w(load, T0_MS + 11) == 1_234
    assert list(load.writes) == [(T0_MS, 1_500), (T0_MS + 10, 1_234)]


def test_a_slow_load_waits_and_then_walks() -> None:
    load = AdjustableLoad(9, T0_MS, 0, LoadTraits(ramp_w_per_s=500, delay_ms=2_000))
    load.answer(single(SETPOINT_10W, 100), T0_MS)
    assert power_w(load, T0_MS + 2_000) == 0
    assert power_w(load, T0_MS + 3_000) == 500
    assert power_w(load, T0_MS + 4_000) == power_w(load, T0_MS + 99_000) == 1_000
    load.answer(single(SETPOINT_10W, 0), T0_MS + 3_000)  # in the middle of its way
    assert power_w(load, T0_MS + 4_999) == 500
    assert power_w(load, T0_MS + 6_000) == 0


def test_a_setpoint_told_again_does_not_begin_its_way_anew() -> None:
    load = AdjustableLoad(9, T0_MS, 0, LoadTraits(delay_ms=1_000))
    for at_ms in range(0, 1_000, 100):
        load.answer(single(SETPOINT_10W, 100), T0_MS + at_ms)
    assert power_w(load, T0_MS + 1_000) == 1_000


def test_a_load_may_refuse_or_be_stuck() -> None:
    load = AdjustableLoad(9, T0_MS, 700)
    load.refusal = DEVICE_FAILURE
    assert load.answer(single(SETPOINT_10W, 1), T0_MS) == b"\x86\x04"
    assert read(load, SETPOINT_W, 2) == struct.pack(">i", 700)
    load.refusal = None
    load.stuck = True
    assert load.answer(single(SETPOINT_10W, 1), T0_MS) == single(SETPOINT_10W, 1)
    assert read(load, SETPOINT_10W, 2, T0_MS + 9_999) == struct.pack(">hh", 1, 70)


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (single(SETPOINT_10W, -1), 3),
        (single(SETPOINT_10W, 1_001), 3),
        (single(SETPOINT_10W + 1, 5), 2),
        (single(SETPOINT_W, 5), 2),
        (multiple(SETPOINT_W, b"\x00\x05"), 2),
        (multiple(SETPOINT_W, b"\x00\x00\x27\x11"), 3),
        (multiple(SETPOINT_W, b"\x00\x00\x00\x05")[:-1], 3),
        (single(SETPOINT_10W, 5)[:-1], 3),
        (b"\x03", 3),
        (b"\x05\x01\x00\xff\x00", 1),
        (struct.pack(">BHH", 3, SETPOINT_W, 1), 2),
        (struct.pack(">BHH", 3, 0, 1), 2),
    ],
)
def test_what_it_does_not_know_is_refused_and_changes_nothing(pdu: bytes, code: int) -> None:
    load = AdjustableLoad(9, T0_MS, 700)
    assert load.answer(pdu, T0_MS) == bytes([pdu[0] | 0x80, code])
    assert (load.setpoint_w, power_w(load, T0_MS + 9)) == (700, 700)


@given(
    st.lists(
        st.tuples(st.integers(1, 30_000), st.integers(0, 1_000)),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([LoadTraits(), LoadTraits(ramp_w_per_s=333, delay_ms=700)]),
)
def test_energy_is_the_sum_of_power_over_every_ms(
    moves: list[tuple[int, int]], traits: LoadTraits
) -> None:
    load = AdjustableLoad(9, T0_MS, 2_000, traits)
    now_ms = T0_MS
    flowed_nj = 0
    for wait_ms, steps in moves:
        before_ms = now_ms
        now_ms += wait_ms
        flowed_nj += sum(load.power.power_uw(at_ms) for at_ms in range(before_ms, now_ms))
        load.answer(single(SETPOINT_10W, steps), now_ms)
    energy = load.power.energy(T0_MS, now_ms)
    assert (energy.import_nj, energy.export_nj) == (flowed_nj, 0)


def test_its_metering_device_shows_power_and_energy() -> None:
    load = AdjustableLoad(9, T0_MS, 3_600)
    device = EmulatedDevice(1, SDM120, load.power, initial_import_wh=1_000)

    def shown(address: int, at_ms: int) -> float:
        (value,) = struct.unpack(">f", device.answer(struct.pack(">BHH", 4, address, 2), at_ms)[2:])
        return float(value)

    load.answer(single(SETPOINT_10W, 0), T0_MS + 10_000 - 1)
    assert shown(0x0C, T0_MS + 5_000) == 3_600
    assert shown(0x0C, T0_MS + 10_000) == 0
    assert device.counted_wh(T0_MS + 500_000) == (1_010, 0)
    assert shown(0x48, T0_MS + 500_000) == pytest.approx(1.01)


def test_a_load_that_is_moved_for_ever_takes_no_more_memory() -> None:
    track = PowerTrack(T0_MS, 0)
    for step in range(1, 2 * STEPS_MAX):
        track.follow(T0_MS + step, [(T0_MS + step + 1, step * UW_PER_W)])
    assert len(track._times_ms) <= STEPS_MAX
    end_ms = T0_MS + 2 * STEPS_MAX
    last = 2 * STEPS_MAX - 1
    assert track.energy(T0_MS, end_ms).import_nj == last * (last - 1) // 2 * UW_PER_W
    with pytest.raises(DeviceError, match="expected since"):
        track.energy(T0_MS + 5, end_ms)


@pytest.mark.parametrize(
    ("unit", "start_w", "traits"), [(0, 0, {}), (248, 0, {}), (1, 10_001, {}), (1, 5, {"max_w": 4})]
)
def test_loads_that_cannot_be(unit: int, start_w: int, traits: dict[str, int]) -> None:
    with pytest.raises(DeviceError, match="expected"):
        AdjustableLoad(unit, T0_MS, start_w, LoadTraits(**traits))


@pytest.mark.parametrize("trait", ["max_w", "ramp_w_per_s", "delay_ms"])
def test_traits_that_no_load_has(trait: str) -> None:
    with pytest.raises(DeviceError, match="expected"):
        LoadTraits(**{trait: -1})


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ModbusSerialClient]:
    """A stock client on the line that `wattle-hil device sdm120 --adjustable 9` serves."""
    port = tmp_path / "port"
    arguments = getattr(request, "param", ())
    command = [sys.executable, "-m", "wattle_hil", "device", "sdm120", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--adjustable", "9", "--load-start", "3000", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    try:
        until(port.is_symlink, DEADLINE_S, "the port is there")
        client = ModbusSerialClient(str(port), baudrate=9_600, timeout=2)
        assert client.connect()
        yield client
        client.close()
        process.terminate()
        said, _ = process.communicate(timeout=DEADLINE_S)
        assert said.startswith("adjustable load, unit 9, 3000 W")
    finally:
        process.kill()


def watts(client: ModbusSerialClient) -> float:
    registers = client.read_input_registers(0x0C, count=2, device_id=1).registers
    value = client.convert_from_registers(registers, client.DATATYPE.FLOAT32)
    assert isinstance(value, float)
    return value


def test_a_stock_client_sets_it_and_reads_the_change(served: ModbusSerialClient) -> None:
    assert watts(served) == 3_000
    assert not served.write_register(SETPOINT_10W, 150, device_id=9).isError()
    until(lambda: watts(served) == 1_500, DEADLINE_S, "the power of the setpoint")
    words = served.convert_to_registers(2_345, served.DATATYPE.INT32)
    assert not served.write_registers(SETPOINT_W, words, device_id=9).isError()
    until(lambda: watts(served) == 2_345, DEADLINE_S, "the power of the setpoint")
    refused = served.write_register(SETPOINT_10W, 1_001, device_id=9)
    assert (refused.isError(), refused.exception_code) == (True, 3)
    read_back = served.read_holding_registers(SETPOINT_W, count=2, device_id=9).registers
    assert served.convert_from_registers(read_back, served.DATATYPE.INT32) == 2_345


@pytest.mark.parametrize("served", [("--load-fault", "refuses")], indirect=True)
def test_a_stock_client_is_refused(served: ModbusSerialClient) -> None:
    refused = served.write_register(SETPOINT_10W, 150, device_id=9)
    assert (refused.isError(), refused.exception_code) == (True, adjustable_load.DEVICE_FAILURE)
    assert watts(served) == 3_000


@pytest.mark.parametrize("served", [("--load-fault", "stuck")], indirect=True)
def test_a_stock_client_sees_no_change_of_a_stuck_load(served: ModbusSerialClient) -> None:
    assert not served.write_register(SETPOINT_10W, 150, device_id=9).isError()
    read_back = served.read_holding_registers(SETPOINT_10W, count=2, device_id=9).registers
    assert read_back == [150, 300]
    assert watts(served) == 3_000
