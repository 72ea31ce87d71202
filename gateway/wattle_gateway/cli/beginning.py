"""A gateway without a ledger begins with a snapshot: for `snapshot begin` and `alliance join`; and
what other commands say of one that did."""

import sqlite3
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wattle_gateway.cli.text import plain_name, shown_time
from wattle_gateway.home.identity import load_genesis, load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import coverage, snapshots
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.snapshot import beginning


def begun(home: GatewayHome, file: Path) -> dict[str, Any]:
    """Make a snapshot the beginning of a stopped gateway's ledger; what is to be said of it.

    Raises SnapshotError for one that is not proved, UsageError, StoreError, AlreadyRunningError.
    """
    first = first_epoch(load_genesis(home))
    with InstanceLock(home.lock):
        made = beginning.begin(home.database, file, first, load_member(home).kid)
    return {
        "ok": True,
        "commit": made.proved.base.index,
        "time_ms": made.proved.base.leaf.time_ms,
        "state_digest": made.proved.base.leaf.state_digest.hex(),
        "rows": made.proved.rows,
        "epoch": made.proved.epochs.newest.number,
        "signed_by": [asdict(who) for who in snapshots.who_signed(made.proved)],
        "lost": made.lost,
        "waiting": made.waiting,
        "older_file": None if made.aside is None else str(made.aside),
    }


def begun_text(row: dict[str, Any]) -> str:
    """The same for people."""
    names = ", ".join(plain_name(who["name"]) for who in row["signed_by"])
    lines = [
        f"begins        at commit {row['commit']} of {shown_time(row['time_ms'])} UTC, signed by "
        f"{names}",
        f"state         {row['state_digest']}, {row['rows']} rows",
        "before        is not on this gateway: no samples, no commits, no proofs of them",
        "next          start the gateway: it fetches what came since from the others",
    ]
    if row["older_file"] is not None:
        lines.insert(
            3,
            f"older ledger  {row['older_file']}; {row['waiting']} entries of it wait for a block",
        )
    if row["lost"]:
        lines.append(
            "signing       what its keys have signed before is not known: it follows and signs "
            "nothing until the members change, or all others have answered"
        )
    return "\n".join(lines)


def tell_beginning(reader: sqlite3.Connection) -> None:
    """Say on standard error that a ledger which begins with a snapshot does not show what was
    before; nothing of one that has all its history."""
    note = coverage.note(reader)
    if note is not None:
        print(f"wattle-gateway: {note}", file=sys.stderr)
