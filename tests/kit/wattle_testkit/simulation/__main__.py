"""`python -m wattle_testkit.simulation`: run seeds, tell what failed, end with one line."""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wattle_testkit.simulation.campaign import SeedResult, run_seeds
from wattle_testkit.simulation.mutants import MUTANTS
from wattle_testkit.simulation.options import FAULTS_MS, draw

LINES_SHOWN = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every seed passed, 1 if one failed; with a mutant the other way round."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--seed0", type=int, default=0, help="the first (default 0)")
    parser.add_argument("--n", type=_sizes, default=(), help="sizes in turn, such as 4,7")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="plant this fault in the rules")
    parser.add_argument(
        "--events", action="store_true", help="members call each other's loads in every seed"
    )
    parser.add_argument("--trace", action="store_true", help="show options and all kept events")
    options = parser.parse_args(arguments)
    seeds = range(options.seed0, options.seed0 + options.seeds)
    began_s = time.monotonic()
    results = []
    for result in run_seeds(
        seeds,
        options.n,
        mutant=options.mutant,
        workers=options.workers,
        events=options.events,
    ):
        results.append(result)
        if result.failure is not None:
            said = told(result, options.mutant, trace=options.trace, events=options.events)
            print(said, flush=True)
            if options.mutant is not None:
                break
        elif options.trace:
            print(f"seed {result.seed}, n = {result.size}: {result.tally}")
    print(_line(results, time.monotonic() - began_s))
    failed = any(result.failure is not None for result in results)
    return int(failed if options.mutant is None else not failed)


def told(
    result: SeedResult, mutant: str | None = None, *, trace: bool = False, events: bool = False
) -> str:
    """A failure for people: what broke, the last events, and the command that replays it."""
    failure = result.failure
    assert failure is not None
    planted = "" if mutant is None else f" --mutant {mutant}"
    planted += " --events" if events else ""
    return "\n".join(
        [
            f"FAILED seed {result.seed}, n = {result.size}, commit {_git_commit()}: {failure.text}",
            *([f"  {draw(result.seed, result.size)}"] if trace else []),
            *(f"  {line}" for line in (failure.lines if trace else failure.lines[-LINES_SHOWN:])),
            f"  replay: make sim SEEDS=1 SEED0={result.seed} N={result.size} "
            f'ARGS="--trace{planted}"',
        ]
    )


def _line(results: Sequence[SeedResult], seconds: float) -> str:
    tallies = [result.tally for result in results if result.tally is not None]
    return (
        f"sim: {len(results)} seeds, {len(results) - len(tallies)} failures, "
        f"{sum(tally.commits for tally in tallies)} commits, "
        f"{sum(tally.samples for tally in tallies)} samples, "
        f"{sum(tally.transactions for tally in tallies)} transactions, "
        f"{sum(tally.events for tally in tallies)} events "
        f"({sum(tally.final for tally in tallies)} final), "
        f"{sum(tally.epochs for tally in tallies)} epochs, "
        f"{seconds:.1f} s, commit {_git_commit()}"
    )


def _git_commit() -> str:
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(word) for word in text.split(",") if word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected sizes such as 4,7") from error
    for size in sizes:
        if size not in FAULTS_MS:
            known = ", ".join(map(str, FAULTS_MS))
            raise argparse.ArgumentTypeError(f"size {size}, expected some of {known}")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
