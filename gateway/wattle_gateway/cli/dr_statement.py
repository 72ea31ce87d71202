"""dr statement: what a party gets or pays for events, and what each line rests on."""

import argparse
import csv
import json
import re
import sys
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.beginning import tell_beginning
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.text import console, shown_name, shown_time
from wattle_gateway.contracts import accounts, usage
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.measurement.energy import Energy
from wattle_gateway.contracts.settlement.lines import MJ_PER_MWH, STATUS_NAMES
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.market import Market
from wattle_gateway.reports import carried_origins, statement_document
from wattle_gateway.reports import statement as statement_report
from wattle_gateway.reports.accounts import Book
from wattle_gateway.reports.events import EventBook
from wattle_gateway.reports.samples import decimal
from wattle_gateway.reports.statement import EventStatement, ResourceStatement, StatementLine
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

_DIGITS_SHOWN = 16
_ORIGINS = {
    carried_origins.LEFT: "left by the payment for event",
    carried_origins.CORRECTION: "correction of event",
    carried_origins.FORGOTTEN: "of events that the ledger keeps no more",
}
_MJ_PER_WH = MJ_PER_MWH * 1000


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`statement`, among the actions of `dr`."""
    command = actions.add_parser(
        "statement", help="what a party gets or pays for events, line by line"
    )
    command.description = (
        "The newest statements of the loads that a party declared, owns or pays for. Each line"
        " names the ledger indexes of the event, the declaration, the order, and the first and last"
        " sample of its interval. The ledger keeps statements as long as its parameters say."
    )
    folder(command)
    command.add_argument("party", metavar="PARTY", help="by name or kid")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--event", metavar="EVENT", help="its digest, or the first digits of it")
    which.add_argument("--month", metavar="YYYY-MM", help="events that begin in it, local time")
    output_format(command, "text", "csv", "json")
    command.set_defaults(run=statement)


def statement(arguments: argparse.Namespace) -> None:
    """The statements of a party."""
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        tell_beginning(reader)
        ledger = ExecutedLedger(reader, first_epoch(first))
        market = ledger.epoch.constants.market
        if market is None:
            raise UsageError(
                f"this ledger has no events: its rules are {ledger.epoch.rules}, expected"
                f" {genesis.EVENT_RULES} or higher; they come by `wattle-gateway alliance upgrade`"
            )
        book = Book(ledger.state, ledger.epoch)
        party = book.kid_of(arguments.party)
        events = _events(arguments, ledger, market)
        found = statement_report.statements(
            reader, ledger.epoch.ledger_id, ledger.state, party, events
        )
        assets = {asset.name: asset.decimals for asset in accounts.assets(ledger.state)}
    name = book.holder(party).name
    if arguments.format == "json":
        shown = [statement_document.as_json(one) for one in found]
        print(json.dumps({"party": name, "kid": party.hex(), "statements": shown}, indent=2))
    elif arguments.format == "csv":
        _print_csv(found)
    else:
        print_statements(console(), name, found, assets)


def _events(
    arguments: argparse.Namespace, ledger: ExecutedLedger, market: Market
) -> Sequence[EventRow]:
    if arguments.event is not None:
        book = EventBook(ledger.state, ledger.epoch, ledger.head.time_ms)
        return [book.find(arguments.event)]
    zone = usage.local_days(market).zone
    return statement_report.in_month(ledger.state, zone, _month(arguments.month))


def _month(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        raise UsageError(f"month {text!r}, expected one such as 2026-11")
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise UsageError(f"month {text!r}: {error}") from error


def _print_csv(found: Sequence[EventStatement]) -> None:
    writer = csv.DictWriter(sys.stdout, statement_document.COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in found:
        writer.writerows(statement_document.csv_rows(one))


def print_statements(
    console: Console, party: str, found: Sequence[EventStatement], decimals: dict[str, int]
) -> None:
    """For people: a table for each load, then what is paid."""
    if not found:
        print(f"{party} has nothing to do with any of these events, or they are forgotten")
    for one in found:
        asset = one.event.body.asset
        digits = decimals[asset]
        console.print(
            f"{shown_name(party)}: event {one.event.digest.hex()[:_DIGITS_SHOWN]},"
            f" {shown_time(one.event.begin_ms)} to {shown_time(one.event.end_ms)} UTC,"
            f" statement {one.version}, in {asset}"
        )
        for resource in one.resources:
            console.print(_table(one, resource, digits))
            _print_afterwards(console, one, resource, digits)
        _print_payment(console, one, digits)


def _table(one: EventStatement, resource: ResourceStatement, digits: int) -> Table:
    table = Table(title=f"{resource.point} ({', '.join(resource.roles)})")
    table.add_column("from")
    table.add_column("status")
    for name in ("quota W", "baseline Wh", "used Wh"):
        table.add_column(name, justify="right")
    table.add_column("measured, off by Wh")
    table.add_column("adjusted Wh", justify="right")
    for name in ("availability", "energy", "penalty"):
        table.add_column(name, justify="right")
    table.add_column("entries")
    for line in resource.lines:
        table.add_row(*_cells(one, line, digits))
    return table


def _cells(one: EventStatement, line: StatementLine, digits: int) -> tuple[str, ...]:
    found = line.line
    energy_mwh = found.energy.energy_mwh
    adjusted_mj = statement_document.adjustment_mj(line, one.event.body.direction)
    return (
        shown_time(line.begin_ms),
        STATUS_NAMES[found.status].replace("_", " "),
        str(line.quota_w),
        "" if found.baseline_mj is None else _watt_hours(found.baseline_mj),
        "" if energy_mwh is None else decimal(energy_mwh, -3),
        _measured(found.energy),
        "" if adjusted_mj is None else _watt_hours(adjusted_mj),
        decimal(found.availability, -digits),
        decimal(found.energy_paid, -digits),
        decimal(-found.penalty, -digits),
        _entries(line),
    )


def _measured(energy: Energy) -> str:
    """How an energy was found, and how far it can be off."""
    if energy.uncertainty_mwh is None:
        return ""
    return f"{energy.how} {decimal(energy.uncertainty_mwh, -3)}"


def _watt_hours(energy_mj: int) -> str:
    return f"{energy_mj / _MJ_PER_WH:.3f}"


def _entries(line: StatementLine) -> str:
    entries = line.entries
    names = (("e", entries.publish), ("d", entries.declaration), ("o", entries.dispatch))
    words = [f"{name}{index}" for name, index in names if index is not None]
    if entries.samples is not None:
        words.append(f"s{entries.samples[0]}-{entries.samples[1]}")
    return " ".join(words)


def _print_afterwards(
    console: Console, one: EventStatement, resource: ResourceStatement, digits: int
) -> None:
    for row, entries in zip(resource.disputes, resource.said, strict=True):
        begin = shown_time(one.event.interval_begin_ms(row.index))
        said = f"  dispute {row.digest.hex()[:_DIGITS_SHOWN]} of {begin}"
        said += f", {shown_name(row.opened.text)}; "
        if row.answer is not None:
            said += f"answered, {shown_name(row.answer.text)}; "
        if row.decision is None:
            said += "not decided"
        else:
            amount, text = decimal(row.decision.amount, -digits), row.decision.said.text
            said += f"decided, {amount}, {shown_name(text)}"
        places = (entries.dispute, entries.answer, entries.decision)
        console.print(f"{said}; entries {' '.join(str(at) for at in places if at is not None)}")
    if resource.correction is not None:
        amount = decimal(resource.correction.amount, -digits)
        late = "" if resource.late is None else f" s{resource.late[0]}-{resource.late[1]}"
        console.print(f"  correction by late samples{late}, in the next statement: {amount}")
    net, share = decimal(resource.net, -digits), decimal(resource.share, -digits)
    console.print(f"  net {net}, this party's share {share}")


def _print_payment(console: Console, one: EventStatement, digits: int) -> None:
    if one.payment is not None:
        own, before, paid, after = (
            decimal(amount, -digits)
            for amount in (
                one.payment.own,
                one.payment.before,
                one.payment.paid,
                one.payment.after,
            )
        )
        console.print(f"shares {own}, carried in {before}, paid {paid}, carried on {after}")
    for origin in one.carried:
        amount = decimal(origin.amount, -digits)
        event = "" if origin.event is None else f" {origin.event.hex()[:_DIGITS_SHOWN]}"
        console.print(f"  carried in: {amount}, {_ORIGINS[origin.why]}{event}")
    if one.cost is not None:
        console.print(f"paid out for this event: {decimal(one.cost, -digits)}")
