"""Local days by the ledger's own zone and holidays."""

from dataclasses import dataclass
from typing import Any

DAY_S = 86_400
_MONDAY_OF_DAY_ZERO = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Calendar:
    """`transitions` = (Unix s, offset from then on), rising; `holidays` in days since 1970."""

    first_offset_s: int
    transitions: tuple[tuple[int, int], ...]
    holidays: frozenset[int]

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> "Calendar":
        """From the event's parameters."""
        first_offset_s, transitions = parameters["zone"]
        pairs = tuple((at_s, offset_s) for at_s, offset_s in transitions)
        return cls(first_offset_s, pairs, frozenset(parameters["holidays"]))

    def offset_s(self, at_s: int) -> int:
        """The offset from UTC at a moment."""
        found = self.first_offset_s
        for from_s, offset_s in self.transitions:
            if from_s <= at_s:
                found = offset_s
        return found

    def wall(self, at_s: int) -> tuple[int, int]:
        """(day, second) on the wall."""
        return divmod(at_s + self.offset_s(at_s), DAY_S)

    def moment(self, day: int, second: int) -> int | None:
        """The first moment at which the wall shows this, None if it never does."""
        shown_s = day * DAY_S + second
        offsets = {self.first_offset_s, *(offset_s for _, offset_s in self.transitions)}
        found = [shown_s - offset for offset in offsets]
        return min((at for at in found if at + self.offset_s(at) == shown_s), default=None)

    def day_start(self, day: int) -> int:
        """Where a day begins, also one whose midnight the clock skips."""
        at_s = self.moment(day, 0)
        if at_s is not None:
            return at_s
        return next(from_s for from_s, _ in self.transitions if self.wall(from_s)[0] == day)

    def kind(self, day: int, day_types: str) -> str:
        """What like days have in common."""
        if day_types == "all":
            return "any"
        weekday = (day + _MONDAY_OF_DAY_ZERO) % 7
        if weekday < 5 and day not in self.holidays:
            return "business"
        if day_types == "business":
            return "other"
        return "saturday" if weekday == 5 and day not in self.holidays else "sunday"
