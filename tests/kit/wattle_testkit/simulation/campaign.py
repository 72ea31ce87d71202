"""Many seeds: each alone, one after the other or on several processors, and what they came to."""

import logging
import os
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wattle_testkit.simulation import purity
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.mutants import planted
from wattle_testkit.simulation.options import Options, draw, trading
from wattle_testkit.simulation.trace import Trace
from wattle_testkit.simulation.world import Tally, World

# Memory that looks like a disk, where there is one: SQLite then waits for nothing.
_MEMORY_DISK = Path("/dev/shm")


@dataclass(frozen=True)
class Failure:
    """`rule` that was broken, or the name of the exception; `text` what it says; `lines` the last
    events before it."""

    rule: str
    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class SeedResult:
    """What became of one seed: `tally` if it passed, `failure` if not."""

    seed: int
    size: int
    fingerprint: int
    tally: Tally | None
    failure: Failure | None


@contextmanager
def opened(options: Options, trace: Trace | None = None) -> Iterator[World]:
    """A world on a disk in memory, over remembered pure functions."""
    with _disk_folder() as folder, purity.remembered() as memory:
        world = World(options, folder, trace or Trace())
        memory.on_executed = world.watch.executed
        try:
            yield world
        finally:
            world.close()


def run_options(
    options: Options, *, mutant: str | None = None, fingerprint: bool = False
) -> SeedResult:
    """Run one world to its end."""
    trace = Trace(fingerprint=fingerprint)
    tally, failure = None, None
    try:
        fault = nullcontext() if mutant is None else planted(mutant)
        with _quiet(), opened(options, trace) as world, fault:
            tally = world.run()
    except ViolationError as error:
        failure = Failure(error.rule, str(error), tuple(trace.lines()))
    except Exception as error:  # whatever it is, it is the finding
        where = "".join(traceback.format_exception(error)[-4:])
        failure = Failure(type(error).__name__, where, tuple(trace.lines()))
    return SeedResult(options.seed, options.size, trace.fingerprint, tally, failure)


def run_seed(
    seed: int, size: int | None = None, mutant: str | None = None, *, events: bool = False
) -> SeedResult:
    """Draw the options of a seed and run them, with events if the seed has some or is to."""
    options = draw(seed, size)
    return run_options(
        trading(options) if events and not options.events else options, mutant=mutant
    )


def run_seeds(
    seeds: Sequence[int],
    sizes: Sequence[int] = (),
    *,
    mutant: str | None = None,
    workers: int = 1,
    events: bool = False,
) -> Iterator[SeedResult]:
    """Run seeds; `sizes` in turn, or those of `options.SIZES` if there are none."""
    run = partial(run_seed, events=events)
    jobs = [(seed, sizes[seed % len(sizes)] if sizes else None, mutant) for seed in seeds]
    if workers == 1:
        for job in jobs:
            yield run(*job)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run, *zip(*jobs, strict=True))


@contextmanager
def _quiet() -> Iterator[None]:
    """The gateway's log is off for this long: the trace says it better."""
    log = logging.getLogger("wattle_gateway")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _disk_folder() -> Iterator[Path]:
    in_memory = _MEMORY_DISK.is_dir() and os.access(_MEMORY_DISK, os.W_OK)
    with tempfile.TemporaryDirectory(
        prefix="wattle-sim-", dir=_MEMORY_DISK if in_memory else None
    ) as name:
        yield Path(name)
