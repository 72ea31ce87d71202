"""status, samples, audit, quarantine."""

import argparse
import csv
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.table import Table
from wattle_wire import downlink, topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.beginning import tell_beginning
from wattle_gateway.cli.folder import home_of, opened_ledger, opened_operation
from wattle_gateway.cli.status_text import print_status, print_waiting
from wattle_gateway.cli.text import console, parsed_time, shown_time
from wattle_gateway.errors import NotRunningError, UsageError
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.reports import coverage
from wattle_gateway.reports import samples as sample_report
from wattle_gateway.reports import status as status_report
from wattle_gateway.reports.samples import RAW, Row, Wanted
from wattle_gateway.runtime.clock import wall_ms

LIVE_DEADLINE_S = 5.0
# Nobody sees a reading sooner; a look costs some ms, however long the ledger is.
FOLLOW_EVERY_S = 0.5
# Columns of the table for people; a quantity that no row has is left out.
_TABLE_HEAD = ("meter", "seq", "time", "device", "st")
_TABLE_ROWS_A_PAGE = 500


def status(arguments: argparse.Namespace) -> None:
    """Where the ledger stands and how the gateway is."""
    home = home_of(arguments.folder)
    try:
        live = ask(home.admin_socket, "live", LIVE_DEADLINE_S)["live"]
    except NotRunningError:
        live = None
    if live is not None and live.get("waits"):
        _waiting_status(home, live, arguments.format)
        return
    with (
        opened_ledger(home) as (first, ledger),
        opened_operation(home, first.ledger_id) as operation,
    ):
        found = status_report.read(home, first, ledger, operation, wall_ms(), live)
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        print_status(console(), found)


def _waiting_status(home: GatewayHome, live: dict[str, Any], form: str) -> None:
    """Of a gateway that waits for room: its ledger cannot be opened, by nobody."""
    if form == "json":
        print(json.dumps({"folder": str(home.folder), "running": True, "live": live}, indent=2))
    else:
        print_waiting(console(), live)


def samples(arguments: argparse.Namespace) -> None:
    """The readings in the ledger."""
    wanted = _wanted(arguments)
    if arguments.follow:
        _follow(arguments, wanted)
        return
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        _tell_beginning(reader, wanted)
        rows = sample_report.rows(reader, first.ledger_id, wanted, arguments.raw)
        if arguments.format == "csv":
            writer = _csv_writer(arguments.raw)
            writer.writerows(rows)
        elif arguments.format == "json":
            _print_json_rows(rows)
        else:
            _print_table(rows, arguments.raw)


def _follow(arguments: argparse.Namespace, wanted: Wanted) -> None:
    """Print readings in ledger order: those that are there, then each as it comes."""
    if arguments.format != "csv":
        raise UsageError(f"--follow prints csv, not {arguments.format}: add --format csv")
    home = home_of(arguments.folder)
    with opened_ledger(home) as (_, reader):
        _tell_beginning(reader, wanted)
    writer = _csv_writer(arguments.raw)
    newest = -1
    while True:
        with opened_ledger(home) as (first, reader):
            found = sample_report.rows_behind(
                reader, first.ledger_id, newest, wanted, arguments.raw
            )
            for row in found:
                writer.writerow(row)
                newest = int(row["ledger_index"])
        sys.stdout.flush()
        time.sleep(FOLLOW_EVERY_S)


def _tell_beginning(reader: sqlite3.Connection, wanted: Wanted) -> None:
    """Of a ledger that begins with a snapshot: who names an earlier time is refused, who names
    none is told that there was more."""
    if wanted.from_ms is None:
        tell_beginning(reader)
    else:
        coverage.check(reader, wanted.from_ms)


def _csv_writer(raw: bool) -> "csv.DictWriter[str]":
    columns = [*sample_report.COLUMNS, *([RAW] if raw else [])]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    return writer


def quarantine(arguments: argparse.Namespace) -> None:
    """The refused messages that were kept."""
    home = home_of(arguments.folder)
    query = "SELECT id, at_ms, reason, topic, body FROM quarantine ORDER BY id"
    with opened_operation(home, load_genesis(home).ledger_id) as operation:
        found = operation.execute(query).fetchall()
    kept = [
        {
            "id": row[0],
            "at_ms": row[1],
            "reason": downlink.REFUSAL_NAMES.get(row[2], str(row[2])),
            "topic": row[3],
            "body": row[4].hex(),
        }
        for row in found
    ]
    if arguments.format == "json":
        print(json.dumps(kept, indent=2))
        return
    table = Table(title=f"refused messages: {len(kept)}")
    for name in ("id", "at", "reason", "topic", "bytes", "begins with"):
        table.add_column(name)
    for row in kept:
        table.add_row(
            str(row["id"]),
            shown_time(row["at_ms"]),
            row["reason"],
            repr(row["topic"]),
            str(len(row["body"]) // 2),
            row["body"][:32],
        )
    console().print(table)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    try:
        meter = None if arguments.meter is None else topics.kid_of_meter(arguments.meter)
    except WireError as error:
        raise UsageError(str(error)) from error
    begin = None if arguments.begin is None else parsed_time(arguments.begin)
    end = None if arguments.end is None else parsed_time(arguments.end)
    if begin is not None and end is not None and begin >= end:
        raise UsageError(f"--from {arguments.begin} is not before --to {arguments.end}")
    return Wanted(meter, begin, end)


def _print_json_rows(rows: Iterator[Row]) -> None:
    """A JSON array, a row a line, without holding them all. Empty cells are left out."""
    before = "[\n"
    for row in rows:
        filled = {name: value for name, value in row.items() if value != ""}
        sys.stdout.write(before + json.dumps(filled))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def _print_table(rows: Iterator[Row], raw: bool) -> None:
    """Tables of a page each, so that a long ledger begins to print at once."""
    page: list[Row] = []
    output = console()
    for row in rows:
        page.append(row)
        if len(page) == _TABLE_ROWS_A_PAGE:
            output.print(_table(page, raw))
            page = []
    if page:
        output.print(_table(page, raw))


def _table(page: list[Row], raw: bool) -> Table:
    used = [
        column
        for column in sample_report.QUANTITY_COLUMNS.values()
        if any(row[column] != "" for row in page)
    ]
    table = Table()
    for name in (*_TABLE_HEAD, *used, "clock", "classes", "leaf", "commit"):
        table.add_column(name, justify="right" if name in used else "left")
    if raw:
        table.add_column(RAW, overflow="fold")
    for row in page:
        at = int(row["time_ms"])
        table.add_row(
            str(row["meter"]),
            str(row["seq"]),
            f"{shown_time(at)}.{at % 1000:03d}",
            str(row["device"]),
            str(row["st"]),
            *(str(row[column]) for column in used),
            str(row["clock"]),
            str(row["classes"]),
            str(row["ledger_index"]),
            str(row["commit"]),
            *([str(row[RAW])] if raw else []),
        )
    return table
