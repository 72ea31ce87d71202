"""audit."""

import argparse
import json
import sys
import time
from contextlib import closing

from rich.console import Console
from rich.progress import Progress

from wattle_gateway.audit import ledger_audit
from wattle_gateway.audit.findings import AuditReport, Difference
from wattle_gateway.cli.folder import home_of
from wattle_gateway.errors import GatewayError, UsageError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_gateway.store.connection import store_errors_named

EXIT_SOUND = 0
EXIT_DIFFERENT = 1


def audit(arguments: argparse.Namespace) -> int:
    """Verify the whole ledger; gives the exit code. Whatever keeps it from running is exit 2."""
    try:
        report = _run(home_of(arguments.folder))
    except GatewayError as error:
        raise UsageError(f"the audit cannot run: {error}") from error
    if arguments.format == "json":
        print(json.dumps(report.as_json(), indent=2))
    else:
        _print(report)
    return EXIT_SOUND if report.ok else EXIT_DIFFERENT


def _run(home: GatewayHome) -> AuditReport:
    began = time.monotonic()
    ledger_id = database.ledger_of(home.database, schema.LEDGER)
    wrong = ledger_audit.check_genesis(home, ledger_id)
    try:
        first = genesis.decode(home.genesis.read_bytes())
    except (OSError, LedgerError):
        return AuditReport(ledger_id.hex(), differences=wrong)
    reader = database.open_reader(home.database, schema.LEDGER, ledger_id)
    with (
        closing(reader),
        store_errors_named(home.database),
        database.snapshot(reader),
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar,
    ):
        task = bar.add_task("blocks")
        report = ledger_audit.audit_ledger(
            reader, first, lambda done, total: bar.update(task, completed=done, total=total)
        )
    report.differences[:0] = wrong
    report.seconds = round(time.monotonic() - began, 3)
    return report


def _print(report: AuditReport) -> None:
    counts = report.counts
    print(f"ledger        {report.ledger_id}")
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


def _line(difference: Difference) -> str:
    return str(difference).replace("\n", " ")
