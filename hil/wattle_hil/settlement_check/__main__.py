"""Command line of the settlement check. Exit code: 0 all equal, 1 not, 2 cannot be checked."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .checking import Checked, check
from .errors import CannotCheckError
from .readings import read_samples

EQUAL, DIFFERENT, CANNOT_CHECK = 0, 1, 2
DIFFERENCES_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks each event, prints what was compared; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="settlement_check",
        description="Are statements of events what the readings say? Exit code: 0 yes, 1 no,"
        " 2 cannot say.",
    )
    parser.add_argument("events", type=Path, nargs="+", help="JSON of `dr event`, one event each")
    parser.add_argument("--samples", type=Path, required=True, help="CSV of `samples`")
    options = parser.parse_args(arguments)
    try:
        events = [_event(path) for path in options.events]
        readings = read_samples(options.samples)
        checked = [check(event, readings) for event in events]
    except CannotCheckError as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return CANNOT_CHECK
    for one in checked:
        print("\n".join(_lines(one)))
    return DIFFERENT if any(one.differences for one in checked) else EQUAL


def _event(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotCheckError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise CannotCheckError(f"{path}: expected one event as a JSON object")
    return content


def _lines(one: Checked) -> list[str]:
    head = (
        f"event {one.event[:16]}: {one.lines} lines of {one.loads} loads, {one.payments} payments: "
    )
    if not one.differences:
        return [head + "equal"]
    shown = [f"  {found}" for found in one.differences[:DIFFERENCES_SHOWN]]
    hidden = len(one.differences) - len(shown)
    rest = [f"  and {hidden} more"] if hidden > 0 else []
    return [f"{head}{len(one.differences)} differences", *shown, *rest]


if __name__ == "__main__":
    sys.exit(main())
