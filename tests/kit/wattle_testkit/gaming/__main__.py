"""`python -m wattle_testkit.gaming`: the table of gateway/SCORING.md, in Markdown."""

import argparse
import sys
from collections.abc import Sequence

from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.ledger.market import Market

from wattle_testkit.gaming.loads import KINDS, made
from wattle_testkit.gaming.search import Found, search
from wattle_testkit.gaming.season import season
from wattle_testkit.gaming.table import table

DAYS = 140
EVENTS = 16
SEED = 1
# The control group is other points' load: nothing that a party does to its own moves it.
RULES = tuple(name for name in PRESETS if name != "control-group")


def main(arguments: Sequence[str] | None = None) -> int:
    """Search every preset and kind of load."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.gaming", description=__doc__)
    parser.add_argument("--rule", action="append", choices=RULES, help="only this one")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the loads (default {SEED})")
    parser.add_argument("--events", type=int, default=EVENTS, help=f"(default {EVENTS})")
    given = parser.parse_args(arguments)
    found: list[Found] = []
    for kind in KINDS:
        played = season(made(kind, DAYS, given.seed), given.events)
        for name in given.rule or RULES:
            found.append(search(played, PRESETS[name].rule, Market()))
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
