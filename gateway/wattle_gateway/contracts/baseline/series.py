"""Interval energies of one point: all that a baseline is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from wattle_gateway.contracts.baseline.errors import EventError

# Energies are in millijoule: power in whole mW over whole seconds is exact in it, and a register
# in Wh too (1 Wh = 3,600,000 mJ). int64 holds 2.5 TWh of it.
MJ_PER_WH = 3_600_000
HOUR_S = 3_600


@dataclass(frozen=True)
class EnergySeries:
    """Energy per interval, positive = drawn from the grid.

    interval_s: length of every interval, a divisor of an hour. energies_mj: Unix s of an
    interval's start -> energy in mJ; all starts on one grid; what is not there was not measured
    (which is not zero). substituted: starts of intervals whose energy was estimated; they count
    as measured in an event, but never make a baseline.
    Raises EventError for intervals that do not fit an hour or do not lie on one grid.
    """

    interval_s: int
    energies_mj: Mapping[int, int]
    substituted: frozenset[int] = field(default=frozenset())

    def __post_init__(self) -> None:
        if not 0 < self.interval_s <= HOUR_S or HOUR_S % self.interval_s:
            raise EventError(
                f"intervals of {self.interval_s} s, expected a length that divides an hour"
            )
        phase_s = self.phase_s
        for start_s in self.energies_mj:
            if start_s % self.interval_s != phase_s:
                raise EventError(
                    f"an interval begins at {start_s}, expected a grid of {self.interval_s} s"
                )

    @cached_property
    def phase_s(self) -> int:
        """Where the grid begins after each whole multiple of the interval."""
        return next(iter(self.energies_mj), 0) % self.interval_s

    def starts(self, begin_s: int, end_s: int) -> range:
        """The starts of the intervals that lie within a span, measured or not."""
        first = begin_s + (self.phase_s - begin_s) % self.interval_s
        return range(first, end_s - self.interval_s + 1, self.interval_s)

    def usable(self, start_s: int) -> int | None:
        """The energy of an interval as measured; None if it was not, or was estimated."""
        return None if start_s in self.substituted else self.energies_mj.get(start_s)


def wh(energy_mj: int) -> int:
    """Whole Wh of an energy in mJ, halves to the even one."""
    return rounded(energy_mj, MJ_PER_WH)


def rounded(numerator: int, denominator: int) -> int:
    """A quotient as integer, halves to the even one; the denominator is above zero."""
    quotient, rest = divmod(numerator, denominator)
    more = 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1)
    return quotient + more
