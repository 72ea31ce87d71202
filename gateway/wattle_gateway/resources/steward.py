"""Remembers levels and steps from look to look: what begins, what ends, what holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.resources import levels, steps
from wattle_gateway.resources.growth import Forecast
from wattle_gateway.resources.usage import CPU, DISK, MEMORY, Usage


@dataclass(frozen=True)
class Change:
    """A look: `levels` by resource; `active` steps with the resources that ask for each; those that
    `began` and `ended` with this look; resources whose level `rose` or `fell`."""

    levels: Mapping[str, int]
    active: Mapping[str, list[str]]
    began: tuple[str, ...]
    ended: tuple[str, ...]
    rose: tuple[str, ...]
    fell: tuple[str, ...]


class Steward:
    """One for a running gateway; no I/O."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self.active: dict[str, list[str]] = {}
        self.taken = dict.fromkeys(steps.NAMES, 0)

    def look(self, usage: Usage) -> Change:
        """What this look changes."""
        before, self.levels = self.levels, levels.follow(self.levels, usage)
        held, self.active = self.active, steps.active(self.levels)
        began = tuple(name for name in self.active if name not in held)
        for name in began:
            self.taken[name] += 1
        return Change(
            self.levels,
            self.active,
            began,
            tuple(name for name in held if name not in self.active),
            tuple(name for name, level in self.levels.items() if level > before.get(name, 0)),
            tuple(name for name, level in self.levels.items() if level < before.get(name, 0)),
        )


def as_row(usage: Usage, forecast: Forecast, steward: Steward, archive: str) -> dict[str, Any]:
    """What `status` and the metrics show: a row for each resource, the steps that hold, how often
    each began, and what the archive said last ("" before it was asked)."""
    return {
        DISK: {
            **asdict(usage.disk),
            "capacity": usage.disk.capacity,
            "level": steward.levels.get(DISK, 0),
            **asdict(forecast),
        },
        MEMORY: {**asdict(usage.memory), "level": steward.levels.get(MEMORY, 0)},
        CPU: None
        if usage.cpu is None
        else {**asdict(usage.cpu), "level": steward.levels.get(CPU, 0)},
        "steps": {name: list(due) for name, due in steward.active.items()},
        "taken": dict(steward.taken),
        "archive": archive,
    }
