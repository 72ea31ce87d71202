"""What a point used in each interval (D7 to D11), from its readings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .readings import Reading

DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_INTERVALS_A_STRETCH = 1_440
_ENERGY_MWH_MAX = 10**15
_NUMBERS_OF_NOBODY = frozenset({"decreasing", "above_rating", "future", "misnamed", "forked"})
_OTHER_COUNTER = ("X", "O")


@dataclass(frozen=True)
class Metering:
    """Primary over shown as a ratio, `orient` 1 or -1; time between readings; step of the register
    as shown; share of the powers expected without which an integral does not count; length of an
    interval; how long after its day a reading still counts, and for how many days it is kept."""

    numerator: int
    denominator: int
    orient: int
    period_ms: int
    resolution_wh: int
    coverage_permille: int
    interval_ms: int
    fine_ms: int
    keep_ms: int

    @classmethod
    def of(cls, metering: dict[str, Any], parameters: dict[str, Any]) -> "Metering":
        """From the event's JSON."""
        numerator, denominator = metering["ratio"]
        return cls(
            numerator,
            denominator,
            metering["orient"],
            metering["period_ms"],
            metering["resolution_wh"],
            parameters["coverage_permille"],
            parameters["interval_s"] * 1_000,
            parameters["fine_ms"],
            parameters["keep_days"] * DAY_MS,
        )

    @property
    def stretch_ms(self) -> int:
        """What is closed at once: a UTC day, or less where it has too many intervals."""
        return min(DAY_MS, _INTERVALS_A_STRETCH * self.interval_ms)

    @property
    def resolution_mwh(self) -> int:
        """The step of the register behind the transformers, 1 mWh at the least."""
        return max(1, abs(self.register_mwh(self.resolution_wh)))

    def register_mwh(self, shown_wh: int) -> int:
        """A register as shown, behind the transformers."""
        return self.orient * toward_zero(shown_wh * 1_000 * self.numerator, self.denominator)

    def power_mwh(self, sum_dw: int, count: int, length_ms: int) -> int:
        """The mean of some powers over a time."""
        above = sum_dw * length_ms * 1_000 * self.numerator
        return self.orient * toward_zero(above, count * 10 * _HOUR_MS * self.denominator)


@dataclass(frozen=True)
class Energy:
    """As in a statement: `how` register, integrated or unmeasured; None where it is unmeasured."""

    how: str
    energy_mwh: int | None
    uncertainty_mwh: int | None
    classes: frozenset[str]


@dataclass
class _Inside:
    """The readings in one interval."""

    powers_dw: list[int] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    marked_ms: list[int] = field(default_factory=list)
    has_registers: bool = False


class Energies:
    """The intervals of one point as a statement that rests on commits up to `commit` saw them."""

    def __init__(
        self, readings: Iterable[Reading], metering: Metering, commit: int, time_ms: int
    ) -> None:
        """`time_ms` of the statement."""
        self._metering = metering
        self._inside: dict[int, _Inside] = {}
        self._near: dict[int, list[Reading]] = {}
        closed = (time_ms - metering.fine_ms) // metering.stretch_ms
        kept = -(-metering.keep_ms // metering.stretch_ms)
        self._oldest_ms = (closed - kept) * metering.stretch_ms
        for reading in readings:
            if reading.commit <= commit and self._counts(reading):
                self._take(reading)

    def energy(self, begin_ms: int) -> Energy:
        """The energy of the interval that begins there."""
        classes = set(self._at(begin_ms).classes)
        if self._is_sparse(begin_ms):
            classes.add("gap")
        how, energy_mwh, uncertainty_mwh = self._found(begin_ms)
        if energy_mwh is not None and abs(energy_mwh) > _ENERGY_MWH_MAX:
            how, energy_mwh, uncertainty_mwh = "unmeasured", None, None
        if uncertainty_mwh is not None:
            uncertainty_mwh = min(uncertainty_mwh, _ENERGY_MWH_MAX)
        if how != "register":
            classes.add(how)
        return Energy(how, energy_mwh, uncertainty_mwh, frozenset(classes))

    def _counts(self, reading: Reading) -> bool:
        """Whether its day was open when it was committed, and is kept still."""
        metering = self._metering
        open_from = (reading.commit_time_ms - metering.fine_ms) // metering.stretch_ms
        first_ms = max(open_from * metering.stretch_ms, self._oldest_ms)
        return reading.time_ms >= first_ms

    def _take(self, reading: Reading) -> None:
        length_ms = self._metering.interval_ms
        begin_ms = reading.time_ms - reading.time_ms % length_ms
        inside = self._inside.setdefault(begin_ms, _Inside())
        inside.classes |= reading.classes
        if reading.classes & _NUMBERS_OF_NOBODY:
            return
        if reading.power_dw is not None:
            inside.powers_dw.append(reading.power_dw)
        if reading.status in _OTHER_COUNTER:
            inside.marked_ms.append(reading.time_ms)
        if reading.has_registers:
            inside.has_registers = True
            for near_ms in (begin_ms, begin_ms + length_ms):
                if 2 * abs(reading.time_ms - near_ms) <= length_ms:
                    self._near.setdefault(near_ms, []).append(reading)

    def _at(self, begin_ms: int) -> _Inside:
        return self._inside.get(begin_ms) or _Inside()

    def _is_sparse(self, begin_ms: int) -> bool:
        metering = self._metering
        count = len(self._at(begin_ms).powers_dw)
        expected = metering.interval_ms // metering.period_ms
        return count == 0 or count * 1_000 < expected * metering.coverage_permille

    def _found(self, begin_ms: int) -> tuple[str, int | None, int | None]:
        metering = self._metering
        span = self._span(begin_ms, begin_ms + metering.interval_ms)
        if span is not None and abs(span[0]) >= 100 * metering.resolution_mwh:
            return "register", span[0], self._off_register(begin_ms, span)
        if self._is_sparse(begin_ms) or self._lacks_boundary(begin_ms):
            return "unmeasured", None, None
        powers_dw = self._at(begin_ms).powers_dw
        swing_dw = max(powers_dw) - min(powers_dw)
        swing_mwh = abs(metering.power_mwh(swing_dw, 1, metering.period_ms))
        swing_mwh += abs(metering.power_mwh(1, 1, metering.interval_ms))
        integral_mwh = self._integral(begin_ms)
        scale = self._scale(begin_ms)
        if scale is None:
            return "integrated", integral_mwh, swing_mwh
        register_mwh, sum_mwh = scale
        sign = 1 if sum_mwh > 0 else -1
        scaled_mwh = toward_zero(integral_mwh * register_mwh * sign, abs(sum_mwh))
        step_mwh = toward_zero(abs(scaled_mwh) * metering.resolution_mwh, abs(register_mwh))
        off_mwh = swing_mwh + abs(scaled_mwh - integral_mwh) + step_mwh
        return "integrated", scaled_mwh, off_mwh

    def _integral(self, begin_ms: int) -> int:
        powers_dw = self._at(begin_ms).powers_dw
        length_ms = self._metering.interval_ms
        return self._metering.power_mwh(sum(powers_dw), len(powers_dw), length_ms)

    def _boundary(self, at_ms: int) -> Reading | None:
        """The reading of registers nearest to a boundary, of two equally near ones the earlier."""

        def rank(one: Reading) -> tuple[int, ...]:
            imported, exported = one.imported_wh, one.exported_wh
            return (
                abs(one.time_ms - at_ms),
                one.time_ms,
                imported is not None,
                imported or 0,
                exported is not None,
                exported or 0,
            )

        return min(self._near.get(at_ms, ()), key=rank, default=None)

    def _lacks_boundary(self, begin_ms: int) -> bool:
        """Whether a point with registers was not read near enough to a boundary (D11)."""
        if not self._at(begin_ms).has_registers:
            return False
        for at_ms in (begin_ms, begin_ms + self._metering.interval_ms):
            nearest = self._boundary(at_ms)
            if nearest is None or abs(nearest.time_ms - at_ms) > self._metering.period_ms:
                return True
        return False

    def _span(self, begin_ms: int, end_ms: int) -> tuple[int, int, int] | None:
        """(energy in mWh, time between the readings, how far both are from the boundaries)."""
        opening, closing = self._boundary(begin_ms), self._boundary(end_ms)
        if opening is None or closing is None or closing.time_ms <= opening.time_ms:
            return None
        off_ms = (abs(opening.time_ms - begin_ms), abs(closing.time_ms - end_ms))
        same = (opening.imported_wh is None) == (closing.imported_wh is None) and (
            opening.exported_wh is None
        ) == (closing.exported_wh is None)
        if max(off_ms) > self._metering.period_ms or not same:
            return None
        if self._has_other_counter(opening.time_ms, closing.time_ms):
            return None
        net_wh = [(one.imported_wh or 0) - (one.exported_wh or 0) for one in (opening, closing)]
        first_mwh, last_mwh = (self._metering.register_mwh(shown_wh) for shown_wh in net_wh)
        return last_mwh - first_mwh, closing.time_ms - opening.time_ms, sum(off_ms)

    def _has_other_counter(self, after_ms: int, to_ms: int) -> bool:
        length_ms = self._metering.interval_ms
        for begin_ms in range(after_ms - after_ms % length_ms, to_ms + 1, length_ms):
            marked_ms = self._at(begin_ms).marked_ms
            # Of an interval the ledger keeps the first and the last.
            ends_ms = (min(marked_ms), max(marked_ms)) if marked_ms else ()
            if any(after_ms < at_ms <= to_ms for at_ms in ends_ms):
                return True
        return False

    def _off_register(self, begin_ms: int, span: tuple[int, int, int]) -> int:
        energy_mwh, between_ms, off_ms = span
        powers_dw = self._at(begin_ms).powers_dw or [0]
        highest_dw = max(abs(min(powers_dw)), abs(max(powers_dw)))
        mean_mwh = toward_zero(abs(energy_mwh) * off_ms, between_ms)
        seen_mwh = abs(self._metering.power_mwh(highest_dw, 1, off_ms))
        return self._metering.resolution_mwh + max(mean_mwh, seen_mwh)

    def _scale(self, begin_ms: int) -> tuple[int, int] | None:
        """(register, sum of integrals) of the shortest period around that the register resolves."""
        metering = self._metering
        outer_ms = begin_ms - begin_ms % metering.stretch_ms
        period_ms = 2 * metering.interval_ms
        while period_ms <= metering.stretch_ms:
            first_ms = outer_ms + (begin_ms - outer_ms) // period_ms * period_ms
            end_ms = first_ms + period_ms
            if end_ms > outer_ms + metering.stretch_ms:
                return None
            span = self._span(first_ms, end_ms)
            if span is not None and abs(span[0]) >= 100 * metering.resolution_mwh:
                begins = range(first_ms, end_ms, metering.interval_ms)
                if any(self._is_sparse(at_ms) for at_ms in begins):
                    return None
                sum_mwh = sum(self._integral(at_ms) for at_ms in begins)
                return (span[0], sum_mwh) if sum_mwh * span[0] > 0 else None
            period_ms *= 2
        return None


def toward_zero(numerator: int, denominator: int) -> int:
    """A quotient rounded toward zero (D2)."""
    quotient = abs(numerator) // denominator
    return -quotient if numerator < 0 else quotient
