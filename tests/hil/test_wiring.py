"""What a three-phase device sees of a load that is connected wrongly."""

import struct

import pytest
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.sdm import SDM120, SDM630
from wattle_hil.devices.wiring import Wiring
from wattle_hil.errors import DeviceError

T0_MS = 1_170_288_000_000
HOUR_MS = 3_600_000
# Of 6 kW, as they are when nothing is wrong.
SHARES = (500, 300, 200)


def device(wiring: Wiring | None, reactive_var: int = 0) -> EmulatedDevice:
    active, reactive = (
        StepSeries((T0_MS,), (value * UW_PER_W,), T0_MS + 2 * HOUR_MS)
        for value in (6_000, reactive_var)
    )
    curve = Curve("constant", 1_000, active, reactive)
    return EmulatedDevice(1, SDM630, curve, shares_permille=SHARES, wiring=wiring)


def read(made: EmulatedDevice, address: int, count: int) -> list[float]:
    answer = made.answer(struct.pack(">BHH", 4, address, 2 * count), T0_MS + HOUR_MS)
    return list(struct.unpack(f">{count}f", answer[2:]))


def powers(wiring: Wiring | None, reactive_var: int = 0) -> list[float]:
    """Active power of the phases, then of all."""
    made = device(wiring, reactive_var)
    return [round(value, 3) for value in (*read(made, 0x000C, 3), *read(made, 0x0034, 1))]


def test_a_load_that_is_connected_as_it_should_be_is_seen_as_it_is() -> None:
    assert powers(None) == powers(Wiring()) == [3_000, 1_800, 1_200, 6_000]
    assert device(None).counted_wh(T0_MS + HOUR_MS) == (6_000, 0)
    assert device(Wiring()).counted_wh(T0_MS + HOUR_MS) == (6_000, 0)


def test_a_turned_transformer_changes_one_sign() -> None:
    wiring = Wiring(turned=(2,))
    assert powers(wiring) == [3_000, -1_800, 1_200, 2_400]
    assert device(wiring).counted_wh(T0_MS + HOUR_MS) == (4_200, 1_800)
    # Energies of phase 2: import, export.
    assert [read(device(wiring), address, 1) for address in (0x015C, 0x0162)] == [
        [0.0],
        [pytest.approx(1.8)],
    ]


def test_currents_of_other_phases_are_a_third_of_a_turn_away() -> None:
    # cos 120 degrees is -1/2; two exchanged ones of an even load would cancel the third.
    assert powers(Wiring(currents=(2, 1, 3))) == [-900, -1_500, 1_200, -1_200]
    assert powers(Wiring(currents=(2, 3, 1))) == [-900, -600, -1_500, -3_000]


def test_reactive_power_turns_with_its_current() -> None:
    # 1800 W and 900 var a third of a turn further on (phase 2's current at phase 1's voltage), and
    # 3000 W and 1500 var as much behind: -P/2 - Q*sqrt(3)/2 and -P/2 + Q*sqrt(3)/2.
    seen = powers(Wiring(currents=(2, 1, 3)), reactive_var=3_000)
    assert seen[:3] == [pytest.approx(-1_679.423), pytest.approx(-200.962), 1_200]


def test_a_ratio_divides_power_and_energy() -> None:
    wiring = Wiring(ratio=40)
    assert powers(wiring) == [75, 45, 30, 150]
    assert device(wiring).counted_wh(T0_MS + HOUR_MS) == (150, 0)
    # Volts are no transformer's here.
    assert read(device(wiring), 0x0000, 3) == [230, 230, 230]
    assert read(device(wiring), 0x0006, 1) == [pytest.approx(75 / 230)]


@pytest.mark.parametrize("wrong", [{"currents": (1, 2, 4)}, {"turned": (0,)}, {"ratio": 0}])
def test_what_cannot_be_wired_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DeviceError, match="expected phases 1 to 3"):
        Wiring(**wrong)  # type: ignore[arg-type]


def test_one_phase_has_nothing_to_exchange() -> None:
    curve = Curve("none", 1_000, StepSeries((T0_MS,), (0,), T0_MS + 1))
    with pytest.raises(DeviceError, match="SDM120 has 1"):
        EmulatedDevice(1, SDM120, curve, wiring=Wiring())
