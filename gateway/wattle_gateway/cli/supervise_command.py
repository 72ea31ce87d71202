"""supervise report: prices, funds, fines, faults, disputes and shares, for who has to look."""

import argparse
import csv
import json
import sys
from typing import Any

from wattle_gateway.cli import snapshot_commands
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.beginning import tell_beginning
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.state_book import Moment, opened_book
from wattle_gateway.cli.supervise_text import TABLES, cells, print_report
from wattle_gateway.cli.voucher_command import moment_ms
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import genesis
from wattle_gateway.reports import supervise_document, supervise_faults
from wattle_gateway.reports.supervise import Supervision

_TEXT, _CSV, _JSON = "text", "csv", "json"


def add(command: argparse.ArgumentParser) -> None:
    """The grammar of `supervise`."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    one = commands.add_parser("report", help="a report on the market, from this gateway's ledger")
    one.description = (
        "Of events whose window begins in the span and that the ledger's state still holds (a "
        "snapshot file of an earlier commit holds earlier ones)."
    )
    folder(one)
    when = "the year first, as 2026-11-01; without an offset in the zone"
    one.add_argument("--from", dest="begin", metavar="TIME", help=f"not before: {when}")
    one.add_argument("--to", dest="end", metavar="TIME", help="before this time, likewise")
    one.add_argument("--timezone", metavar="ZONE", default="UTC", help="of these (default: UTC)")
    one.add_argument(
        "--table",
        choices=sorted(TABLES),
        default="events",
        help="which one csv has (default: %(default)s)",
    )
    snapshot_commands.option(one)
    output_format(one, _TEXT, _CSV, _JSON)
    one.set_defaults(run=report)


def report(arguments: argparse.Namespace) -> None:
    """Print the report."""
    begin_ms, end_ms = (
        None if text is None else moment_ms(text, arguments.timezone)
        for text in (arguments.begin, arguments.end)
    )
    if begin_ms is not None and end_ms is not None and begin_ms >= end_ms:
        raise UsageError(f"--from {arguments.begin} is not before --to {arguments.end}")
    found, moment = _document(arguments, (begin_ms, end_ms))
    found = {
        "as_of": {
            "commit": moment.commit,
            "time_ms": moment.time_ms,
            "state_digest": moment.state_digest,
        },
        "from_ms": begin_ms,
        "to_ms": end_ms,
        **found,
    }
    if arguments.format == _JSON:
        print(json.dumps(found, indent=1))
    elif arguments.format == _CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(TABLES[arguments.table])
        writer.writerows(cells(found, arguments.table))
    else:
        print_report(found)


def _document(
    arguments: argparse.Namespace, span: tuple[int | None, int | None]
) -> tuple[dict[str, Any], Moment]:
    refusals = None
    if arguments.snapshot is None:
        with opened_ledger(home_of(arguments.folder)) as (first, reader):
            tell_beginning(reader)
            refusals = supervise_faults.refusals(reader, first.ledger_id, *span)
    with opened_book(arguments.folder, arguments.snapshot) as (book, moment):
        market = moment.epoch.constants.market
        if market is None:
            raise UsageError(
                f"this ledger has no market: its rules are {moment.epoch.rules}, expected "
                f"{genesis.EVENT_RULES} or higher (`wattle-gateway alliance upgrade`)"
            )
        supervision = Supervision(book.state, moment.epoch, market, moment.time_ms, span)
        return supervise_document.as_json(supervision, refusals), moment
