"""dr fund: money set aside for a purpose, and what that purpose is."""

import argparse

from wattle_gateway.cli.account_arguments import key
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.amounts import parsed_amount, shown_amount
from wattle_gateway.cli.dr_dispute import asset_named, send_body
from wattle_gateway.cli.fund_text import limits_words
from wattle_gateway.cli.places import area
from wattle_gateway.cli.sending import tell
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import parsed_time, shown_time
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.area import EVERYWHERE
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.fund_limits import EITHER_WAY, FundLimits
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.ledger.settlement_bodies import Fund

_METHODS = {name: method for method, name in METHOD_NAMES.items()}


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`fund`, among the actions of `dr`."""
    command = actions.add_parser("fund", help="set money aside that only events may spend")
    command.description = (
        "Money of this party that until a time only events of the spender that name the fund may"
        " spend. What is left then returns."
    )
    folder(command)
    command.add_argument("purpose", metavar="PURPOSE", help="a-z, 0-9 and hyphen")
    command.add_argument("amount", metavar="AMOUNT")
    command.add_argument("asset", metavar="ASSET")
    command.add_argument("--spender", required=True, metavar="PARTY", help="by name or kid")
    command.add_argument("--until", required=True, metavar="TIME")
    _limits(command)
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=fund)


def _limits(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "limits",
        "What the purpose means: the ledger refuses an event that exceeds one of them. They are set"
        " for good; without any the fund pays all events.",
    )
    group.add_argument(
        "--method",
        dest="methods",
        action="append",
        choices=list(_METHODS),
        help="events of this method; again for more",
    )
    group.add_argument("--area", type=area, help="events of this area and what lies behind")
    way = group.add_mutually_exclusive_group()
    for direction, name in DIRECTION_NAMES.items():
        way.add_argument(
            f"--{name}",
            dest="direction",
            action="store_const",
            const=direction,
            default=EITHER_WAY,
            help=f"events of direction {name} alone",
        )
    group.add_argument("--from", dest="begin", metavar="TIME", help="that begin then or later")
    group.add_argument("--to", dest="end", metavar="TIME", help="that end then or earlier")
    for name, meaning in (
        ("--max-availability", "availability price, per MW and hour"),
        ("--max-energy", "energy price, per MWh"),
        ("--max-event", "that one event can cost"),
    ):
        group.add_argument(name, metavar="AMOUNT", help=f"highest {meaning}")


def fund(arguments: argparse.Namespace) -> None:
    """Fill a fund."""
    with opened_book(arguments.folder) as (book, _):
        spender, asset = book.kid_of(arguments.spender), asset_named(book, arguments.asset)
        name = book.holder(spender).name
    amount = parsed_amount(arguments.amount, asset.name, asset.decimals)
    until_ms = parsed_time(arguments.until)
    limits = limits_of(arguments, asset)
    body = Fund(arguments.purpose, asset.name, amount, spender, until_ms, limits)
    sent = send_body(arguments, transaction.FUND, body)
    shown = shown_amount(amount, asset.decimals)
    done = (
        f"{shown} {asset.name} for {arguments.purpose} until {shown_time(until_ms)} UTC, spent by"
        f" events of {name} ({limits_words(limits, asset.decimals)}); the fund is"
        f" {sent.digest}"
    )
    tell(arguments, sent, done, "")


def limits_of(arguments: argparse.Namespace, asset: Asset) -> FundLimits:
    """The limits that the options name. UsageError for a time or an amount that is none."""

    def amount(text: str | None, lowest: int = 0) -> int | None:
        return None if text is None else parsed_amount(text, asset.name, asset.decimals, lowest)

    return FundLimits(
        tuple(sorted({_METHODS[method] for method in arguments.methods or ()})),
        arguments.area or EVERYWHERE,
        arguments.direction,
        0 if arguments.begin is None else parsed_time(arguments.begin),
        None if arguments.end is None else parsed_time(arguments.end),
        amount(arguments.max_availability),
        amount(arguments.max_energy),
        amount(arguments.max_event, lowest=1),
    )
