"""The energy of an interval, how it was found and how far it can be off (D9 to D11)."""

from collections.abc import Iterable
from dataclasses import dataclass

from wattle_gateway.contracts.measurement.interval import Interval, Intervals, RegisterReading
from wattle_gateway.contracts.measurement.primary import Ratio, divided

REGISTER = "register"
INTEGRATED = "integrated"
UNMEASURED = "unmeasured"

RESOLUTION_PARTS = 100  # a register's step may be a hundredth of what is measured with it
DAY_MS = 86_400_000
_PERMILLE = 1000


@dataclass(frozen=True)
class Metering:
    """How a point is metered: `ratio`; `period_ms` between readings; `resolution_wh` smallest
    step of the registers, as shown; `coverage_permille` share of the expected powers without
    which an integral does not count."""

    ratio: Ratio
    period_ms: int
    resolution_wh: int = 1
    coverage_permille: int = 900

    @property
    def resolution_mwh(self) -> int:
        """The registers' smallest step, primary; the finest is 1 mWh."""
        return max(1, abs(self.ratio.energy_mwh(self.resolution_wh)))


@dataclass(frozen=True)
class Energy:
    """Of an interval: net import in mWh, how far it may be off, and how it was found (one of the
    words above). Both numbers are None when it is unmeasured."""

    how: str
    energy_mwh: int | None = None
    uncertainty_mwh: int | None = None


def energy(
    intervals: Intervals, begin_ms: int, metering: Metering, within_ms: int = DAY_MS
) -> Energy:
    """The energy of the interval that begins at `begin_ms`; as `energies`."""
    (found,) = energies(intervals, [begin_ms], metering, within_ms)
    return found


def energies(
    intervals: Intervals, begins: Iterable[int], metering: Metering, within_ms: int = DAY_MS
) -> list[Energy]:
    """The energies of the intervals that begin there. Enclosing periods lie within multiples of
    `within_ms` in Unix time; what one of them says is found once for all in it."""
    periods: _Periods = {}
    return [_energy(intervals, begin, metering, within_ms, periods) for begin in begins]


_Scale = tuple[int, int]
"""(register difference, sum of integrals), mWh."""
_Periods = dict[tuple[int, int], tuple[bool, _Scale | None]]
"""(beginning, length) -> (does the register resolve it, what it says)."""


def _energy(
    intervals: Intervals, begin_ms: int, metering: Metering, within_ms: int, periods: _Periods
) -> Energy:
    row = intervals.get(begin_ms)
    span = _span(intervals, begin_ms, row.end_ms, metering)
    if span is not None and abs(span.energy_mwh) >= RESOLUTION_PARTS * metering.resolution_mwh:
        return Energy(REGISTER, span.energy_mwh, _register_uncertainty(span, row, metering))
    integral_mwh = _integral(row, metering)
    if integral_mwh is None or _lacks_boundary(intervals, row, metering):
        return Energy(UNMEASURED)
    ratio = metering.ratio
    power_mwh = abs(ratio.mean_energy_mwh(row.high_dw - row.low_dw, 1, metering.period_ms))
    # Powers are whole steps of 0.1 W.
    power_mwh += abs(ratio.mean_energy_mwh(1, 1, row.length_ms))
    enclosing = _enclosing(intervals, begin_ms, metering, within_ms, periods)
    if enclosing is None:
        return Energy(INTEGRATED, integral_mwh, power_mwh)
    register_mwh, sum_mwh = enclosing
    scaled_mwh = divided(integral_mwh * register_mwh * _sign(sum_mwh), abs(sum_mwh))
    share_mwh = divided(abs(scaled_mwh) * metering.resolution_mwh, abs(register_mwh))
    off_mwh = power_mwh + abs(scaled_mwh - integral_mwh) + share_mwh
    return Energy(INTEGRATED, scaled_mwh, off_mwh)


@dataclass(frozen=True)
class _Span:
    """A register difference between two boundaries and how far its readings are from them."""

    energy_mwh: int
    length_ms: int
    off_ms: int


def _span(intervals: Intervals, begin_ms: int, end_ms: int, metering: Metering) -> _Span | None:
    """None without readings within one sampling period of both boundaries, or when the counter
    is another one in between."""
    opening, closing = intervals.opening(begin_ms), intervals.opening(end_ms)
    if opening is None or closing is None:
        return None
    off = (abs(opening.time_ms - begin_ms), abs(closing.time_ms - end_ms))
    if max(off) > metering.period_ms or closing.time_ms <= opening.time_ms:
        return None
    if _restarted(intervals, opening, closing) or opening.net_wh(closing) is None:
        return None
    ratio = metering.ratio
    energy_mwh = _net_mwh(closing, ratio) - _net_mwh(opening, ratio)
    return _Span(energy_mwh, closing.time_ms - opening.time_ms, sum(off))


def _lacks_boundary(intervals: Intervals, row: Interval, metering: Metering) -> bool:
    """Whether a meter that shows registers was not read within one sampling period of a boundary:
    what flowed there nobody knows. One that shows only power has none to be read."""
    if row.first is None:
        return False
    shown = [(at_ms, intervals.opening(at_ms)) for at_ms in (row.begin_ms, row.end_ms)]
    return any(
        found is None or abs(found.time_ms - at_ms) > metering.period_ms for at_ms, found in shown
    )


def _net_mwh(registers: RegisterReading, ratio: Ratio) -> int:
    return ratio.energy_mwh((registers.imported_wh or 0) - (registers.exported_wh or 0))


def _restarted(intervals: Intervals, opening: RegisterReading, closing: RegisterReading) -> bool:
    """Whether a reading after `opening`, up to `closing`, is marked as another counter's."""
    length_ms = intervals.length_ms
    begin_ms = opening.time_ms - opening.time_ms % length_ms
    while begin_ms <= closing.time_ms:
        restarts = intervals.get(begin_ms).restarts or ()
        if any(opening.time_ms < at_ms <= closing.time_ms for at_ms in restarts):
            return True
        begin_ms += length_ms
    return False


def _register_uncertainty(span: _Span, row: Interval, metering: Metering) -> int:
    """One step of the register, and what may have flowed between readings and boundaries: at the
    highest power seen, else at the span's mean."""
    mean_mwh = divided(abs(span.energy_mwh) * span.off_ms, span.length_ms)
    highest_dw = max(abs(row.low_dw), abs(row.high_dw))
    seen_mwh = abs(metering.ratio.mean_energy_mwh(highest_dw, 1, span.off_ms))
    return metering.resolution_mwh + max(mean_mwh, seen_mwh)


def has_gap(row: Interval, metering: Metering) -> bool:
    """Whether an interval has fewer powers than D10 asks."""
    expected = row.length_ms // metering.period_ms
    return row.count == 0 or row.count * _PERMILLE < expected * metering.coverage_permille


def _integral(row: Interval, metering: Metering) -> int | None:
    """Mean power times the interval; None with too few powers."""
    if has_gap(row, metering):
        return None
    return metering.ratio.mean_energy_mwh(row.sum_dw, row.count, row.length_ms)


def _enclosing(
    intervals: Intervals, begin_ms: int, metering: Metering, within_ms: int, periods: _Periods
) -> _Scale | None:
    """Of the shortest period of 2, 4, 8, .. intervals, aligned within multiples of `within_ms`
    (the UTC day), whose register resolves it; None without one."""
    length_ms = intervals.length_ms
    outer_ms = begin_ms - begin_ms % within_ms
    period_ms = 2 * length_ms
    while period_ms <= within_ms:
        first_ms = outer_ms + (begin_ms - outer_ms) // period_ms * period_ms
        if first_ms + period_ms > outer_ms + within_ms:
            return None
        if (first_ms, period_ms) not in periods:
            periods[first_ms, period_ms] = _period(intervals, first_ms, period_ms, metering)
        resolved, found = periods[first_ms, period_ms]
        if resolved:
            return found
        period_ms *= 2
    return None


def _period(
    intervals: Intervals, first_ms: int, period_ms: int, metering: Metering
) -> tuple[bool, _Scale | None]:
    end_ms = first_ms + period_ms
    span = _span(intervals, first_ms, end_ms, metering)
    if span is None or abs(span.energy_mwh) < RESOLUTION_PARTS * metering.resolution_mwh:
        return False, None
    begins = range(first_ms, end_ms, intervals.length_ms)
    return True, _scale(intervals, begins, metering, span.energy_mwh)


def _scale(
    intervals: Intervals, begins: range, metering: Metering, register_mwh: int
) -> _Scale | None:
    """None unless every interval has an integral and they go the way the register went."""
    sum_mwh = 0
    for begin_ms in begins:
        integral_mwh = _integral(intervals.get(begin_ms), metering)
        if integral_mwh is None:
            return None
        sum_mwh += integral_mwh
    return (register_mwh, sum_mwh) if _sign(sum_mwh) == _sign(register_mwh) else None


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
