"""`python -m wattle_testkit.edge`: prints what was measured; exit code 1 if it does not hold.

Without words: an hour's worth of samples of 200 meters on four small machines, then every fault.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wattle_testkit.edge import faults, text
from wattle_testkit.edge.capacity import Load, measure

HOLDS, BROKEN, CANNOT = 0, 1, 3


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 0 all holds, 1 something does not, 3 this host cannot do it."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.edge", description=__doc__)
    parser.add_argument("--only", choices=("capacity", "faults"), help="one half of it")
    parser.add_argument("--meters", type=int, default=200, metavar="N")
    parser.add_argument("--minutes", type=float, default=60, help="of samples (default 60)")
    parser.add_argument("--speed", type=int, default=10, help="virtual s a second; 1: real time")
    parser.add_argument("--sealed", action="store_true", help="capacity: every folder is")
    parser.add_argument(
        "--past",
        type=float,
        default=0,
        metavar="MINUTES",
        help="capacity: of samples of three days before, archived meanwhile (default: none)",
    )
    parser.add_argument("--fault", choices=faults.FAULTS, help="this one only")
    parser.add_argument(
        "--short", action="store_true", help="faults: no longer than until the log names them"
    )
    given = parser.parse_args(words)
    if given.fault is not None:
        return _fault(given.fault, long=not given.short)
    codes = []
    if given.only != "faults":
        codes.append(_capacity(_load(given)))
    if given.only != "capacity":
        codes += [_fault_by_itself(name, given.short) for name in faults.FAULTS]
    return BROKEN if BROKEN in codes else max(codes)


def _load(given: argparse.Namespace) -> Load:
    return Load(given.meters, given.minutes, given.speed, given.sealed, given.past)


def _capacity(load: Load) -> int:
    outcome = measure(load)
    print(text.of_capacity(outcome), flush=True)
    return HOLDS if outcome.holds else BROKEN


def _fault(name: str, *, long: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="wattle-edge-") as folder:
        try:
            result = faults.run(name, Path(folder), long=long)
        except OSError as error:
            print(f"{name}\n  not done, this host does not let us: {error}", flush=True)
            return CANNOT
    print(text.of_fault(result), flush=True)
    return HOLDS if result.holds else BROKEN


def _fault_by_itself(name: str, short: bool) -> int:
    """Each in a process of its own: one changes where mounts are seen."""
    words = ["--fault", name, *(["--short"] if short else [])]
    done = subprocess.run([sys.executable, "-m", "wattle_testkit.edge", *words], check=False)
    return done.returncode if done.returncode in (HOLDS, CANNOT) else BROKEN


if __name__ == "__main__":
    sys.exit(main())
