"""`python -m wattle_testkit.soak`: a day in the field, in simulated time; ends with one line."""

import argparse
import sys
import time
from collections.abc import Sequence

from wattle_hil.parts import PartMissingError

from wattle_testkit.soak.run import CHEAP, NO_MUTANT, REAL, Options, Outcome, soak

LOG_LINES = 15
DONE, BROKEN, CANNOT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if no rule was broken, 1 if one was, 2 where there is no 32-bit interpreter."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="simulated (default 24)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default 1)")
    parser.add_argument(
        "--signatures", choices=(CHEAP, REAL), default=CHEAP, help="real ones take twice as long"
    )
    parser.add_argument("--mutant", default=NO_MUTANT, help="plant this fault in the firmware")
    parser.add_argument("--log", action="store_true", help="show the meter's log")
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    options = Options(given.seed, 60 * given.hours, given.signatures, given.mutant)
    try:
        outcome = soak(options)
    except PartMissingError as error:
        print(f"soak: {error}", file=sys.stderr)
        return CANNOT
    _tell(outcome, log=given.log)
    print(f"{outcome.line()}, {time.monotonic() - began_s:.0f} s")
    return BROKEN if outcome.findings else DONE


def _tell(outcome: Outcome, *, log: bool) -> None:
    record = outcome.evidence.record
    lines = [f"{at_ms / 1000:10.3f} {text}" for at_ms, _, text in record.log]
    if log:
        print("\n".join(lines))
    for rule, findings in outcome.findings.items():
        print(f"BROKEN {rule}")
        print("\n".join(f"  {finding}" for finding in findings))
    if outcome.findings:
        print("\n".join(["the log ends:", *lines[-LOG_LINES:]]))
        print(
            f"replay: make soak HOURS={outcome.options.minutes / 60:g} SEED={outcome.options.seed}"
        )


if __name__ == "__main__":
    sys.exit(main())
