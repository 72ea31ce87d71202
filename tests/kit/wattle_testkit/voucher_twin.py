"""A voucher's energies computed another way: from the rows of `samples`, by one running total.

Every usable reading has the energy that was counted up to it; what lies between two counters
counts nothing. The energy of a stretch is the difference of that total at its two ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any

_IMPLAUSIBLE = {"decreasing", "above_rating", "future", "misnamed", "forked"}


class RunningTotal:
    """Of one register (a column such as `ei_wh`) of one point, in mWh behind its transformers."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        device: int,
        column: str,
        ratio: Fraction = Fraction(1),
    ) -> None:
        read: dict[int, tuple[int, bool]] = {}
        for row in sorted(rows, key=lambda row: int(row["ledger_index"])):
            usable = int(row["device"]) == device and row["clock"] != "U"
            usable = usable and not _IMPLAUSIBLE & set(str(row["classes"]).split())
            if (
                usable
                and _is_number(row["ei_wh"])
                and row["ee_wh"].isdigit() | (row["ee_wh"] == "")
            ):
                primary_mwh = floor(int(row[column]) * 1000 * ratio)
                read.setdefault(int(row["time_ms"]), (primary_mwh, row["st"] in ("X", "O")))
        self.times = sorted(read)
        self.counter: list[int] = []
        self.total: list[int] = []
        for at, time_ms in enumerate(self.times):
            shown, begins = read[time_ms]
            if at == 0:
                self.counter, self.total, before = [0], [0], shown
                continue
            self.counter.append(self.counter[-1] + begins)
            self.total.append(self.total[-1] + (0 if begins else shown - before))
            before = shown

    def at(self, time_ms: int, period_ms: int) -> int:
        """The total at a moment."""
        after = bisect_left(self.times, time_ms)
        before = bisect_right(self.times, time_ms) - 1
        if before < 0 or after == len(self.times):
            return self.total[min(after, len(self.times) - 1)]
        low_ms, high_ms = self.times[before], self.times[after]
        nearest = before if time_ms - low_ms <= high_ms - time_ms else after
        near = abs(self.times[nearest] - time_ms) <= period_ms
        if near or self.counter[before] != self.counter[after]:
            return self.total[nearest]
        grown = self.total[after] - self.total[before]
        return self.total[before] + floor(Fraction(grown * (time_ms - low_ms), high_ms - low_ms))


def _is_number(cell: object) -> bool:
    return isinstance(cell, str) and cell.isdigit()
