"""A soak from seed to verdict."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from wattle_testkit.soak import machine, plan
from wattle_testkit.soak.delivery_rules import loss_cause
from wattle_testkit.soak.evidence import Evidence
from wattle_testkit.soak.judge import judge
from wattle_testkit.soak.machine import Machine
from wattle_testkit.soak.pipe import MeterEndedError
from wattle_testkit.soak.plan import Plan
from wattle_testkit.soak.world import Soak

CHEAP, REAL = "cheap", "real"
NO_MUTANT = "none"
# Files are written and read all the time: where there is a folder in memory, they go there.
_MEMORY = Path("/dev/shm")
_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Options:
    """`signatures`: cheap (a hash that takes as long as a board's) or real."""

    seed: int
    minutes: float
    signatures: str = CHEAP
    mutant: str = NO_MUTANT


@dataclass(frozen=True)
class Outcome:
    """`findings`: rule to what broke it, empty if nothing did."""

    options: Options
    evidence: Evidence
    findings: dict[str, list[str]]

    def line(self) -> str:
        """One line for people."""
        record, found = self.evidence.record, self.evidence
        lost: dict[str, int] = {}
        for one in found.lost:
            if one.sample.seq in found.declared:
                cause = loss_cause(found, one) or "nothing"
                lost[cause] = lost.get(cause, 0) + 1
        no_room = sum("no room to" in text for _, _, text in record.log)
        readings = [reading for one in found.signed for reading in one.sample.readings]
        good = sum(reading.status == "G" for reading in readings)
        told = ", ".join(f"{count} by {cause}" for cause, count in sorted(lost.items()))
        return (
            f"soak: seed {self.options.seed}, {self.options.minutes / 60:g} h, "
            f"{len(self.findings)} rules broken, {len(record.faults)} faults, "
            f"{len(record.lives)} starts, {len(found.signed)} samples signed, "
            f"{len(found.delivered)} delivered in {len(record.delivered)} arrivals, "
            f"{sum(lost.values())} lost and declared ({told or 'none'}), "
            f"{good} of {len(readings)} readings good, {no_room} times no room in the heap, "
            f"{self._heap()}"
        )

    def _heap(self) -> str:
        record = self.evidence.record
        extra, end_ms = record.heap_extra_bytes, record.lives[-1].end_ms
        if not record.statuses:
            return "no heap was told"
        hour_ms = min(_HOUR_MS, end_ms)
        first = [one.counters["heap_used"] for one in record.statuses if one.at_ms <= hour_ms]
        last = [
            one.counters["heap_used"] for one in record.statuses if one.at_ms >= end_ms - hour_ms
        ]
        most = max(one.counters["heap_used"] for one in record.statuses)
        return (
            f"heap in use {min(first) - extra} B in the first hour, {min(last) - extra} B in the "
            f"last, at most {most - extra} B of {machine.BOARD_HEAP_BYTES}"
        )


def soak(options: Options) -> Outcome:
    """Runs a soak and judges it. Raises PartMissingError."""
    parent = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="wattle-soak-", dir=parent) as name:
        folder = Path(name)
        drawn = plan.of_seed(options.seed, round(options.minutes * 60_000))
        return follow(drawn, options, machine.build(folder), folder / "flash")


def follow(drawn: Plan, options: Options, built: Machine, flash: Path) -> Outcome:
    """Runs `drawn` on a machine whose flash is the new folder `flash`, and judges it."""
    world = Soak(drawn, options.seed, built.command, flash, options.signatures, options.mutant)
    world.record.heap_extra_bytes = built.extra_bytes
    world.record.signatures = options.signatures
    ended = ""
    try:
        world.run()
    except MeterEndedError as error:
        ended = str(error)
    evidence = Evidence(world.record)
    return Outcome(options, evidence, {"the_program_runs": [ended]} if ended else judge(evidence))
