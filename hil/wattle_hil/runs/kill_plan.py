"""When a replay kills what: random instants from a seed, spread over the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from wattle_hil.errors import ScheduleError

GATEWAY, BROKER, METER = "gateway", "broker", "meter"
TARGETS = (GATEWAY, BROKER, METER)

# A killed part must be back before the next one goes, or the run shows only the last of them.
MIN_SPACING_S = 3.0


@dataclass(frozen=True)
class Kill:
    """at_s: seconds of real time after the begin. meter: index of the meter, for METER only."""

    at_s: float
    target: str
    meter: int | None = None

    def __str__(self) -> str:
        which = f" {self.meter + 1}" if self.meter is not None else ""
        return f"kill -9 of {self.target}{which}"


def plan_kills(
    targets: Sequence[str], each: int, meters: int, from_s: float, until_s: float, seed: int
) -> list[Kill]:
    """`each` kills of each target between two instants, in time order.

    The span is cut into equal parts, each with one kill at a random instant of its first half, so
    that neighbours are at least half a part apart. Raises ScheduleError when they would come too
    fast.
    """
    count = each * len(targets)
    if not count:
        return []
    part_s = (until_s - from_s) / count
    if part_s / 2 < MIN_SPACING_S:
        raise ScheduleError(
            f"{count} kills in {until_s - from_s:.0f} s of real time, expected at most"
            f" {int((until_s - from_s) / (2 * MIN_SPACING_S))}: fewer kills or a lower speed"
        )
    drawn = Random(f"kills {seed}")
    order = [target for target in targets for _ in range(each)]
    drawn.shuffle(order)
    return [
        Kill(
            from_s + (number + drawn.random() / 2) * part_s,
            target,
            drawn.randrange(meters) if target == METER else None,
        )
        for number, target in enumerate(order)
    ]
