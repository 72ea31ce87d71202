"""audit, repair."""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from wattle_gateway.archive.attachment import target_of
from wattle_gateway.audit import comparison, ledger_audit
from wattle_gateway.audit import repair as ledger_repair
from wattle_gateway.audit.begins import Begins
from wattle_gateway.audit.comparison import Comparison
from wattle_gateway.audit.findings import AuditReport, Difference
from wattle_gateway.cli.folder import home_of, ledger_reader
from wattle_gateway.cli.text import plain_name, shown_time
from wattle_gateway.errors import (
    GatewayError,
    SchemaVersionError,
    StorageKeyError,
    StoreError,
    UsageError,
)
from wattle_gateway.home.identity import load_genesis, load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.store import archive_rows, schema
from wattle_gateway.store import connection as database

EXIT_SOUND = 0
EXIT_DIFFERENT = 1


def audit(arguments: argparse.Namespace) -> int:
    """Verify the whole ledger; gives the exit code. Whatever keeps it from running is exit 2."""
    try:
        home = home_of(arguments.folder)
        report = _run(home)
        compared = None
        if arguments.compare is not None:
            compared = _compare(home, home_of(arguments.compare))
    except GatewayError as error:
        raise UsageError(f"the audit cannot run: {error}") from error
    if arguments.format == "json":
        more = {} if compared is None else {"comparison": asdict(compared)}
        print(json.dumps({**report.as_json(), **more}, indent=2))
    else:
        _print(report)
        if compared is not None:
            _print_comparison(compared, arguments.compare)
    is_same = compared is None or compared.difference is None
    return EXIT_SOUND if report.ok and is_same else EXIT_DIFFERENT


def repair(arguments: argparse.Namespace) -> None:
    """Put the damaged ledger of a stopped gateway together again."""
    home = home_of(arguments.folder)
    first, kid = first_epoch(load_genesis(home)), load_member(home).kid
    with InstanceLock(home.lock):
        if _is_sound(home):
            _print_repair(arguments, {"repaired": False}, "nothing is wrong with it")
            return
        saved, aside = ledger_repair.repair(
            home.database, first, kid, lambda: target_of(home), refetch=arguments.refetch
        )
    row = {
        "repaired": True,
        "commit": saved.head.index,
        "blocks": saved.blocks,
        "left_out": saved.left_out,
        "waiting": saved.waiting,
        "lost": saved.lost,
        "archive_parts": saved.parts,
        "made_again": saved.made_again,
        "difference": None if saved.difference is None else str(saved.difference),
        "damaged_file": str(aside),
    }
    _print_repair(arguments, row, _repair_text(row))


def _is_sound(home: GatewayHome) -> bool:
    try:
        return _run(home).ok and _archive_is_sound(home)
    except (SchemaVersionError, StorageKeyError):
        raise  # nothing is wrong with it: another version understands it, or a key opens it
    except StoreError:
        return False  # so torn that it does not even open


def _archive_is_sound(home: GatewayHome) -> bool:
    """Whether each file of the archive is what was put there, also those that no audit reads."""
    ledger_id = database.ledger_of(home.database, schema.LEDGER)
    with ledger_reader(home, ledger_id) as reader:
        if all(part.contents is None for part in archive_rows.load(reader)):
            return True
        from wattle_gateway.archive.verification import verify  # Arrow comes with it

        return not any(one.wrong for one in verify(reader, target_of(home), ledger_id))


def _repair_text(row: dict[str, Any]) -> str:
    lines = [
        f"found         {row['difference'] or 'nothing wrong in blocks and commits'}",
        f"kept          {row['blocks']} blocks up to commit {row['commit']}, "
        f"{row['waiting']} entries that wait; {row['left_out']} blocks left out",
        f"old file      {row['damaged_file']}",
        "next          start the gateway: it fetches what is lacking from the others",
    ]
    if row["archive_parts"]:
        text = f"{row['archive_parts']} parts verified and noted again"
        lines.insert(2, f"archive       {text}")
    lines += [f"made again    {name}" for name in row["made_again"]]
    if row["lost"]:
        lines.append(
            "signing       what it has signed is not known for sure: it follows and signs "
            "nothing until the members change, or all others have answered"
        )
    return "\n".join(lines)


def _print_repair(arguments: argparse.Namespace, row: dict[str, Any], text: str) -> None:
    print(json.dumps(row, indent=2) if arguments.format == "json" else text)


def _compare(home: GatewayHome, other: GatewayHome) -> Comparison:
    with ExitStack() as opened:
        readers = []
        for one in (home, other):
            ledger_id = database.ledger_of(one.database, schema.LEDGER)
            readers.append(opened.enter_context(ledger_reader(one, ledger_id)))
        return comparison.compare(readers[0], readers[1])


def _run(home: GatewayHome) -> AuditReport:
    began = time.monotonic()
    ledger_id = database.ledger_of(home.database, schema.LEDGER)
    wrong = ledger_audit.check_genesis(home, ledger_id)
    try:
        first = genesis.decode(home.genesis.read_bytes())
    except (OSError, LedgerError):
        return AuditReport(ledger_id.hex(), differences=wrong)
    with (
        ledger_reader(home, ledger_id) as reader,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("blocks")
        report = ledger_audit.audit_ledger(
            reader, first, lambda done, total: bar.update(task, completed=done, total=total)
        )
    report.differences[:0] = wrong
    report.seconds = round(time.monotonic() - began, 3)
    return report


def begins_text(begins: Begins) -> str:
    """What is to be known of a ledger that has not all its history."""
    names = ", ".join(plain_name(name) for name in begins.signed_by)
    return (
        f"at commit {begins.commit} of {shown_time(begins.time_ms)} UTC, proved by checkpoint "
        f"{begins.size} that {names} signed, members of epoch {begins.epoch}; everything before is "
        "not on this gateway"
    )


def _print(report: AuditReport) -> None:
    counts = report.counts
    print(f"ledger        {report.ledger_id}")
    if report.begins is not None:
        print(f"begins        {begins_text(report.begins)}")
    print(
        f"verified      {counts.blocks} blocks, {counts.entries} entries, "
        f"{counts.commits} commits, {counts.leaves} leaves, "
        f"{counts.samples} samples of {counts.meters} meters, {counts.waiting} waiting"
    )
    if report.ok:
        print(f"head          commit {report.commit}  {report.commit_digest}")
        print(f"root          {report.root}")
        print(f"state         {report.state_digest}")
        print(f"result        every byte is accounted for ({report.seconds:.1f} s)")
        return
    for difference in report.differences:
        print(f"DIFFERENCE    {_line(difference)}")
    print(f"result        {len(report.differences)} differences")


def _print_comparison(found: Comparison, other: Path) -> None:
    if found.difference is not None:
        print(f"DIFFERENCE    from {other}: {_line(found.difference)}")
    elif found.equal:
        print(f"compared      {other} has the same ledger")
    else:
        print(
            f"compared      {other} has the same up to commit {min(found.commits)}; "
            f"it stands at {found.commits[1]}"
        )


def _line(difference: Difference) -> str:
    return str(difference).replace("\n", " ")
