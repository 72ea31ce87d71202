"""The settlement check measures as the contracts do, whatever readings are missing."""

from random import Random

import pytest
from wattle_gateway.contracts.measurement import energy as measurement
from wattle_gateway.contracts.measurement.interval import Intervals
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_hil.settlement_check.energies import Energies, Metering
from wattle_hil.settlement_check.readings import Reading
from wattle_testkit.alliance import reading

DAY_MS = 86_400_000
BEGIN_MS = 1_700_006_400_000  # 00:00 UTC
LENGTH_MS = 900_000
INTERVALS = 8
DRAWS = 40


def drawn(seed: int) -> tuple[int, int, list[tuple[int, int, int]]]:
    """Sampling period, highest power, and (time, register in Wh, power in 0.1 W) of readings of
    which some are late by a little and some are missing, by stretches."""
    random = Random(seed)
    period_ms = random.choice((30_000, 60_000, 90_000))
    high_dw = random.choice((500, 6_000, 60_000))
    missing_permille = random.choice((0, 20, 60))
    found, drawn_dwms, skip = [], 0, 0
    for at_ms in range(-LENGTH_MS, (INTERVALS + 1) * LENGTH_MS, period_ms):
        power_dw = random.randrange(high_dw)
        if random.randrange(1_000) < missing_permille:
            skip = random.randrange(1, 6)
        if skip:
            skip -= 1
        else:
            time_ms = BEGIN_MS + at_ms + random.choice((0, 0, 0, 1_000))
            found.append((time_ms, drawn_dwms // 36_000_000, power_dw))
        drawn_dwms += power_dw * period_ms
    return period_ms, high_dw, found


def test_both_measure_the_same() -> None:
    seen: set[str] = set()
    for seed in range(DRAWS):
        period_ms, high_dw, readings = drawn(seed)
        registers = seed % 5 != 0  # some meters show power alone
        intervals = Intervals(LENGTH_MS)
        others = []
        for time_ms, shown_wh, power_dw in readings:
            values = {"p": power_dw, **({"ei": shown_wh} if registers else {})}
            intervals.add(reading(time_ms, **values), 0)
            imported_wh = shown_wh if registers else None
            others.append(
                Reading(time_ms, 1, time_ms, frozenset(), "G", imported_wh, None, False, power_dw)
            )
        told = measurement.Metering(Ratio(40, 1, 1), period_ms, 1)
        metering = Metering(40, 1, 1, period_ms, 1, 900, LENGTH_MS, DAY_MS, 60 * DAY_MS)
        twin = Energies(others, metering, 1, BEGIN_MS + INTERVALS * LENGTH_MS)
        for number in range(INTERVALS):
            begin_ms = BEGIN_MS + number * LENGTH_MS
            here = measurement.energy(intervals, begin_ms, told)
            there = twin.energy(begin_ms)
            assert (there.how, there.energy_mwh, there.uncertainty_mwh) == (
                here.how,
                here.energy_mwh,
                here.uncertainty_mwh,
            ), (seed, number, high_dw)
            seen.add(here.how)
    assert seen == {measurement.REGISTER, measurement.INTEGRATED, measurement.UNMEASURED}


@pytest.mark.parametrize("registers", [True, False])
def test_a_boundary_without_a_reading_leaves_powers_alone(registers: bool) -> None:
    """Three of thirty powers are enough to lack where there is no register to be read."""
    shown = {"ei": 5} if registers else {}
    intervals = Intervals(LENGTH_MS)
    for at_ms in range(60_000, LENGTH_MS - 30_000, 30_000):
        intervals.add(reading(BEGIN_MS + at_ms, p=10, **shown), 0)
    found = measurement.energy(intervals, BEGIN_MS, measurement.Metering(Ratio(), 30_000))
    expected = measurement.UNMEASURED if registers else measurement.INTEGRATED
    assert found.how == expected
