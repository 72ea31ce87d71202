"""`python -m wattle_testkit.edge`: prints what was measured; exit code 1 if it does not hold."""

import argparse
import sys
from collections.abc import Sequence

from wattle_testkit.edge import text
from wattle_testkit.edge.capacity import Load, measure

HOLDS, BROKEN = 0, 1


def main(words: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.edge", description=__doc__)
    parser.add_argument("--meters", type=int, default=200, metavar="N")
    parser.add_argument("--minutes", type=float, default=60, help="of samples (default 60)")
    parser.add_argument("--speed", type=int, default=10, help="virtual s a second; 1: real time")
    given = parser.parse_args(words)
    outcome = measure(Load(given.meters, given.minutes, given.speed))
    print(text.of_capacity(outcome))
    return HOLDS if outcome.holds else BROKEN


if __name__ == "__main__":
    sys.exit(main())
