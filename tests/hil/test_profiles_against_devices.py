"""The firmware's profiles against the emulated devices, two readings of the same documents.

Neither was written from the other, so an address or unit that one got wrong shows here.
"""

import struct
from pathlib import Path

import pytest
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.rtu_frame import seal
from wattle_hil.devices.sdm import MODELS
from wattle_meter import modbus, profile, read_plan, register

PROFILES = Path(__file__).parents[2] / "firmware" / "profiles"
T0_MS = 1_170_288_000_000
HOUR_MS = 3_600_000
# One hour of import at 3.6 kW, then export at 1.8 kW; phases share it 500 : 300 : 200.
_TIMES_MS = [T0_MS, T0_MS + HOUR_MS]
_END_MS = T0_MS + 3 * HOUR_MS
CURVE = Curve(
    "two-way",
    HOUR_MS,
    StepSeries(_TIMES_MS, [3_600 * UW_PER_W, -1_800 * UW_PER_W], _END_MS),
    StepSeries(_TIMES_MS, [2_700 * UW_PER_W, 1_350 * UW_PER_W], _END_MS),
    StepSeries(_TIMES_MS, [240_000, 225_000], _END_MS),
)
# Half an hour into the export; units of the wire: Wh, 0.1 W, 0.1 var, 0.1 V, mA, 0.01 Hz.
AT_MS = T0_MS + HOUR_MS + HOUR_MS // 2
EXPECTED = {
    "sdm120": {
        "u": 2_250,
        "i": 10_000,
        "p": -18_000,
        "q": 13_500,
        "f": 5_000,
        "ei": 3_600,
        "ee": 900,
    },
    "sdm630": {
        "u1": 2_250,
        "u2": 2_250,
        "u3": 2_250,
        "i1": 5_000,
        "i2": 3_000,
        "i3": 2_000,
        "p1": -9_000,
        "p2": -5_400,
        "p3": -3_600,
        "q1": 6_750,
        "q2": 4_050,
        "q3": 2_700,
        "p": -18_000,
        "q": 13_500,
        "f": 5_000,
        "ei": 3_600,
        "ee": 900,
        "ei1": 1_800,
        "ei2": 1_080,
        "ei3": 720,
        "ee1": 450,
        "ee2": 270,
        "ee3": 180,
    },
}


def emulated(name: str) -> EmulatedDevice:
    shares = (500, 300, 200) if MODELS[name].phases == 3 else (1_000,)
    return EmulatedDevice(7, MODELS[name], CURVE, shares_permille=shares)


def read_as_firmware(name: str, quantities: list[str]) -> dict[str, int]:
    """The firmware's plan, requests, parser and arithmetic, answered by the emulated device."""
    loaded, _ = profile.load(str(PROFILES / f"{name}.json"))
    values = {}
    for read in read_plan.plan_reads(loaded, quantities):
        request = modbus.read_request(7, loaded.function, read.address, read.count)
        answer = seal(b"\x07" + emulated(name).answer(request[1:-2], AT_MS))
        words = modbus.parse_read_response(answer, 7, loaded.function, read.count)
        values.update(read.values(words, loaded.low_first))
    return values


@pytest.mark.parametrize("name", EXPECTED)
def test_every_quantity_of_a_profile_is_read_as_what_the_curve_says(name: str) -> None:
    quantities = sorted(profile.load(str(PROFILES / f"{name}.json"))[0].registers)
    assert sorted(EXPECTED[name]) == quantities
    assert read_as_firmware(name, quantities) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_quantity_is_read_alone_as_in_a_block(name: str) -> None:
    for quantity, expected in EXPECTED[name].items():
        assert read_as_firmware(name, [quantity]) == {quantity: expected}


@pytest.mark.parametrize("name", EXPECTED)
def test_ranges_that_a_profile_calls_readable_are(name: str) -> None:
    for first, last in profile.load(str(PROFILES / f"{name}.json"))[0].readable:
        pdu = struct.pack(">BHH", 4, first, last - first + 1)
        assert emulated(name).answer(pdu, AT_MS)[0] == 4


def test_an_exception_of_the_device_is_one_to_the_firmware() -> None:
    request = modbus.read_request(7, 4, 0x0050, 2)
    answer = seal(b"\x07" + emulated("sdm120").answer(request[1:-2], AT_MS))
    with pytest.raises(modbus.ExceptionResponse) as caught:
        modbus.parse_read_response(answer, 7, 4, 2)
    assert caught.value.code == 2
