"""dr contracts, dr funds: what has been agreed on and set aside, read from the ledger."""

import argparse
import json
from collections.abc import Callable

from rich.table import Table

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.amounts import shown_amount
from wattle_gateway.cli.fund_text import limits_words
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, shown_name, shown_time
from wattle_gateway.reports import agreements
from wattle_gateway.reports.accounts import Holder
from wattle_gateway.reports.samples import decimal

_DIGITS_SHOWN = 16


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`contracts` and `funds`, among the actions of `dr`."""
    _add(actions.add_parser("contracts", help="what parties have agreed on"), contracts)
    _add(actions.add_parser("funds", help="money set aside for events, and what is left"), funds)


def _add(command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    folder(command)
    command.add_argument("--party", metavar="PARTY", help="only its own, by name or kid")
    output_format(command, "table", "json")
    command.set_defaults(run=run)


def contracts(arguments: argparse.Namespace) -> None:
    """All contracts that the ledger keeps, of one party if it is named."""
    with opened_book(arguments.folder) as (book, _):
        kid = None if arguments.party is None else book.kid_of(arguments.party)
        lines = agreements.contract_lines(book, kid)
    if arguments.format == "json":
        print(json.dumps([line.as_json() for line in lines], indent=2))
        return
    table = Table(title="contracts: prices per MW and hour, and per MWh")
    for name in ("offered by", "agreed by", "asset"):
        table.add_column(name)
    for name in ("availability", "energy", "penalty", "user's part %"):
        table.add_column(name, justify="right")
    for name in ("events from (UTC)", "until"):
        table.add_column(name, no_wrap=True)
    for line in lines:
        terms = line.agreed.terms
        prices = (terms.availability_price, terms.energy_price, terms.penalty_price)
        table.add_row(
            _named(line.first),
            _named(line.other),
            terms.asset,
            *(shown_amount(price, line.decimals) for price in prices),
            decimal(terms.split_permille, -1),
            shown_time(terms.from_ms),
            shown_time(terms.until_ms),
        )
    console().print(table)


def funds(arguments: argparse.Namespace) -> None:
    """All funds, of one party if it is named."""
    with opened_book(arguments.folder) as (book, _):
        kid = None if arguments.party is None else book.kid_of(arguments.party)
        lines = agreements.fund_lines(book, kid)
    if arguments.format == "json":
        print(json.dumps([line.as_json() for line in lines], indent=2))
        return
    table = Table(title="funds")
    for name in ("fund", "purpose", "of", "spent by events of", "asset"):
        table.add_column(name, no_wrap=name == "fund")
    for name in ("free", "reserved", "spent"):
        table.add_column(name, justify="right")
    table.add_column("until (UTC)", no_wrap=True)
    table.add_column("pays")
    for line in lines:
        held = line.held
        until = shown_time(held.until_ms)
        table.add_row(
            held.digest.hex()[:_DIGITS_SHOWN],
            held.purpose,
            _named(line.filler),
            _named(line.spender),
            held.asset,
            *(shown_amount(one, line.decimals) for one in (held.left, held.reserved, held.spent)),
            f"{until}, over" if held.over else until,
            limits_words(held.limits, line.decimals),
        )
    console().print(table)


def _named(holder: Holder) -> str:
    return shown_name(holder.name) or holder.kid
