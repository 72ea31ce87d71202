"""Rules on values and times: every slot once, every value of its own read and no other."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from wattle_testkit.soak.evidence import Evidence, Signed, any_between
from wattle_testkit.soak.line import QUANTITIES
from wattle_testkit.soak.plan import LINE
from wattle_testkit.soak.sample_view import ReadingView

INTERVAL_MS = 1_000
# A read begins within half an interval of its slot (SPEC section 5); within the round each one has
# its place: four reads of four stretches of the second, in this order (read_plan).
PLACES_MS = {0x46: 0, 0x00: 254, 0x34: 508, 0x3C: 753}
LATENESS_MS = INTERVAL_MS // 2
# Which of those reads brings a quantity.
_READ_OF = {"f": 0x46, "ei": 0x46, "ee": 0x46, "u1": 0, "u2": 0, "u3": 0, "p": 0x34, "q": 0x3C}
_RESIDUES = 900  # every value tells apart this many reads, which take four minutes
_READS_BACK = 240  # of one place in the round: as many seconds
_LINE = frozenset(kind.name for kind in LINE)
# A unit that stayed silent, or was asked by another master, is left alone for a second.
_AFTERMATH_MS = 4_000
# A gateway's answer is under way for less; the real-time clock is looked at once a minute.
_ANSWER_MS, _RTC_MS = 2_000, 62_000
# A real-time clock that lies before the newest stored time is believed once it has passed that.
_INFORMED = ("U", "I")
_SETTLED_MS = 15_000  # readings wait up to 10 s for each other without a link
SYNCHRONISED_MS = 3_600_000
# When nothing goes wrong any more: a minute of back-off, a wrong gateway left, a question asked.
RECONNECTED_MS = 150_000


def values_are_of_their_read(found: Evidence) -> Iterator[str]:
    """Every value was read for the slot whose time it bears, and once only.

    How far the meter's clock is from simulated time is not known, but it stays as it is until a
    gateway or the real-time clock sets it: so does the distance of a read from the slot it is for.
    """
    low_ms = high_ms = 0
    life, last_ms, state = -1, 0, ""
    for one, reading, distances in _good_readings(found):
        if isinstance(distances, str):
            yield distances
            continue
        first, last, asked_ms = min(distances), max(distances), max(distances) + reading.time_ms
        may_change = one.life != life or _clock_may_change(found, last_ms, asked_ms)
        may_change = may_change or (state, one.sample.clock) == _INFORMED
        spread_ms = max(high_ms, last) - min(low_ms, first)
        if spread_ms > LATENESS_MS:
            if not may_change or last - first > LATENESS_MS:
                yield (
                    f"seq {one.sample.seq}: the reading of {reading.time_ms} was read "
                    f"{spread_ms} ms away from where others of its clock are"
                )
            low_ms, high_ms = first, last
        elif one.life != life:
            low_ms, high_ms = first, last
        else:
            low_ms, high_ms = min(low_ms, first), max(high_ms, last)
        life, last_ms, state = one.life, asked_ms, one.sample.clock


def _good_readings(
    found: Evidence,
) -> Iterator[tuple[Signed, ReadingView, list[int] | str]]:
    """(sample, reading, distance in ms of each of its reads from its slot, or what is wrong)."""
    asked: dict[int, list[int]] = {address: [] for address in PLACES_MS}
    numbers: dict[int, list[int]] = {address: [] for address in PLACES_MS}
    for number, read in enumerate(found.record.reads):
        asked[read.address].append(read.asked_ms)
        numbers[read.address].append(number)
    used: dict[str, int] = {}
    for one in found.kept:
        for reading in one.sample.readings:
            distances: list[int] = []
            for name, value in reading.values.items():
                if isinstance(value, str):
                    continue
                address = _READ_OF[name]
                newest = bisect_right(asked[address], one.at_ms)
                recent = numbers[address][max(0, newest - _READS_BACK) : newest]
                origin = _read_of(name, value, recent)
                if origin is None or origin <= used.get(name, -1):
                    why = "is of no read" if origin is None else "was used before"
                    text = f"seq {one.sample.seq}: {name} = {value} of {reading.time_ms} {why}"
                    yield one, reading, text
                    continue
                used[name] = origin
                asked_ms = found.record.reads[origin].asked_ms
                distances.append(asked_ms - PLACES_MS[address] - reading.time_ms)
            if distances:
                yield one, reading, distances


def _read_of(name: str, value: int, numbers: list[int]) -> int | None:
    """The newest of reads `numbers` that gives `value`."""
    mantissa = QUANTITIES[name][1]
    for number in reversed(numbers):
        if numbers[-1] - number > _RESIDUES:
            return None
        if mantissa(number) == value:
            return number
    return None


def _clock_may_change(found: Evidence, since_ms: int, until_ms: int) -> bool:
    return any(
        since_ms - (_RTC_MS if unix_ms is None else _ANSWER_MS) <= told_ms <= until_ms
        for told_ms, unix_ms in _told_near(found, since_ms - _RTC_MS, until_ms)
    )


def _told_near(found: Evidence, first_ms: int, last_ms: int) -> list[tuple[int, int | None]]:
    told = found.record.clock_told
    begin = bisect_right(told, first_ms, key=lambda row: row[0])
    return told[begin : bisect_right(told, last_ms, key=lambda row: row[0])]


def grid_is_kept(found: Evidence) -> Iterator[str]:
    """Whole seconds, one after the other, in each life until the clock is set."""
    before: tuple[Signed, ReadingView] | None = None
    for one in found.kept:
        for reading in one.sample.readings:
            if reading.time_ms % INTERVAL_MS:
                yield f"seq {one.sample.seq}: a reading of {reading.time_ms}"
            if before is not None and before[0].life == one.life:
                step_ms = reading.time_ms - before[1].time_ms
                since_ms = before[0].at_ms - _SETTLED_MS
                informed = (before[0].sample.clock, one.sample.clock) == _INFORMED
                if step_ms != INTERVAL_MS and not (
                    informed or _clock_may_change(found, since_ms, one.at_ms)
                ):
                    yield f"seq {one.sample.seq}: {step_ms} ms from reading to reading"
                if one is before[0] and step_ms <= 0:
                    yield f"seq {one.sample.seq}: readings out of order"
            before = one, reading


def no_reading_is_left_out(found: Evidence) -> Iterator[str]:
    """Readings come from the first seconds of a life to its last, unless no seq could be had."""
    times: dict[int, list[int]] = {}
    for one in found.kept:
        times.setdefault(one.life, []).append(one.at_ms)
    for number, life in enumerate(found.record.lives):
        moments = [life.begin_ms, *times.get(number, []), life.end_ms]
        for begin_ms, end_ms in pairwise(moments):
            if end_ms - begin_ms > _SETTLED_MS and not found.fault_near(
                frozenset({"store_fails"}), end_ms, end_ms - begin_ms, 0
            ):
                yield f"life {number}: nothing was signed from {begin_ms} to {end_ms}"


def failures_have_a_cause(found: Evidence) -> Iterator[str]:
    """A quantity fails only when something is wrong with the line; an unread slot has a cause."""
    wanted = set(QUANTITIES)
    for one in found.kept:
        span_ms = INTERVAL_MS * len(one.sample.readings) + _SETTLED_MS
        for reading in one.sample.readings:
            unread = not reading.values
            failed = {name for name, value in reading.values.items() if isinstance(value, str)}
            if not unread and set(reading.values) != wanted:
                yield f"seq {one.sample.seq}: only {sorted(reading.values)}"
            if (reading.status == "G") != (not unread and not failed):
                yield f"seq {one.sample.seq}: status {reading.status} with {sorted(failed)} failed"
            if failed and not found.fault_near(_LINE, one.at_ms, span_ms + _AFTERMATH_MS, 0):
                yield f"seq {one.sample.seq}: {sorted(failed)} failed on a sound line"
            if unread and not (
                _clock_may_change(found, one.at_ms - span_ms, one.at_ms)
                or any_between(found.record.refused_writes, one.at_ms - 5 * span_ms, one.at_ms)
            ):
                yield f"seq {one.sample.seq}: {reading.time_ms} passed unread"


def clock_states_are_honest(found: Evidence) -> Iterator[str]:
    """U and I until a gateway has answered in this life, S for an hour after it, then R."""
    for one in found.kept:
        begun_ms = found.record.lives[one.life].begin_ms
        told = _told_near(found, begun_ms, one.at_ms)
        answers = [(told_ms, unix_ms) for told_ms, unix_ms in told if unix_ms is not None]
        recent = [row for row in answers if row[0] >= one.at_ms - SYNCHRONISED_MS - _SETTLED_MS]
        informed = found.record.lives[one.life].rtc or len(answers) < len(told)
        state = one.sample.clock
        if state == "S" and not any(_fits(one, *row) for row in recent):
            yield f"seq {one.sample.seq}: synchronised, but to no answer of the last hour"
        if state == "R" and not any(row[0] < one.at_ms - SYNCHRONISED_MS for row in answers):
            yield f"seq {one.sample.seq}: clock state R without an answer an hour ago"
        if state == "I" and not informed:
            yield f"seq {one.sample.seq}: clock state I without a source"
        if one.at_ms > found.record.quiet_ms + RECONNECTED_MS and state != "S":
            yield f"seq {one.sample.seq}: clock state {state} although gateways answer"


def _fits(one: Signed, told_ms: int, unix_ms: int) -> bool:
    """Whether the readings' times are those of a clock that this answer set.

    They were read within 15 s before the sample was signed; half of an answer's way is unsure.
    """
    newest_ms = unix_ms + one.at_ms - told_ms
    age_ms = newest_ms - one.sample.readings[-1].time_ms
    return -_ANSWER_MS <= age_ms <= _SETTLED_MS + _ANSWER_MS


def seen_was_shown(found: Evidence) -> Iterator[str]:
    """`seen` names a commit that the meter had been shown, and never goes back in a life."""
    life, newest = -1, 0
    for one in found.kept:
        if one.life != life:
            life, newest = one.life, 0
        if one.sample.seen is None:
            if newest:
                yield f"seq {one.sample.seq}: no longer says what it has seen"
            continue
        index, half = one.sample.seen
        shown = found.record.shown.get(index)
        if shown is None or shown[0] > one.at_ms or shown[1] != half:
            yield f"seq {one.sample.seq}: has seen commit {index}, which it was not shown"
        if index < newest:
            yield f"seq {one.sample.seq}: has seen commit {index} after {newest}"
        newest = index
