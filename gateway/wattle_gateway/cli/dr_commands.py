"""dr offer, retract, pool, select: adjustable loads, and a choice among them."""

import argparse
import json
from collections.abc import Mapping

from rich.table import Table

from wattle_gateway.cli.amounts import parsed_amount, shown_amount
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.sending import send, tell
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, parsed_time
from wattle_gateway.contracts import accounts
from wattle_gateway.contracts.selection.offers import Need
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import area, genesis, transaction
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.offer_bodies import (
    DIRECTION_NAMES,
    OfferBody,
    OfferTerms,
    Retract,
    parse_offer,
)
from wattle_gateway.reports import pool as pool_report
from wattle_gateway.reports.pool import PoolLine, Selection, Wanted
from wattle_gateway.reports.samples import decimal
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import ledger_rows

EXIT_NOT_ENOUGH = 1


def offer(arguments: argparse.Namespace) -> None:
    """Put a standing offer of a load on the ledger."""
    meter, device = parsed_point(arguments.point)
    with opened_book(arguments.folder) as (book, moment):
        asset = book.asset(arguments.asset)
        rules = moment.epoch.rules
    _check_area(arguments.area, rules)
    if asset is None:
        raise UsageError(f"there is no asset {arguments.asset} on the ledger (`account show`)")
    try:
        body = OfferBody(
            meter,
            device,
            OfferTerms(
                arguments.area,
                arguments.node,
                arguments.direction,
                arguments.capacity,
                asset.name,
                parsed_amount(arguments.price, asset.name, asset.decimals, lowest=0),
                arguments.within,
                arguments.holds,
                arguments.rest,
                arguments.period,
                arguments.resolution,
                arguments.called,
            ),
        )
        parse_offer(body.row())
    except LedgerError as error:
        raise UsageError(str(error)) from error
    sent = send(arguments, transaction.OFFER, body.row())
    way = DIRECTION_NAMES[arguments.direction]
    tell(arguments, sent, f"{arguments.point} offers {arguments.capacity} W {way}", "")


def retract(arguments: argparse.Namespace) -> None:
    """Take a standing offer back."""
    meter, device = parsed_point(arguments.point)
    sent = send(arguments, transaction.RETRACT, Retract(meter, device).row())
    tell(arguments, sent, f"{arguments.point} offers nothing any more", "")


def pool(arguments: argparse.Namespace) -> None:
    """The adjustable loads of the ledger."""
    state, time_ms = _state(arguments)
    at_ms = time_ms if arguments.at is None else parsed_time(arguments.at)
    lines = pool_report.pool(state, at_ms, arguments.area)
    if arguments.format == "json":
        print(json.dumps([line.as_json() for line in lines], indent=2))
        return
    table = Table(title="adjustable loads")
    table.add_column("area")
    table.add_column("way")
    for name in ("within", "loads", "registered kW", "offered kW", "called kW", "confirmed kW"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(*_pool_cells(line))
    console().print(table)


def select(arguments: argparse.Namespace) -> int:
    """Which loads would answer a need; the exit code is 1 if all together do not."""
    if arguments.need == 0:
        raise UsageError("a need of 0 W is answered by nobody: expected more")
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        state, now_ms = ledger.state, ledger.head.time_ms
        market = ledger.epoch.constants.market
    need = Need(arguments.need, arguments.within, arguments.hold)
    wanted = Wanted(arguments.direction, arguments.area, arguments.asset, arguments.near)
    found = pool_report.select(state, now_ms, need, wanted, market)
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        _print_selection(found, state)
    return 0 if found.choice.enough else EXIT_NOT_ENOUGH


def _check_area(place: str, rules: int) -> None:
    if area.is_path(place) and rules < genesis.AREA_PATH_RULES:
        raise UsageError(
            f"area {place!r} is a path, which rules {rules} of this ledger do not know: expected"
            f" one name, or rules {genesis.AREA_PATH_RULES} or higher; they come by"
            " `wattle-gateway alliance upgrade`"
        )


def _state(arguments: argparse.Namespace) -> tuple[Mapping[bytes, bytes], int]:
    """The state of the ledger, and its time."""
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        head = ledger_rows.load_head(reader, first_head(first_epoch(first))).commit
        return ledger_rows.load_state(reader), head.time_ms


def _pool_cells(line: PoolLine) -> tuple[str, ...]:
    within = "" if line.within_ms is None else f"{line.within_ms // 1000} s"
    return (
        line.area or "not offered",
        line.direction or "",
        within,
        str(line.loads),
        _kilowatts(line.registered_w),
        _kilowatts(line.offered_w),
        _kilowatts(line.called_w),
        _kilowatts(line.confirmed_w),
    )


def _print_selection(found: Selection, state: Mapping[bytes, bytes]) -> None:
    choice = found.choice
    short = "" if choice.enough else ", which is not enough: everything that can answer is chosen"
    near = f", near {found.place}" if found.place else ""
    table = Table(
        title=f"{_kilowatts(choice.need.quota_w)} kW within {choice.need.within_ms / 1000:g} s for"
        f" {choice.need.hold_ms / 60_000:g} min: {len(choice.chosen)} of {len(choice.reasons)}"
        f" loads, {_kilowatts(choice.reached_w)} kW{near}{short}"
    )
    for name in ("load", "area", "why"):
        table.add_column(name)
    for name in ("kW", "per MWh", "response s", "lines", "merit", "rank"):
        table.add_column(name, justify="right")
    for reason in choice.reasons:
        standing = found.standing[reason.offer.digest]
        asset = accounts.asset(state, standing.terms.asset)
        assert asset is not None, "an offer names an asset of the ledger"
        table.add_row(
            pool_report.point_name(standing),
            standing.terms.area,
            reason.why.replace("_", " "),
            _kilowatts(reason.offer.quota_w),
            f"{shown_amount(reason.offer.price, asset.decimals)} {asset.name}",
            f"{reason.offer.response_ms / 1000:g}",
            "" if reason.offer.distance is None else str(reason.offer.distance),
            "" if reason.merit is None else str(reason.merit),
            "" if reason.rank is None else str(reason.rank),
        )
    console().print(table)


def _kilowatts(watts: int) -> str:
    return decimal(watts, -3)
