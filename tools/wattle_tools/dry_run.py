"""`--dry-run`: a command checks all that it can without changing anything, and says the rest.

What is refused then, would be refused without it, with the same exit code. Nothing is written on
this machine (the audit record included), to a board's files or a device, or sent to a gateway; a
board that is asked who it is is stopped and started for it, as by `boards`.
"""

import argparse
import json
from collections.abc import Mapping, Sequence

from wattle_tools.errors import DONE


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Whether it is one."""
    parser.add_argument(
        "--dry-run", action="store_true", help="check, say what would be done, and do nothing"
    )


def tell(as_json: bool, would: Sequence[str], facts: Mapping[str, object] | None = None) -> int:
    """Prints what `would` be done, a clause each; `facts` are for programs. The exit code."""
    if as_json:
        print(json.dumps({"dry_run": True, **(facts or {}), "would": list(would)}, indent=1))
    else:
        for clause in would:
            print(f"would {clause}")
    return DONE
