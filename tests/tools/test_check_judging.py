"""What readings say of the wiring: each common fault has its own words."""

import pytest
from wattle_tools.check.judging import (
    FAULT,
    OK,
    WARNING,
    CheckedDevice,
    Finding,
    Readings,
    judge,
)

DEVICE = CheckedDevice(1)
COUNTERS = {"ei": 1_000, "ee": 0}


def three_phases(*factors: float, amperes: float = 10.0, total: float | None = None) -> Readings:
    """A device with 230 V and the same current in each phase, by its power factors."""
    watts = [230 * amperes * factor for factor in factors]
    values: dict[str, int | str] = {**COUNTERS, "f": 5_000}
    for phase, power in zip("123", watts, strict=True):
        values |= {f"u{phase}": 2_300, f"i{phase}": round(amperes * 1_000)}
        values[f"p{phase}"] = round(power * 10)
    values["p"] = round((sum(watts) if total is None else total) * 10)
    return Readings("G", values)


def found(
    readings: Readings, load_w: float | None = None, device: CheckedDevice = DEVICE
) -> list[Finding]:
    return judge(device, [readings], load_w, 0.1)


def only(findings: list[Finding]) -> Finding:
    [one] = findings
    return one


def test_a_sound_meter_is_sound() -> None:
    readings = three_phases(1, 1, 0.95)
    assert only(found(readings)).level == OK
    assert only(found(readings, 6_785)) == Finding(OK, "it sees 6785 W of 6785 W")


def test_a_turned_transformer_is_told_by_its_phase() -> None:
    one = only(found(three_phases(1, -1, 1)))
    assert (one.level, one.what) == (
        FAULT,
        "phase 2 counts the other way round than the others",
    )


@pytest.mark.parametrize(
    ("factors", "phases"), [((-0.5, -0.5, 1), "1, 2"), ((-0.5, -0.4, -0.6), "1, 2, 3")]
)
def test_currents_on_wrong_phases_are_told(
    factors: tuple[float, float, float], phases: str
) -> None:
    one = only(found(three_phases(*factors)))
    assert one.level == FAULT
    assert f"currents of phases {phases} belong to other voltages" in one.what


def test_what_carries_nothing_accuses_nobody() -> None:
    assert only(found(three_phases(-0.5, 1, -1, amperes=0.04))).level == OK


def test_a_source_in_one_phase_only_is_not_taken_for_an_exchange() -> None:
    one = only(found(three_phases(1, 1, -0.5)))
    assert "phase 3 counts the other way round" in one.what


@pytest.mark.parametrize(
    ("device", "shown_w", "load_w", "words"),
    [
        (DEVICE, -2_000, 2_000, "the other way round"),
        (CheckedDevice(1, orient=-1), 2_000, 2_000, "the other way round"),
        (CheckedDevice(1, ct=40), 2_000, 2_000, "the current ratio is applied twice"),
        (DEVICE, 2_000, 6_000, "two of three phases are missing"),
        (DEVICE, 4_000, 6_000, "one of three phases is missing"),
        (DEVICE, 50, 2_000, "if the load is right, the ratio is 40 and not 1"),
        (CheckedDevice(1, ct=20), 100, 4_000, "the ratio is 40 and not 20"),
        (DEVICE, 0, 2_000, "see that the load is behind this device and on"),
    ],
)
def test_a_load_that_is_known_tells_sign_and_ratio(
    device: CheckedDevice, shown_w: int, load_w: float, words: str
) -> None:
    readings = Readings("G", {**COUNTERS, "u": 2_300, "p": shown_w * 10})
    one = only(found(readings, load_w, device))
    assert one.level == FAULT
    assert words in f"{one.what}; {one.advice}"


@pytest.mark.parametrize("load_w", [1_820, 2_180])
def test_a_load_within_its_tolerance_is_right(load_w: float) -> None:
    readings = Readings("G", {**COUNTERS, "u": 2_300, "p": 20_000})
    assert (only(found(readings, load_w)).level == OK) is True


def test_a_source_is_seen_with_its_sign() -> None:
    readings = Readings("G", {**COUNTERS, "u": 2_300, "p": -30_000})
    assert only(found(readings, -3_000)).level == OK


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"u": 100}, "u is 10.0 V"),
        ({"u": 23_000}, "voltage ratio that is set in the device"),
        ({"f": 500}, "f is 5.00 Hz"),
        ({"p": "E"}, "p: it refuses"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, int | str], words: str) -> None:
    readings = Readings("G", {**COUNTERS, "u": 2_300, "f": 5_000, "p": 100, **change})
    one = only(found(readings))
    assert one.level == FAULT
    assert words in f"{one.what}; {one.advice}"


@pytest.mark.parametrize(("letter", "words"), [("T", "does not answer"), ("F", "damaged")])
def test_a_device_that_gives_nothing_says_why(letter: str, words: str) -> None:
    one = only(found(Readings(letter, {"u": letter, "p": letter})))
    assert (one.level, words in one.what) == (FAULT, True)


def test_a_counter_that_falls_is_no_energy_counter() -> None:
    rounds = [Readings("G", {"u": 2_300, "ei": value, "ee": 0}) for value in (10, 9)]
    assert only(judge(DEVICE, rounds, None, 0.1)).what == "ei fell while it was looked at"


def test_phases_that_are_not_the_total_are_worth_a_look() -> None:
    one = only(found(three_phases(1, 1, 1, total=2_300)))
    assert (one.level, "its total is 2300 W" in one.what) == (WARNING, True)
