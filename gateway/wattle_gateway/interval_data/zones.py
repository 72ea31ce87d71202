"""Time zones by name, to the lists of transitions that contracts take."""

import difflib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from wattle_gateway.contracts.baseline.local_days import DAY_S, Zone
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data.times import fixed_zone, parse_offset_s

# Look-backs reach two years back; the data itself is longer where it matters.
_MARGIN_S = 800 * DAY_S
_YEAR_9999_S = 253_370_764_800
# Where clocks are set twice a year or for Ramadan, four weeks are the shortest time between.
_BETWEEN_CHANGES_MIN_S = 20 * DAY_S


def named_zone(name: str, begin_s: int, end_s: int) -> Zone:
    """The zone of an IANA name (Europe/Berlin), UTC, or an offset (+01:00), complete for any
    event within a span of Unix s and its look-back. Raises UsageError for an unknown name."""
    offset_s = parse_offset_s(name)
    if offset_s is not None:
        return fixed_zone(offset_s)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        close = difflib.get_close_matches(name, sorted(available_timezones()), n=3)
        hint = f" (did you mean {', '.join(close)}?)" if close else ""
        raise UsageError(
            f"time zone {name!r}, expected an IANA name such as Europe/Berlin, or an offset such "
            f"as +01:00{hint}"
        ) from error
    first_s = max(begin_s - _MARGIN_S, 0)
    last_s = min(end_s + _MARGIN_S, _YEAR_9999_S)
    transitions = []
    # No zone changes twice within a day; each change is then found to the second.
    for before_s in range(first_s, last_s, DAY_S):
        after_s = before_s + DAY_S
        if _offset_s(zone, before_s) != _offset_s(zone, after_s):
            at_s = _change_s(zone, before_s, after_s)
            transitions.append((at_s, _offset_s(zone, at_s)))
    return Zone(_offset_s(zone, first_s), tuple(transitions))


def zone_as_written(offsets: list[tuple[int, int]]) -> Zone | None:
    """The zone whose clock wrote the times: (Unix s, offset in s) in rising order.

    None when the offsets change more often than clocks do. Raises nothing.
    """
    changes = [
        (after_s, offset_s)
        for (_, before), (after_s, offset_s) in pairwise(offsets)
        if offset_s != before
    ]
    if any(after[0] - before[0] < _BETWEEN_CHANGES_MIN_S for before, after in pairwise(changes)):
        return None
    return Zone(offsets[0][1] if offsets else 0, tuple(changes))


def _change_s(zone: ZoneInfo, before_s: int, after_s: int) -> int:
    """The first second of the new offset, by halving."""
    old = _offset_s(zone, before_s)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset_s(zone, middle_s) == old:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s


def _offset_s(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
    return (offset or timedelta()) // timedelta(seconds=1)
