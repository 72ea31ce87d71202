"""Emulated SDM120 and SDM630: register images over a load curve, and refusals."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.registers import Integer, RegisterMap, Single
from wattle_hil.devices.sdm import SDM120, SDM630
from wattle_hil.errors import DeviceError

T0_MS = 1_170_288_000_000
HOUR_MS = 3_600_000
# 2 h of import at 3.6 kW, then 1 h of export at 1.8 kW, both with reactive power.
END_MS = T0_MS + 3 * HOUR_MS
_TIMES_MS = [T0_MS, T0_MS + 2 * HOUR_MS]


def two_way_curve() -> Curve:
    return Curve(
        "two-way",
        HOUR_MS,
        StepSeries(_TIMES_MS, [3_600 * UW_PER_W, -1_800 * UW_PER_W], END_MS),
        StepSeries(_TIMES_MS, [1_500 * UW_PER_W, -750 * UW_PER_W], END_MS),
        StepSeries(_TIMES_MS, [240_000, 225_000], END_MS),
    )


def request(function: int, address: int, count: int) -> bytes:
    return struct.pack(">BHH", function, address, count)


def read_floats(device: EmulatedDevice, address: int, count: int, at_ms: int) -> list[float]:
    answer = device.answer(request(4, address, 2 * count), at_ms)
    assert answer[:2] == bytes([4, 4 * count])
    return list(struct.unpack(f">{count}f", answer[2:]))


def single(value: float) -> float:
    """The float32 nearest to a value."""
    (rounded,) = struct.unpack(">f", struct.pack(">f", value))
    assert isinstance(rounded, float)
    return rounded


def test_an_sdm120_shows_the_load_of_the_instant() -> None:
    device = EmulatedDevice(1, SDM120, two_way_curve())
    at_ms = T0_MS + HOUR_MS
    assert read_floats(device, 0x0000, 1, at_ms) == [240.0]
    assert read_floats(device, 0x0006, 1, at_ms) == [single(3_900 / 240)]
    assert read_floats(device, 0x000C, 1, at_ms) == [3_600.0]
    assert read_floats(device, 0x0012, 1, at_ms) == [3_900.0]
    assert read_floats(device, 0x0018, 1, at_ms) == [1_500.0]
    assert read_floats(device, 0x001E, 1, at_ms) == [single(3_600 / 3_900)]
    assert read_floats(device, 0x0046, 5, at_ms) == [50.0, single(3.6), 0.0, single(1.5), 0.0]


def test_export_has_its_own_counters_and_negative_power() -> None:
    device = EmulatedDevice(1, SDM120, two_way_curve())
    at_ms = T0_MS + 2 * HOUR_MS + HOUR_MS // 2
    assert read_floats(device, 0x000C, 1, at_ms) == [-1_800.0]
    assert read_floats(device, 0x0048, 4, at_ms) == [
        single(7.2),
        single(0.9),
        3.0,
        0.375,
    ]
    assert read_floats(device, 0x0156, 2, at_ms) == [single(8.1), single(3.375)]


def test_counters_go_on_from_their_initial_values_and_stand_outside_the_curve() -> None:
    device = EmulatedDevice(
        1, SDM120, two_way_curve(), initial_import_wh=4_000_000, initial_export_wh=12
    )
    assert read_floats(device, 0x0048, 2, T0_MS - 1) == [4_000.0, single(0.012)]
    assert read_floats(device, 0x0048, 2, T0_MS) == [4_000.0, single(0.012)]
    at_end = read_floats(device, 0x0048, 2, END_MS)
    assert at_end == [single(4_007.2), single(1.812)]
    assert read_floats(device, 0x0048, 2, END_MS + HOUR_MS) == at_end
    assert read_floats(device, 0x000C, 1, END_MS) == [0.0]
    assert device.counted_wh(END_MS) == (4_007_200, 1_812)


@given(st.integers(-1_000, 3 * HOUR_MS + 1_000))
def test_an_energy_register_shows_the_integral_in_whole_steps(after_ms: int) -> None:
    device = EmulatedDevice(1, SDM120, two_way_curve(), resolution_wh=10)
    importing, exporting = read_floats(device, 0x0048, 2, T0_MS + after_ms)
    # 3.6 kW are 1 Wh a second.
    true_wh = min(max(after_ms, 0), 2 * HOUR_MS) / 1_000
    assert round(importing * 1_000) == true_wh // 10 * 10
    assert (
        round(exporting * 1_000) == max(min(after_ms, 3 * HOUR_MS) - 2 * HOUR_MS, 0) // 20_000 * 10
    )


def test_no_load_has_power_factor_one_and_no_voltage_no_current() -> None:
    dead = Curve(
        "dead",
        1_000,
        StepSeries([T0_MS], [UW_PER_W], T0_MS + 1_000),
        voltage_mv=StepSeries([T0_MS], [0], T0_MS + 1_000),
    )
    device = EmulatedDevice(1, SDM120, dead)
    assert read_floats(device, 0x0006, 1, T0_MS) == [0.0]
    assert read_floats(device, 0x001E, 1, T0_MS + 1_000) == [1.0]


def test_an_sdm630_divides_the_load_over_its_phases() -> None:
    device = EmulatedDevice(1, SDM630, two_way_curve(), shares_permille=(500, 300, 200))
    at_ms = T0_MS + HOUR_MS
    volts_and_amperes = read_floats(device, 0x0000, 6, at_ms)
    assert volts_and_amperes[:3] == [240.0] * 3
    assert volts_and_amperes[3:] == [single(3_900 * part / 240) for part in (0.5, 0.3, 0.2)]
    assert read_floats(device, 0x000C, 3, at_ms) == [1_800.0, 1_080.0, 720.0]
    assert read_floats(device, 0x0018, 3, at_ms) == [750.0, 450.0, 300.0]
    assert read_floats(device, 0x0034, 1, at_ms) == [3_600.0]
    assert read_floats(device, 0x0038, 1, at_ms) == [3_900.0]
    assert read_floats(device, 0x00C8, 4, at_ms) == [single(240 * math.sqrt(3))] * 4
    assert read_floats(device, 0x015A, 3, at_ms) == [single(1.8), single(1.08), single(0.72)]


@given(st.integers(0, 3 * HOUR_MS))
def test_phase_energies_of_an_sdm630_add_up_to_its_total(after_ms: int) -> None:
    device = EmulatedDevice(1, SDM630, two_way_curve(), shares_permille=(100, 557, 343))
    at_ms = T0_MS + after_ms
    importing, exporting = (round(kwh * 1_000) for kwh in read_floats(device, 0x0048, 2, at_ms))
    energies_wh = [round(kwh * 1_000) for kwh in read_floats(device, 0x015A, 9, at_ms)]
    assert sum(energies_wh[:3]) == importing
    assert sum(energies_wh[3:6]) == exporting
    for phase in range(3):
        assert energies_wh[6 + phase] == energies_wh[phase] + energies_wh[3 + phase]


def test_registers_between_documented_values_read_as_zero() -> None:
    device = EmulatedDevice(1, SDM120, two_way_curve())
    block = read_floats(device, 0x0000, 40, T0_MS)
    assert block[0] == 240.0
    assert block[0x0048 // 2] == 0.0
    assert block[1:3] == [0.0, 0.0]


@pytest.mark.parametrize("model_name", FAMILIES)
def test_every_register_of_a_model_has_a_value(model_name: str) -> None:
    device = EmulatedDevice(1, FAMILIES[model_name], two_way_curve())
    for function, registers in device.model.tables.items():
        for address, cell in registers.cells.items():
            answer = device.answer(request(function, address, cell.words), T0_MS)
            assert answer[:2] == bytes([function, 2 * cell.words])


def test_registers_change_only_with_each_refresh() -> None:
    device = EmulatedDevice(1, SDM120, two_way_curve(), refresh_ms=60_000)
    minute = [read_floats(device, 0x0048, 1, T0_MS + at_ms) for at_ms in (60_000, 119_999)]
    assert minute == [[single(0.06)], [single(0.06)]]
    assert read_floats(device, 0x0048, 1, T0_MS + 120_000) == [single(0.12)]


def test_settings_are_told_as_floats_and_the_serial_number_as_an_integer() -> None:
    device = EmulatedDevice(
        7, SDM630, two_way_curve(), baud=19_200, parity="E1", serial_number=0xDEADBEEF
    )
    parity_and_unit = device.answer(request(3, 0x0012, 4), T0_MS)
    assert parity_and_unit == b"\x03\x08" + struct.pack(">ff", 1.0, 7.0)
    assert device.answer(request(3, 0x001C, 2), T0_MS)[2:] == struct.pack(">f", 3.0)
    assert device.answer(request(3, 0xFC00, 2), T0_MS)[2:] == b"\xde\xad\xbe\xef"
    small = EmulatedDevice(1, SDM120, two_way_curve(), baud=1_200)
    assert small.answer(request(3, 0x001C, 2), T0_MS)[2:] == struct.pack(">f", 5.0)


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        (request(4, 0x0000, 0), b"\x84\x03"),
        (request(4, 0x0000, 82), b"\x84\x03"),
        (request(4, 0x0000, 0xFFFF), b"\x84\x03"),
        (request(4, 0x0000, 1), b"\x84\x02"),
        (request(4, 0x0001, 2), b"\x84\x02"),
        (request(4, 0x004E, 4), b"\x84\x02"),
        (request(4, 0x0050, 2), b"\x84\x02"),
        (request(4, 0x0048, 80), b"\x84\x02"),
        (request(4, 0xFFFE, 4), b"\x84\x02"),
        (request(3, 0x0000, 2), b"\x83\x02"),
        (request(4, 0x0000, 2) + b"\x00", b"\x84\x03"),
        (request(6, 0x0014, 2), b"\x86\x01"),
        (b"\x10\x00\x14\x00\x02\x04\x40\x00\x00\x00", b"\x90\x01"),
        (b"\x42", b"\xc2\x01"),
    ],
)
def test_a_wrong_request_gets_the_exception_of_a_real_device(pdu: bytes, expected: bytes) -> None:
    assert EmulatedDevice(1, SDM120, two_way_curve()).answer(pdu, T0_MS) == expected


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"unit": 0}, "unit 0, expected 1 to 247"),
        ({"unit": 248}, "unit 248"),
        ({"refresh_ms": 0}, "refresh of 0 ms"),
        ({"baud": 38_400}, "38400 baud, SDM120 has 1200, 2400, 4800, 9600"),
        ({"parity": "8N1"}, "parity '8N1', expected one of N1, E1, O1, N2"),
        ({"serial_number": 2**32}, "serial number"),
        ({"shares_permille": (500, 500)}, "2 phase shares, SDM120 has 1 phases"),
        ({"resolution_wh": 0}, "resolution 0 Wh"),
    ],
)
def test_a_device_that_cannot_be_is_refused(settings: dict[str, object], complaint: str) -> None:
    arguments = {"unit": 1, "model": SDM120, "curve": two_way_curve()} | settings
    with pytest.raises(DeviceError, match=complaint):
        EmulatedDevice(**arguments)  # type: ignore[arg-type]


def test_a_register_map_with_a_value_outside_its_windows_is_refused() -> None:
    with pytest.raises(DeviceError, match="0x0005 is in no window"):
        RegisterMap((range(6),), {5: Single("p_w")}, 80)
    with pytest.raises(DeviceError, match="0x0001 lies within the value before it"):
        RegisterMap((range(6),), {0: Single("p_w"), 1: Integer("p_w", 0)}, 80)
