"""Loads of three kinds of customers by the quarter hour, made from a seed.

No measured curve: shapes as everybody knows them (business hours, shifts with a batch machine, the
evening of many homes), with noise of days and of quarters that differs from kind to kind.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from wattle_gateway.contracts.baseline.local_days import DAY_S

QUARTER_S = 900
QUARTERS = DAY_S // QUARTER_S
# 2026-01-05, a Monday: the first day of every load.
FIRST_DAY = 20_458


@dataclass(frozen=True)
class Load:
    """`power_w[day][quarter]` drawn when nobody calls; of it `adjustable_w` can be shed on
    any working evening."""

    name: str
    power_w: tuple[tuple[int, ...], ...]
    adjustable_w: int


@dataclass(frozen=True)
class _Kind:
    """Mean power (W) at an hour of a working day and of a day off; noise of a day, and of a quarter
    with its memory, as parts of one."""

    name: str
    work: Callable[[float], float]
    off: Callable[[float], float]
    day_noise: float
    quarter_noise: float
    memory: float


def _bump(hour: float, middle: float, width: float) -> float:
    return math.exp(-(((hour - middle) / width) ** 2))


KINDS = (
    _Kind(
        "office",
        lambda hour: 12_000 + 30_000 / (1 + math.exp(-2 * (hour - 7))) / (1 + math.exp(hour - 19)),
        lambda hour: 12_000 + 2_000 * _bump(hour, 13, 4),
        day_noise=0.04,
        quarter_noise=0.02,
        memory=0.7,
    ),
    _Kind(
        "workshop",
        lambda hour: 6_000 + (24_000 if 6 <= hour < 22 else 0),
        lambda hour: 6_000,
        day_noise=0.06,
        quarter_noise=0.10,
        memory=0.8,
    ),
    _Kind(
        "homes",
        lambda hour: 9_000 + 8_000 * _bump(hour, 7.5, 1.5) + 20_000 * _bump(hour, 19.5, 3),
        lambda hour: 11_000 + 10_000 * _bump(hour, 11, 4) + 18_000 * _bump(hour, 19.5, 3),
        day_noise=0.10,
        quarter_noise=0.06,
        memory=0.5,
    ),
)


def made(kind: _Kind, days: int, seed: int) -> Load:
    """A load of this kind; of its mean power on working evenings a fifth can be shed."""
    random = Random(f"{kind.name} {seed}")
    rows = []
    for day in range(days):
        shape = kind.work if day % 7 < 5 else kind.off
        level = 1 + kind.day_noise * random.gauss(0, 1)
        swing = 0.0
        row = []
        for quarter in range(QUARTERS):
            fresh = math.sqrt(1 - kind.memory**2) * random.gauss(0, kind.quarter_noise)
            swing = kind.memory * swing + fresh
            row.append(round(shape(quarter / 4) * level * (1 + swing)))
        rows.append(tuple(row))
    evenings = [row[68:80] for day, row in enumerate(rows) if day % 7 < 5]
    adjustable_w = sum(map(sum, evenings)) // (len(evenings) * 12 * 5)
    assert min(map(min, evenings)) > adjustable_w, "what can be shed has to be drawn"
    return Load(kind.name, tuple(rows), adjustable_w)
