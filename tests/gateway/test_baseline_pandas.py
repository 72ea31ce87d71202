"""Baselines of a real load curve against a second computation with pandas, and what they are worth.

The second computation follows BASELINES.md and shares nothing with ours: a table of days by
hours, plain means, floats. The curve is the hourly one of the eemeter samples (a simulated site
in Illinois); its place is ../shared/data, and without it these tests are skipped.
"""

import random
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import LocalDays
from wattle_gateway.contracts.baseline.placebo import accuracy, placebo_baselines
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.series import MJ_PER_WH, EnergySeries
from wattle_gateway.interval_data.csv_series import CsvColumns, CsvSeries, read_series
from wattle_testkit.load_days import event

CURVE = (
    Path(__file__).resolve().parents[3] / "shared/data/eemeter_il-electricity-cdd-hdd-hourly.csv.gz"
)
FIRST, LAST = date(2015, 11, 22), date(2016, 11, 21)
EVENING = (17, 20)

pytestmark = pytest.mark.skipif(
    not CURVE.exists(), reason=f"{CURVE.name} is not beside the project"
)


@dataclass(frozen=True)
class Curve:
    """What the tests read: our series, and the table of the second computation in Wh."""

    ours: CsvSeries
    table: pd.DataFrame

    @property
    def days(self) -> LocalDays:
        return LocalDays(self.ours.zone)


@pytest.fixture(scope="module")
def curve() -> Curve:
    frame = pd.read_csv(CURVE)
    local = pd.to_datetime(frame["start"], utc=True).dt.tz_convert("America/Chicago")
    energies = pd.DataFrame(
        {
            "day": local.dt.date,
            "hour": local.dt.hour,
            "wh": (frame["value"] * 1_000).round().astype("int64"),
        }
    )
    # Of the hour that the clock shows twice, the first.
    first = energies.drop_duplicates(["day", "hour"])
    columns = CsvColumns("start", "value", "kW", "start")
    return Curve(read_series(CURVE, columns), first.pivot(index="day", columns="hour", values="wh"))


def is_business(day: date) -> bool:
    return day.weekday() < 5


def year(business: bool) -> list[date]:
    every = [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]
    return [day for day in every if is_business(day) == business]


# --- the second computation ---------------------------------------------------------------------

Second = Callable[[pd.DataFrame, date, int, int], float | None]


def like(
    table: pd.DataFrame, day: date, count: int, reach: int, same: Callable[[date], object]
) -> pd.DataFrame:
    """The most recent days like a day."""
    found = [
        other
        for back in range(1, reach + 1)
        if (other := day - timedelta(days=back)) in table.index and same(other) == same(day)
    ]
    return table.loc[found[:count]]


def by_weekday(day: date) -> int:
    """Monday to Friday, Saturday, Sunday."""
    return max(day.weekday(), 4)


def ordered(days: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
    """Falling by the energy of the event's hours; of equal ones the later day first."""
    keyed = days.assign(total=days.loc[:, begin : end - 1].sum(axis=1), on=days.index)
    return keyed.sort_values(["total", "on"], ascending=False).drop(columns=["total", "on"])


def caiso(table: pd.DataFrame, day: date, begin: int, end: int) -> float | None:
    wanted, least = (10, 5) if is_business(day) else (4, 4)
    days = like(table, day, wanted, 45, is_business)
    if len(days) < least:
        return None
    shape, own = days.mean(), table.loc[day]
    before = range(begin - 4, begin - 1)
    ratio = own[before].sum() / shape[before].sum()
    return float(shape[range(begin, end)].sum() * min(max(ratio, 0.8), 1.2))


def pjm(table: pd.DataFrame, day: date, begin: int, end: int) -> float | None:
    high, of, least = (4, 5, 4) if is_business(day) else (2, 3, 2)
    days = like(table, day, of, 45, by_weekday)
    if len(days) < least:
        return None
    shape, own = ordered(days, begin, end).head(high).mean(), table.loc[day]
    before = range(begin - 4, begin - 1)
    shift = own[before].mean() - shape[before].mean()
    return float((shape[range(begin, end)] + shift).sum())


def nyiso(table: pd.DataFrame, day: date, begin: int, end: int) -> float | None:
    high, of, least = (5, 10, 5) if is_business(day) else (2, 3, 2)
    days = like(table, day, of, 30, by_weekday)
    if len(days) < least:
        return None
    return float(ordered(days, begin, end).head(high).mean()[range(begin, end)].sum())


def ercot(table: pd.DataFrame, day: date, begin: int, end: int) -> float | None:
    days = like(table, day, 10, 45, is_business)
    if len(days) < 5:
        return None
    surplus = max(len(days) - 8, 0)
    above = (surplus + 1) // 2
    middle = ordered(days, begin, end).iloc[above : len(days) - (surplus - above)]
    shape, own = middle.mean(), table.loc[day]
    before = range(begin - 3, begin - 1)
    return float(shape[range(begin, end)].sum() * own[before].sum() / shape[before].sum())


def same_day(table: pd.DataFrame, day: date, begin: int, end: int) -> float | None:
    own = table.loc[day]
    around = [*range(begin - 4, begin - 1), *range(end + 1, end + 3)]
    return float(own[around].mean() * (end - begin))


SECOND: dict[str, Second] = {
    "caiso-10-of-10": caiso,
    "pjm-high-4-of-5": pjm,
    "nyiso-high-5-of-10": nyiso,
    "ercot-middle-8-of-10": ercot,
    "same-day-3-plus-2": same_day,
}


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize(("business", "hours"), [(True, EVENING), (False, (13, 17))])
def test_each_preset_equals_a_second_computation_to_the_wh(
    curve: Curve, name: str, business: bool, hours: tuple[int, int]
) -> None:
    calls = {day: event(day, *hours, curve.ours.zone) for day in year(business)}
    ours = placebo_baselines(
        PRESETS[name].rule, curve.ours.series, calls.values(), curve.days, Exclusions()
    )
    theirs = {day: SECOND[name](curve.table, day, *hours) for day in calls}
    judged = {day for day, value in theirs.items() if value is not None}
    assert {day for day, call in calls.items() if call in ours} == judged
    assert len(judged) > 90
    for day in judged:
        # Floats are off by less than a millionth; halves go to the even number, as ours do.
        assert ours[calls[day]].baseline_wh == round(round(theirs[day] or 0.0, 6)), day


# --- what they are worth ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def placebo(curve: Curve) -> dict[str, dict[Event, Baseline]]:
    calls = [event(day, *EVENING, curve.ours.zone) for day in year(business=True)]
    return {
        name: placebo_baselines(
            PRESETS[name].rule, curve.ours.series, calls, curve.days, Exclusions()
        )
        for name in SECOND
    }


def test_high_days_are_biased_upward_and_the_others_are_not(
    placebo: dict[str, dict[Event, Baseline]],
) -> None:
    found = {name: accuracy(judged.values()) for name, judged in placebo.items()}
    bias = {name: entry.bias / 100 for name, entry in found.items() if entry is not None}
    assert len(bias) == len(SECOND)
    assert bias["nyiso-high-5-of-10"] > 30
    assert bias["pjm-high-4-of-5"] > 5
    for name in ("caiso-10-of-10", "ercot-middle-8-of-10", "same-day-3-plus-2"):
        assert abs(bias[name]) < 5, name


def test_the_table_in_the_document_is_what_comes_out(curve: Curve) -> None:
    text = (Path(__file__).resolve().parents[2] / "gateway/BASELINES.md").read_text()
    written = dict(re.findall(r"(?m)^\| `([a-z0-9-]+)` \| ([-+][\d.]+ \| [\d.]+) \|", text))
    assert written.keys() == {*SECOND, "pjm-match-day-3"}
    calls = [event(day, *EVENING, curve.ours.zone) for day in year(business=True)]
    judged = {
        name: placebo_baselines(
            PRESETS[name].rule, curve.ours.series, calls, curve.days, Exclusions()
        )
        for name in written
    }
    shared = [call for call in calls if all(call in found for found in judged.values())]
    for name, found in judged.items():
        row = accuracy(found[call] for call in shared)
        assert row is not None
        assert written[name] == f"{row.bias / 100:+.2f} | {row.rrmse / 100:.2f}"


def errors_wh(judged: dict[Event, Baseline]) -> list[int]:
    return [found.baseline_wh - (found.actual_wh or 0) for found in judged.values()]


def with_cut(series: EnergySeries, calls: list[Event]) -> EnergySeries:
    """The same curve with 30 % less in the hours of the events."""
    energies = dict(series.energies_mj)
    for call in calls:
        for start_s in series.starts(call.start_s, call.end_s):
            energies[start_s] = energies[start_s] * 7 // 10
    return replace(series, energies_mj=energies)


def recovered_wh(curve: Curve, name: str, calls: list[Event]) -> float:
    """The mean reduction that a preset finds where 30 % were cut, the days of the others of
    these events excluded as past events."""
    series = with_cut(curve.ours.series, calls)
    called = frozenset(curve.ours.zone.wall(call.start_s)[0] for call in calls)
    found = [
        baseline(PRESETS[name].rule, series, call, curve.days, Exclusions(event_days=called))
        for call in calls
    ]
    return statistics.mean(entry.reduction_wh or 0 for entry in found)


@pytest.mark.parametrize("name", SECOND)
def test_a_cut_of_30_percent_on_20_random_days_is_recovered(
    curve: Curve, placebo: dict[str, dict[Event, Baseline]], name: str
) -> None:
    """Within two standard errors, after the preset's own placebo bias is taken off.

    Two standard errors hold 19 draws of 20; so 20 draws are made, and none of them chosen.
    """
    bias_wh = statistics.mean(errors_wh(placebo[name]))
    standard_error_wh = statistics.stdev(errors_wh(placebo[name])) / 20**0.5
    shared = [call for call in placebo[name] if all(call in judged for judged in placebo.values())]
    offs = []
    for seed in range(20):
        calls = random.Random(seed).sample(shared, 20)
        cut_wh = statistics.mean(
            0.3 * sum(entry.actual_mj or 0 for entry in placebo[name][call].intervals) / MJ_PER_WH
            for call in calls
        )
        found_wh = recovered_wh(curve, name, calls) - bias_wh
        offs.append((found_wh - cut_wh) / standard_error_wh)
    assert sum(abs(off) <= 2 for off in offs) >= 18, offs
    # All draws together: the mean of 400 events, days drawn more than once.
    assert abs(statistics.mean(offs)) < 0.5, offs
