"""A season of events of one load under one rule: what is known of each before anybody is paid."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from wattle_gateway.contracts.baseline.engine import baseline
from wattle_gateway.contracts.baseline.errors import HistoryError
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import DAY_S, LocalDays
from wattle_gateway.contracts.baseline.rule import AdjustmentKind, Method, Rule
from wattle_gateway.contracts.baseline.series import HOUR_S, EnergySeries
from wattle_gateway.contracts.measurement.energy import Metering, energy
from wattle_gateway.contracts.measurement.interval import Intervals
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_wire.sample import Reading

from wattle_testkit.gaming.loads import FIRST_DAY, QUARTER_S, Load

EVENT_FROM_H, EVENT_TO_H = 17, 20
EVENT_QUARTERS = range(4 * EVENT_FROM_H, 4 * EVENT_TO_H)
FIRST_EVENT_DAY = 70  # ten weeks of history
PERIOD_S = 60
# Meters read when they read, not at the full minute.
READ_AT_S = 17
_MJ_PER_W_S = 1_000
_MIN_S = 60


@dataclass(frozen=True)
class Season:
    """Events of a load: `days` since the load began."""

    load: Load
    days: tuple[int, ...]


def season(load: Load, events: int) -> Season:
    """Every third working day from the tenth week on."""
    working = [day for day in range(FIRST_EVENT_DAY, len(load.power_w)) if day % 7 < 5]
    days = tuple(working[::3][:events])
    assert len(days) == events, "the load is too short for so many events"
    return Season(load, days)


def event_of(day: int) -> Event:
    """The event of a day of the load."""
    begin_s = (FIRST_DAY + day) * DAY_S
    return Event(begin_s + EVENT_FROM_H * HOUR_S, begin_s + EVENT_TO_H * HOUR_S)


def baselines(played: Season, rule: Rule, inflation_permille: int) -> list[list[int] | None]:
    """Of each event the baseline of its intervals (mJ), if the load was raised by so much in the
    hours that the rule adjusts by; None where the rule finds too little."""
    return [
        _baseline(played, rule, day, _raised(played.load, rule, day, inflation_permille))
        for day in played.days
    ]


def silent_window(played: Season, rule: Rule) -> list[list[int] | None]:
    """The same if nothing was measured in these hours."""
    return [
        _baseline(played, rule, day, dict.fromkeys(_window(rule, day), None)) for day in played.days
    ]


def extra_wh(played: Season, rule: Rule, inflation_permille: int) -> int:
    """What raising the load costs in energy, all events together."""
    total_mj = 0
    for day in played.days:
        raised = _raised(played.load, rule, day, inflation_permille)
        total_mj += sum(value or 0 for value in raised.values())
        total_mj -= sum(_load_mj(played.load, start_s) for start_s in raised)
    return total_mj // (HOUR_S * _MJ_PER_W_S)


def measured(played: Season, silence_permille: int) -> list[list[int | None]]:
    """Of each event the energy of its intervals (mWh) as the contracts measure it, if readings are
    dropped at random and what can be shed is shed; None for unmeasured."""
    random = Random(f"{played.load.name} {silence_permille}")
    return [_measured(played.load, day, silence_permille, random) for day in played.days]


def _measured(load: Load, day: int, silence_permille: int, random: Random) -> list[int | None]:
    intervals = Intervals(QUARTER_S * 1000)
    begin_s = event_of(day).start_s
    register_mj = 10**12
    first = EVENT_QUARTERS.start
    for quarter in range(first - 1, EVENT_QUARTERS.stop + 1):
        shed_w = load.adjustable_w if quarter in EVENT_QUARTERS else 0
        power_w = load.power_w[day][quarter] - shed_w
        for at_s in range(READ_AT_S, QUARTER_S, PERIOD_S):
            time_s = begin_s + (quarter - first) * QUARTER_S + at_s
            if random.randrange(1000) >= silence_permille:
                shown_wh = (register_mj + power_w * at_s * _MJ_PER_W_S) // (HOUR_S * _MJ_PER_W_S)
                values: dict[str, int | str] = {"ei": shown_wh, "p": 10 * power_w}
                intervals.add(Reading(1, time_s * 1000, "G", values), 0)
        register_mj += power_w * QUARTER_S * _MJ_PER_W_S
    metering = Metering(Ratio(), PERIOD_S * 1000)
    return [
        energy(intervals, (begin_s + number * QUARTER_S) * 1000, metering).energy_mwh
        for number in range(len(EVENT_QUARTERS))
    ]


def _baseline(
    played: Season, rule: Rule, day: int, other_mj: dict[int, int | None]
) -> list[int] | None:
    energies = _history(played, day)
    for start_s, value in other_mj.items():
        if value is None:
            energies.pop(start_s, None)
        else:
            energies[start_s] = value
    earlier = frozenset(FIRST_DAY + other for other in played.days if other < day)
    series = EnergySeries(QUARTER_S, energies)
    try:
        found = baseline(rule, series, event_of(day), LocalDays(), Exclusions(earlier))
    except HistoryError:
        return None
    return [entry.baseline_mj for entry in found.intervals]


def _history(played: Season, day: int) -> dict[int, int]:
    """Two months up to the event, and the evening after it."""
    starts = range((FIRST_DAY + max(0, day - 60)) * DAY_S, (FIRST_DAY + day + 1) * DAY_S, QUARTER_S)
    return {start_s: _load_mj(played.load, start_s) for start_s in starts}


def _load_mj(load: Load, start_s: int) -> int:
    day, second = divmod(start_s, DAY_S)
    return load.power_w[day - FIRST_DAY][second // QUARTER_S] * QUARTER_S * _MJ_PER_W_S


def _raised(load: Load, rule: Rule, day: int, inflation_permille: int) -> dict[int, int | None]:
    factor = 1000 + inflation_permille
    return {start_s: _load_mj(load, start_s) * factor // 1000 for start_s in _window(rule, day)}


def _window(rule: Rule, day: int) -> Iterable[int]:
    """The intervals of the event day that move its baseline."""
    if rule.method is not Method.SAME_DAY and rule.adjustment is AdjustmentKind.NONE:
        return []
    window, event = rule.window, event_of(day)
    before = range(
        event.start_s - window.before_from_min * _MIN_S,
        event.start_s - window.before_to_min * _MIN_S,
        QUARTER_S,
    )
    after = range(
        event.end_s + window.after_from_min * _MIN_S,
        event.end_s + window.after_to_min * _MIN_S,
        QUARTER_S,
    )
    return [*before, *after]
