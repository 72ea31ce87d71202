"""The times of a CSV file's rows as moments, and the zone that they were written in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.baseline.local_days import DAY_S, Zone
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times, zones
from wattle_gateway.interval_data.times import WrittenTime

# A century: more is a misread column, and zones are computed day by day.
MAX_SPAN_S = 36_525 * DAY_S

# Makes the error of one row from its index and what is wrong with its time.
Fault = Callable[[int, object], UsageError]


@dataclass(frozen=True, slots=True)
class RowTimes:
    """Unix s of all rows in their order. is_zone_known: False when nobody named a zone, so that
    local times were taken as UTC."""

    at_s: list[int]
    zone: Zone
    is_zone_known: bool


def read_times(
    texts: Sequence[str],
    time_format: str | None,
    timezone: str | None,
    ends: bool,
    fault: Fault,
) -> RowTimes:
    """The moments of all rows; `ends`: they name the ends of intervals.

    timezone: in which local times are read and days counted; None: the offsets in the texts
    say it. Raises what `fault` makes of the first row that has no certain time.
    """
    written = [_parsed(at, text, time_format, fault) for at, text in enumerate(texts)]
    named = [time.offset_s is not None for time in written]
    if any(named) and not all(named):
        problem = "times with a zone and times without one, expected all with or all without"
        raise fault(named.index(not named[0]), problem)
    walls = [time.wall_s for time in written]
    if max(walls) - min(walls) > MAX_SPAN_S:
        last = walls.index(max(walls))
        raise fault(last, f"{texts[last]!r} is more than a century after another row")
    if timezone is not None:
        zone = zones.named_zone(timezone, min(walls), max(walls))
        return RowTimes(_moments(texts, written, zone, ends, fault), zone, True)
    if not named[0]:
        return RowTimes(walls, Zone(), False)
    offsets = [time.offset_s or 0 for time in written]
    at_s = [time.wall_s - offset_s for time, offset_s in zip(written, offsets, strict=True)]
    as_written = zones.zone_as_written(sorted(zip(at_s, offsets, strict=True)))
    if as_written is None:
        changed = next(at for at, offset_s in enumerate(offsets) if offset_s != offsets[0])
        raise fault(
            changed,
            "the offsets from UTC change more often than a clock does: say with --timezone in "
            "which zone days are counted",
        )
    return RowTimes(at_s, as_written, True)


def _parsed(at: int, text: str, time_format: str | None, fault: Fault) -> WrittenTime:
    try:
        return times.parse(text, time_format)
    except UsageError as error:
        hint = "" if time_format else ", or --time-format to read it otherwise"
        raise fault(at, f"{error}{hint}") from error


def _moments(
    texts: Sequence[str], written: Sequence[WrittenTime], zone: Zone, ends: bool, fault: Fault
) -> list[int]:
    """Where the clock shows an hour twice, a file that has each of its times twice is read in
    the order of its rows; a time that is there once could be either, and is refused."""
    falling = written[0].wall_s > written[-1].wall_s
    found = [0] * len(written)
    shown: dict[int, list[int]] = {}
    for at in range(len(written) - 1, -1, -1) if falling else range(len(written)):
        time = written[at]
        both = () if time.offset_s is not None else _local_moments(time.wall_s, zone, ends)
        if len(both) > 1:
            places = shown.setdefault(time.wall_s, [])
            places.append(at)
            found[at] = both[min(len(places), 2) - 1]
        elif both:
            found[at] = both[0]
        else:
            found[at] = _certain(at, texts[at], time, zone, fault)
    for wall_s, places in shown.items():
        if len(places) == 1:
            either = " or ".join(
                times.shown_local(at_s, zone) for at_s in _local_moments(wall_s, zone, ends)
            )
            raise fault(
                places[0],
                f"{texts[places[0]]!r} happened twice, because the clock was set back, and the "
                f"file has it once: is it {either}? Write the offset, or leave the row out",
            )
    return found


def _local_moments(wall_s: int, zone: Zone, ends: bool) -> tuple[int, ...]:
    moments = zone.moments(*divmod(wall_s, DAY_S))
    if moments or not ends:
        return moments
    # The interval before the clock is set forward ends at a time that it skips: 02:00 for 03:00.
    just_before = zone.moments(*divmod(wall_s - 1, DAY_S))
    return tuple(at_s + 1 for at_s in just_before)


def _certain(at: int, text: str, time: WrittenTime, zone: Zone, fault: Fault) -> int:
    try:
        return times.moment_s(time, zone, text)
    except UsageError as error:
        raise fault(at, error) from error
