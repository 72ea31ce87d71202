"""A gateway that lies in what it exports: the command line of the real one, with one thing wrong.

    python -m wattle_testkit.wrong_gateway drop samples DIR ..    leaves out one sample in 1,000
    python -m wattle_testkit.wrong_gateway shift samples DIR ..   one reading has 1 Wh more
    python -m wattle_testkit.wrong_gateway rewrite samples DIR .. and the signed bytes say so too

The energy check must find each of them.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from wattle_gateway.cli.main import main
from wattle_gateway.reports import samples

# One in 1,000 by seq, so that a run of a minute meets it too.
DROPPED_OF_1000 = 12

Rows = Callable[..., Iterator[samples.Row]]


def dropping(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        return (row for row in rows(*arguments) if int(row["seq"]) % 1_000 != DROPPED_OF_1000)

    return wrong


def shifting(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        for count, row in enumerate(rows(*arguments)):
            yield {**row, "ei_wh": str(int(row["ei_wh"]) + 1)} if count == 10 else row

    return wrong


def rewriting(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        for count, row in enumerate(rows(*arguments)):
            yield _with_more_energy(row) if count == 10 else row

    return wrong


def _with_more_energy(row: samples.Row) -> samples.Row:
    old = int(row["ei_wh"])
    # CBOR: an unsigned integer of four bytes is 1a and the bytes.
    raw = str(row["raw"]).replace(f"1a{old:08x}", f"1a{old + 1:08x}")
    assert raw != row["raw"]
    return {**row, "ei_wh": str(old + 1), "raw": raw}


WRONG: dict[str, Callable[[Rows], Rows]] = {
    "drop": dropping,
    "shift": shifting,
    "rewrite": rewriting,
}


if __name__ == "__main__":
    samples.rows = WRONG[sys.argv[1]](samples.rows)
    sys.exit(main(sys.argv[2:]))
