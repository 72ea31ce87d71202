"""Events on days of load that can be checked by hand."""

from collections.abc import Iterable
from datetime import date

from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import UTC, LocalDays, Zone, date_of
from wattle_gateway.contracts.baseline.rule import Quota, Rule, Window
from wattle_gateway.contracts.baseline.series import MJ_PER_WH, EnergySeries

from wattle_testkit.load_days import Load, days_of, event, hourly

# Sixty days of load from a Monday; the event is on a Wednesday, at 17 to 20 o'clock.
FIRST = date(2026, 6, 1)
EVENT_DAY = date(2026, 7, 15)
PLAIN = Rule("plain", quota=Quota(4, 4, 1))
BEFORE = Window(before_from_min=180, before_to_min=60)


def judge(
    rule: Rule,
    load: Load | EnergySeries,
    *,
    called: Event | None = None,
    zone: Zone = UTC,
    holidays: Iterable[date] = (),
    past_events: Iterable[date] = (),
    excluded: Iterable[date] = (),
    control: Iterable[EnergySeries] = (),
) -> Baseline:
    """The baseline of an event; dates are of days that are not eligible, and why."""
    series = load if isinstance(load, EnergySeries) else hourly(load, FIRST, 60, zone)
    return baseline(
        rule,
        series,
        called or event(EVENT_DAY, 17, 20, zone),
        LocalDays(zone, days_of(holidays)),
        Exclusions(days_of(past_events), days_of(excluded)),
        tuple(control),
    )


def number(day: int, hour: int) -> int:
    """A thousand a day of the month, one an hour: says where an energy came from."""
    return 1_000 * date_of(day).day + hour


def taken(found: Baseline) -> list[int]:
    """The days of the month."""
    return [date_of(day).day for day in found.days]


def hours_wh(found: Baseline) -> list[int]:
    """Each interval's baseline, cut off to Wh."""
    return [entry.baseline_mj // MJ_PER_WH for entry in found.intervals]
