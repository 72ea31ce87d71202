"""The firmware's profiles against the emulated devices, two readings of the same documents.

Neither was written from the other, so an address or unit that one got wrong shows here.
"""

from pathlib import Path

import pytest
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.model import Model
from wattle_hil.devices.rtu_frame import seal
from wattle_hil.devices.sunspec import sunspec_meter
from wattle_meter import modbus, profile, read_plan
from wattle_meter.sunspec import Discovery

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
EXPECTED: dict[str, dict[str, int]] = {
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
THREE_PHASES = EXPECTED["sdm630"]
# Counts in steps of 100 Wh, each of which goes to one phase; no export by phase.
EXPECTED["em340"] = {
    **{name: value for name, value in THREE_PHASES.items() if name not in ("ee1", "ee2", "ee3")},
    "ei1": 1_800,
    "ei2": 1_100,
    "ei3": 700,
}
EXPECTED["iem3155"] = {
    name: value
    for name, value in THREE_PHASES.items()
    if name not in ("q1", "q2", "q3", "ee1", "ee2", "ee3")
}
# Knows no direction: power is positive, and its counter counts both.
EXPECTED["pzem-004t"] = {"u": 2_250, "i": 10_000, "p": 18_000, "f": 5_000, "ei": 4_500}
EXPECTED["sunspec-201"] = EXPECTED["sdm120"]
EXPECTED["sunspec-203"] = {
    name: value for name, value in EXPECTED["iem3155"].items() if name not in ("ei1", "ei2", "ei3")
}


def emulated(name: str, model: Model | None = None) -> EmulatedDevice:
    model = model or FAMILIES[name]
    shares = {1: (1_000,), 2: (500, 500), 3: (500, 300, 200)}[model.phases]
    return EmulatedDevice(7, model, CURVE, shares_permille=shares)


def ask(device: EmulatedDevice, function: int, address: int, count: int) -> list[int]:
    """As the firmware asks, with a request and an answer of whole frames."""
    request = modbus.read_request(7, function, address, count)
    answer = seal(b"\x07" + device.answer(request[1:-2], AT_MS))
    return modbus.parse_read_response(answer, 7, function, count)


def found_base(loaded: profile.Profile, device: EmulatedDevice) -> int:
    """Where the firmware finds the block of a SunSpec profile; 0 for other profiles."""
    if not loaded.models:
        return 0
    discovery = Discovery(loaded)
    while discovery.base is None:
        assert discovery.rounds == 0, "the search was in vain"
        try:
            discovery.answered(ask(device, loaded.function, *discovery.question()))
        except modbus.ExceptionResponse:
            discovery.refused()
    return discovery.base


def read_as_firmware(
    name: str, quantities: list[str], model: Model | None = None
) -> dict[str, int | str]:
    """The firmware's plan, requests, parser and arithmetic, answered by the emulated device."""
    loaded, _ = profile.load(str(PROFILES / f"{name}.json"))
    device = emulated(name, model)
    base = found_base(loaded, device)
    values: dict[str, int | str] = {}
    for read in read_plan.plan_reads(loaded, quantities):
        words = ask(device, loaded.function, base + read.address, read.count)
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
    loaded, _ = profile.load(str(PROFILES / f"{name}.json"))
    base = found_base(loaded, emulated(name))
    for first, last in loaded.readable:
        assert ask(emulated(name), loaded.function, base + first, last - first + 1)


@pytest.mark.parametrize("name", EXPECTED)
def test_line_and_limit_of_a_profile_are_those_of_the_device(name: str) -> None:
    loaded, _ = profile.load(str(PROFILES / f"{name}.json"))
    model = FAMILIES[name]
    assert (loaded.line.baud, f"{loaded.line.parity}{loaded.line.stop_bits}") == (
        model.baud,
        model.parity,
    )
    assert loaded.registers_per_read <= model.tables[loaded.function].most


@pytest.mark.parametrize("base", [40_000, 0, 50_000])
def test_a_sunspec_block_is_found_wherever_a_map_may_begin(base: int) -> None:
    model = sunspec_meter(203, base, {103: 50, 64_001: 7})
    quantities = sorted(EXPECTED["sunspec-203"])
    assert read_as_firmware("sunspec-203", quantities, model) == EXPECTED["sunspec-203"]


def test_what_a_sunspec_meter_does_not_implement_is_not_present() -> None:
    values = read_as_firmware("sunspec-203", ["u1", "u3", "i3", "p", "f"], sunspec_meter(202))
    assert values == {"u1": 2_250, "u3": "N", "i3": "N", "p": -18_000, "f": 5_000}
    delta = read_as_firmware("sunspec-203", ["u1", "i1", "p3"], sunspec_meter(204))
    assert delta == {"u1": "N", "i1": 5_000, "p3": -3_600}


def test_a_sunspec_frequency_without_scale_stands_as_it_is() -> None:
    model = sunspec_meter(203, has_hz_sf=False)
    assert read_as_firmware("sunspec-203", ["f"], model) == {"f": 5_000}


def test_a_pzem_counter_starts_again_where_its_profile_says() -> None:
    loaded, _ = profile.load(str(PROFILES / "pzem-004t.json"))
    (read,) = read_plan.plan_reads(loaded, ["ei"])
    device = EmulatedDevice(7, FAMILIES["pzem-004t"], CURVE, initial_import_wh=9_999_000)
    words = ask(device, 4, read.address, read.count)
    assert read.values(words, loaded.low_first) == {"ei": 3_500}
    assert loaded.registers["ei"].wrap(words, read.address) == 10_000_000


def test_an_exception_of_the_device_is_one_to_the_firmware() -> None:
    request = modbus.read_request(7, 4, 0x0050, 2)
    answer = seal(b"\x07" + emulated("sdm120").answer(request[1:-2], AT_MS))
    with pytest.raises(modbus.ExceptionResponse) as caught:
        modbus.parse_read_response(answer, 7, 4, 2)
    assert caught.value.code == 2
