"""account statement: what came into an account and left it, entry by entry."""

import argparse
import csv
import json
import re
import sys
from typing import Any

from rich.table import Table

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, shown_name, shown_time
from wattle_gateway.cli.voucher_command import moment_ms, party_kid
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import account_statement
from wattle_gateway.reports.samples import decimal

COLUMNS = (
    "time_ms", "ledger_index", "commit", "what", "other", "other_kid", "event", "unlocked_change",
    "locked_change", "unlocked", "locked", "total",
)  # fmt: skip
_DIGITS = 12


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`statement`, among the actions of `account`."""
    command = actions.add_parser("statement", help="every movement of an account in a time")
    command.description = (
        "Opening balance, every movement with the ledger entry that made it, closing balance. "
        "Executes the ledger again up to the end, so it takes as long as an audit up to there."
    )
    folder(command)
    command.add_argument("party", metavar="WHO", help="name or kid of a party (`party list`)")
    command.add_argument("--asset", metavar="ASSET", required=True, help="such as CNY")
    command.add_argument("--month", metavar="YEAR-MM", help="of this month, such as 2026-11")
    when = "the year first, as 2026-11-01; without an offset in the zone"
    command.add_argument("--from", dest="begin", metavar="TIME", help=f"not before: {when}")
    command.add_argument("--to", dest="end", metavar="TIME", help="before this time, likewise")
    command.add_argument("--timezone", metavar="ZONE", default="UTC", help="default: UTC")
    output_format(command, "text", "csv", "json")
    command.set_defaults(run=statement)


def statement(arguments: argparse.Namespace) -> None:
    """Print the statement."""
    begin_ms, end_ms = _span(arguments)
    with opened_book(arguments.folder) as (book, _):
        account = (party_kid(arguments.folder, arguments.party), arguments.asset)
        names = {party.kid: party.name for party in book.parties()}
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        found = account_statement.statement(reader, first_epoch(first), account, begin_ms, end_ms)
    document = account_statement.as_json(found, names)
    if arguments.format == "json":
        print(json.dumps(document, indent=1))
    elif arguments.format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_rows(document))
    else:
        _print(document)


def _span(arguments: argparse.Namespace) -> tuple[int, int]:
    """(from, to) Unix ms. UsageError unless a month, or both ends, are given."""
    zone, month = arguments.timezone, arguments.month
    ends = (arguments.begin, arguments.end)
    if month is None:
        if None in ends:
            raise UsageError("expected --month, or --from and --to")
        begin_ms, end_ms = (moment_ms(text, zone) for text in ends)
        if begin_ms >= end_ms:
            raise UsageError(f"--from {arguments.begin} is not before --to {arguments.end}")
        return begin_ms, end_ms
    form = re.fullmatch("([0-9]{4})-([0-9]{2})", month)
    if form is None or not 1 <= int(form[2]) <= 12:
        raise UsageError(f"--month {month!r}, expected such as 2026-11")
    if ends != (None, None):
        raise UsageError("--month stands alone, without --from and --to")
    year, number = int(form[1]), int(form[2])
    following = f"{year + number // 12:04}-{number % 12 + 1:02}"
    return moment_ms(f"{month}-01", zone), moment_ms(f"{following}-01", zone)


def _rows(document: dict[str, Any]) -> list[list[object]]:
    """Opening balance, movements, closing balance; amounts as people write them."""
    decimals = document["decimals"]

    def amounts(*values: int) -> list[str]:
        return [decimal(value, -decimals) for value in values]

    def balance(name: str, time_ms: int) -> list[object]:
        found = document[name]
        parts = amounts(found["unlocked"], found["locked"], found["total"])
        return [time_ms, "", "", name, "", "", "", "", "", *parts]

    rows = [balance("opening", document["from_ms"])]
    for one in document["movements"]:
        change, after = one["change"], one["after"]
        rows.append(
            [
                *(one[name] for name in ("time_ms", "ledger_index", "commit", "what")),
                *(one[name] or "" for name in ("other", "other_kid", "event")),
                *amounts(change["unlocked"], change["locked"]),
                *amounts(after["unlocked"], after["locked"], after["total"]),
            ]
        )
    return [*rows, balance("closing", document["to_ms"])]


def _print(document: dict[str, Any]) -> None:
    table = Table(
        title=f"{shown_name(document['party'])} {document['party_kid']}: {document['asset']}, "
        f"up to commit {document['commit']}"
    )
    numbers = ("unlocked_change", "locked_change", "unlocked", "locked", "total")
    shown = [name for name in COLUMNS if name not in ("commit", "other_kid")]
    heads = {"time_ms": "time (UTC)", "ledger_index": "entry"}
    for name in shown:
        head = heads.get(name, name.replace("_", " "))
        table.add_column(head, justify="right" if name in numbers else "left")
    for row in _rows(document):
        cells = dict(zip(COLUMNS, row, strict=True))
        cells["time_ms"] = shown_time(int(str(cells["time_ms"])))
        cells["event"] = str(cells["event"])[:_DIGITS]
        table.add_row(*(shown_name(str(cells[name])) for name in shown))
    console().print(table)
