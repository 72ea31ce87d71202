"""What is done at which level (gateway/RESOURCES.md has the table for people).

No step gives up a sample that was acknowledged: the last one takes in no new ones, which their
meters keep.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_gateway.resources.usage import CPU, DISK, MEMORY

ARCHIVE = "archive"
DROP_CACHES = "drop_caches"
SLOW_SERVING = "slow_serving"
SHED_OBSERVERS = "shed_observers"
SLOW_PACE = "slow_pace"
SMALL_BATCHES = "small_batches"
REFUSE_METERS = "refuse_meters"
REFUSE_SAMPLES = "refuse_samples"


@dataclass(frozen=True)
class Step:
    """A step is taken while one of the resources is at the level given for it, or above."""

    name: str
    levels: Mapping[str, int]

    def due(self, levels: Mapping[str, int]) -> list[str]:
        """The resources that ask for it at these levels."""
        return [name for name, level in self.levels.items() if levels.get(name, 0) >= level]


STEPS = (
    Step(ARCHIVE, {DISK: 1}),
    Step(DROP_CACHES, {MEMORY: 1}),
    Step(SLOW_SERVING, {CPU: 1}),
    Step(SHED_OBSERVERS, {DISK: 2, MEMORY: 2, CPU: 2}),
    Step(SLOW_PACE, {DISK: 3, CPU: 3}),
    Step(SMALL_BATCHES, {MEMORY: 3}),
    Step(REFUSE_METERS, {DISK: 4, MEMORY: 4, CPU: 4}),
    Step(REFUSE_SAMPLES, {DISK: 5, MEMORY: 5}),
)
NAMES = tuple(step.name for step in STEPS)


def active(levels: Mapping[str, int]) -> dict[str, list[str]]:
    """The steps that hold at these levels, each with the resources that ask for it."""
    found = {step.name: step.due(levels) for step in STEPS}
    return {name: due for name, due in found.items() if due}
