"""The checks: samples of a meter form one chain, readings of a point follow its curve."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from .curve import EXPORT, IMPORT, Curve
from .errors import BadSampleError
from .export import Exported, row_faults
from .point import Point
from .signed import Signed, open_sample


@dataclass(frozen=True)
class Failure:
    """One broken rule, where, and what was expected and found."""

    rule: str
    meter: str
    expected: str
    found: str
    device: int | None = None
    seq: int | None = None
    time_ms: int | None = None

    def __str__(self) -> str:
        place = self.meter + (f"/{self.device}" if self.device is not None else "")
        place += f" seq {self.seq}" if self.seq is not None else ""
        place += f" at {utc(self.time_ms)}" if self.time_ms is not None else ""
        return f"{self.rule}: {place}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class Taken:
    """One reading of a point, with the sample it stands in."""

    seq: int
    boot: int
    time_ms: int
    values: dict[str, object]

    def counter_wh(self, counter: str) -> int | None:
        """None when it could not be read."""
        value = self.values.get(counter)
        return value if isinstance(value, int) else None


def utc(at_ms: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def open_samples(export: Exported, ledger_id: bytes) -> tuple[list[Signed], list[Failure]]:
    """A meter's samples by rising seq; those that cannot be opened are failures."""
    samples, failures = [], []
    for seq, raw in export.raw.items():
        try:
            sample = open_sample(raw, bytes.fromhex(export.meter), ledger_id)
        except BadSampleError as error:
            failures.append(
                Failure("signature", export.meter, "a signed sample", str(error), seq=seq)
            )
            continue
        samples.append(sample)
        if sample.seq != seq:
            failures.append(
                Failure("row", export.meter, f"seq {sample.seq} as signed", f"{seq}", seq=seq)
            )
        for fault in row_faults(sample, export.rows[seq]):
            failures.append(Failure("row", export.meter, "what was signed", fault, seq=seq))
    return sorted(samples, key=lambda sample: sample.seq), failures


def check_chain(export: Exported, samples: list[Signed]) -> Iterator[Failure]:
    """seq and prev of a meter's samples, which are in seq order."""
    declared = [gap for sample in samples for gap in sample.gaps]
    before: Signed | None = None
    for sample in samples:
        expected = export.first_seq if before is None else before.seq + 1
        if sample.seq < expected:
            yield Failure("chain", export.meter, f"seq {expected}", "it again", seq=sample.seq)
        for first, to in _undeclared(expected, sample.seq - 1, declared):
            yield Failure("chain", export.meter, f"samples {first} to {to}", "none", seq=sample.seq)
        if before is not None and sample.seq == before.seq + 1:
            restarted = sample.prev is None and sample.boot != before.boot
            if sample.prev != before.digest and not restarted:
                found = sample.prev.hex() if sample.prev else "none"
                yield Failure("chain", export.meter, before.digest.hex(), found, seq=sample.seq)
        before = sample


def _undeclared(
    first: int, to: int, declared: list[tuple[int, int, int]]
) -> Iterator[tuple[int, int]]:
    """The parts of first..to that no declared gap covers."""
    at = first
    for gap_first, gap_to, _reason in sorted(declared):
        if gap_to < at or gap_first > to:
            continue
        if gap_first > at:
            yield at, gap_first - 1
        at = max(at, gap_to + 1)
    if at <= to:
        yield at, to


@dataclass
class PointResult:
    """What was found about one point; energies in Wh.

    latest_ms: how long after its slot, at least, the latest reading was taken, by its energy.
    """

    point: Point
    readings: int = 0
    failed_readings: int = 0
    restarts: int = 0
    slots_in_restarts: int = 0
    counted_wh: dict[str, int] = field(default_factory=dict)
    curve_wh: dict[str, Fraction] = field(default_factory=dict)
    curve_enclosed: bool = False
    latest_ms: int = 0
    failures: list[Failure] = field(default_factory=list)


def check_point(point: Point, samples: list[Signed]) -> PointResult:
    """Slots and energy of one point, from its meter's samples in seq order."""
    curve = Curve(point)
    taken = [
        Taken(sample.seq, sample.boot, time_ms, dict(values))
        for sample in samples
        for (device, time_ms), values in sample.readings.items()
        if device == point.device
    ]
    result = PointResult(point, readings=len(taken))
    result.restarts = sum(left.boot != right.boot for left, right in pairwise(taken))
    result.failures += _check_slots(point, taken, result)
    for counter, initial_wh in (
        (IMPORT, point.initial_import_wh),
        (EXPORT, point.initial_export_wh),
    ):
        good = [(one, wh) for one in taken if (wh := one.counter_wh(counter)) is not None]
        result.failed_readings = max(result.failed_readings, len(taken) - len(good))
        result.failures += _check_integral(point, curve, counter, good, result)
        result.failures += _check_readings(point, curve, counter, initial_wh, good)
        late_ms = [_late_ms(point, curve, counter, wh - initial_wh, one) for one, wh in good]
        result.latest_ms = max([result.latest_ms, *late_ms])
    return result


def _check_slots(point: Point, taken: list[Taken], result: PointResult) -> Iterator[Failure]:
    step_ms = point.interval_ms
    first_ms = -(-point.from_ms // step_ms) * step_ms
    last_ms = point.until_ms // step_ms * step_ms
    if not taken:
        yield Failure("slots", point.meter, "readings", "none", device=point.device)
        return
    for reading in taken:
        if reading.time_ms % step_ms:
            yield _at(point, reading, "slots", f"a multiple of {step_ms} ms", "another time")
    if taken[0].time_ms > first_ms:
        yield _at(point, taken[0], "slots", f"readings from {utc(first_ms)} on", "none earlier")
    if taken[-1].time_ms < last_ms:
        yield _at(point, taken[-1], "slots", f"readings until {utc(last_ms)}", "none later")
    for before, after in pairwise(taken):
        missing = (after.time_ms - before.time_ms) // step_ms - 1
        if after.time_ms <= before.time_ms:
            yield _at(point, after, "slots", f"a time after {utc(before.time_ms)}", "an earlier")
        elif missing and after.boot == before.boot:
            yield _at(point, after, "slots", "a reading in each slot", f"{missing} left out before")
        elif missing:
            result.slots_in_restarts += missing


def _check_readings(
    point: Point, curve: Curve, counter: str, initial_wh: int, good: list[tuple[Taken, int]]
) -> Iterator[Failure]:
    for reading, found_wh in good:
        least = initial_wh + curve.energy_wh(counter, reading.time_ms)
        most = initial_wh + curve.energy_wh(counter, reading.time_ms + point.lateness_ms)
        if not least - point.resolution_wh <= found_wh <= most + point.resolution_wh:
            expected = f"{counter} {float(least):.3f} to {float(most):.3f} Wh"
            expected += f" within {point.resolution_wh} Wh"
            yield _at(point, reading, "energy", expected, f"{found_wh} Wh")


def _late_ms(point: Point, curve: Curve, counter: str, energy_wh: int, reading: Taken) -> int:
    """How long after its slot the load had used this energy, in ms up to the allowed lateness."""
    least_ms, most_ms = 0, point.lateness_ms
    while least_ms < most_ms:
        middle_ms = (least_ms + most_ms) // 2
        if curve.energy_wh(counter, reading.time_ms + middle_ms) >= energy_wh:
            most_ms = middle_ms
        else:
            least_ms = middle_ms + 1
    return least_ms


def _check_integral(
    point: Point,
    curve: Curve,
    counter: str,
    good: list[tuple[Taken, int]],
    result: PointResult,
) -> Iterator[Failure]:
    if not good:
        yield Failure("integral", point.meter, f"{counter} readings", "none", device=point.device)
        return
    (first, first_wh), (last, last_wh) = good[0], good[-1]
    result.counted_wh[counter] = last_wh - first_wh
    result.curve_wh[counter] = curve.energy_wh(counter, last.time_ms) - curve.energy_wh(
        counter, first.time_ms
    )
    # Before the start and after the end no power flows, so lateness cannot blur these two.
    early_ms = first.time_ms + point.lateness_ms
    result.curve_enclosed = early_ms <= curve.start_ms and last.time_ms >= curve.end_ms
    if not result.curve_enclosed:
        if point.from_ms + point.lateness_ms <= curve.start_ms and point.until_ms >= curve.end_ms:
            yield _at(point, last, "integral", "readings before and after the curve", "less")
        return
    if abs(result.counted_wh[counter] - result.curve_wh[counter]) >= point.resolution_wh:
        expected = f"{counter} {float(result.curve_wh[counter]):.6f} Wh by the curve"
        yield _at(point, last, "integral", expected, f"{result.counted_wh[counter]} Wh")


def _at(point: Point, reading: Taken, rule: str, expected: str, found: str) -> Failure:
    return Failure(
        rule,
        point.meter,
        expected,
        found,
        device=point.device,
        seq=reading.seq,
        time_ms=reading.time_ms,
    )
