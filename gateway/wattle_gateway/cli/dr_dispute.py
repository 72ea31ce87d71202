"""dr dispute, contract: what parties say about statements, and agree on beforehand."""

import argparse
import json

from rich.table import Table

from wattle_gateway.cli import trial
from wattle_gateway.cli.account_arguments import key
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.amounts import parsed_amount
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.quantities import parsed_permille
from wattle_gateway.cli.sending import Sent, send, tell
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, parsed_time, shown_name, shown_time
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.settlement import disputes
from wattle_gateway.contracts.settlement.disputes import DisputeRow
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import settlement_bodies, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.settlement_bodies import Answer, Contract, Decide, Dispute, Fund
from wattle_gateway.reports import event_settlement
from wattle_gateway.reports.accounts import Book
from wattle_gateway.reports.events import EventBook
from wattle_gateway.reports.samples import decimal
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

_DIGITS_LEAST = 4
_DIGITS_SHOWN = 16


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`dispute` and `contract`, among the actions of `dr`."""
    command = actions.add_parser("dispute", help="a line of a statement that somebody disputes")
    steps = command.add_subparsers(metavar="STEP", required=True)
    _open(steps.add_parser("open", help="a line is not as it was, and why"))
    _answer(steps.add_parser("answer", help="what the other side says"))
    _decide(steps.add_parser("decide", help="a grid company or observer decides"))
    _list(steps.add_parser("list", help="the disputes of statements that are kept"))
    _contract(actions.add_parser("contract", help="prices, or a split, between two parties"))


def _open(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("event", metavar="EVENT", help="its digest, or the first digits of it")
    command.add_argument("point", metavar="METER/D", help="the point that meters the load")
    command.add_argument("--at", required=True, metavar="TIME", help="a time in the interval")
    command.add_argument("--reason", required=True, metavar="TEXT", help="up to 200 characters")
    _ends(command, open_dispute)


def _answer(command: argparse.ArgumentParser) -> None:
    folder(command)
    _dispute(command)
    command.add_argument("text", metavar="TEXT", help="up to 200 characters")
    _ends(command, answer)


def _decide(command: argparse.ArgumentParser) -> None:
    folder(command)
    _dispute(command)
    command.add_argument(
        "amount",
        metavar="AMOUNT",
        help="that the load gets more; less with --less; 0: the line stands",
    )
    command.add_argument("text", metavar="TEXT", help="why, up to 200 characters")
    command.add_argument("--less", action="store_true", help="the load gets this much less")
    _ends(command, decide)


def _list(command: argparse.ArgumentParser) -> None:
    folder(command)
    output_format(command, "table", "json")
    command.set_defaults(run=listed)


def _contract(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Offers a contract to another party, who approves it (`alliance approve`). Between who buys"
        " and who promises adjustments: prices of events of method contract. Between who hosts and"
        " who is hosted: which part of each payment is the user's."
    )
    folder(command)
    command.add_argument("party", metavar="PARTY", help="the other side, by name or kid")
    command.add_argument("--asset", required=True, metavar="ASSET")
    for name, meaning in (
        ("--availability", "per MW and hour"),
        ("--energy", "per MWh"),
        ("--penalty", "per MWh that is missing"),
    ):
        command.add_argument(name, default="0", metavar="AMOUNT", help=f"{meaning} (default: 0)")
    command.add_argument(
        "--split",
        default="0%",
        metavar="PERCENT",
        help="of payments for the other side's loads that this side declares: what is theirs,"
        " such as 80%% (default: 0%%)",
    )
    _window(command)
    _ends(command, contract)


def _window(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="begin", required=True, metavar="TIME")
    command.add_argument("--until", required=True, metavar="TIME", help="of events that begin")


def _dispute(command: argparse.ArgumentParser) -> None:
    command.add_argument("dispute", metavar="DISPUTE", help="its digest, or the first digits of it")


def _ends(command: argparse.ArgumentParser, run: object) -> None:
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=run)


def open_dispute(arguments: argparse.Namespace) -> None:
    """Dispute a line."""
    meter, device = parsed_point(arguments.point)
    at_ms = parsed_time(arguments.at)
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        book = EventBook(ledger.state, ledger.epoch, ledger.head.time_ms)
        event = book.find(arguments.event)
    if not event.begin_ms <= at_ms < event.end_ms:
        raise UsageError(
            f"--at {arguments.at}: the event is from {shown_time(event.begin_ms)} to"
            f" {shown_time(event.end_ms)} UTC"
        )
    index = (at_ms - event.begin_ms) // event.interval_ms
    body = Dispute(event.digest, meter, device, index, arguments.reason)
    sent = send_body(arguments, transaction.DISPUTE, body)
    begin = shown_time(event.interval_begin_ms(index))
    done = f"the line of {arguments.point} from {begin} UTC on is disputed: {sent.digest}"
    tell(arguments, sent, done, "")


def answer(arguments: argparse.Namespace) -> None:
    """Answer a dispute."""
    row = _found(arguments)
    sent = send_body(arguments, transaction.ANSWER, Answer(row.digest, arguments.text))
    tell(arguments, sent, "the answer stands on the ledger", "")


def decide(arguments: argparse.Namespace) -> None:
    """Decide a dispute."""
    row = _found(arguments)
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        events = EventBook(ledger.state, ledger.epoch, ledger.head.time_ms)
        asset_name = events.find(row.event.hex()).body.asset
        asset = asset_named(Book(ledger.state, ledger.epoch), asset_name)
    amount = parsed_amount(arguments.amount, asset.name, asset.decimals, lowest=0)
    signed = -amount if arguments.less else amount
    sent = send_body(arguments, transaction.DECIDE, Decide(row.digest, signed, arguments.text))
    shown = decimal(signed, -asset.decimals)
    tell(arguments, sent, f"decided: {shown} {asset.name}, paid with the last statement", "")


def listed(arguments: argparse.Namespace) -> None:
    """All disputes."""
    with opened_book(arguments.folder) as (book, _):
        found = disputes.everything(book.state)
        events = {one.digest: one for one in rows.events(book.state)}
        names = {row.opened.kid: book.holder(row.opened.kid).name for row in found}
    if arguments.format == "json":
        shown = [
            {
                "event": row.event.hex(),
                "meter": row.meter.hex(),
                "device": row.device,
                **event_settlement.dispute(row),
            }
            for row in found
        ]
        print(json.dumps(shown, indent=2))
        return
    table = Table(title="disputes")
    for name in ("dispute", "event", "load", "from (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("by", "reason", "answer", "decision"):
        table.add_column(name)
    for row in found:
        event = events.get(row.event)
        assert event is not None, "a dispute is forgotten with its event"
        table.add_row(
            row.digest.hex()[:_DIGITS_SHOWN],
            row.event.hex()[:_DIGITS_SHOWN],
            f"{row.meter.hex()}/{row.device}",
            shown_time(event.interval_begin_ms(row.index)),
            shown_name(names[row.opened.kid]),
            shown_name(row.opened.text),
            "" if row.answer is None else shown_name(row.answer.text),
            _decision(row, asset_named(book, event.body.asset)),
        )
    console().print(table)


def _decision(row: DisputeRow, asset: Asset) -> str:
    decision = row.decision
    if decision is None:
        return ""
    amount = decimal(decision.amount, -asset.decimals)
    return f"{amount} {asset.name}: {shown_name(decision.said.text)}"


def contract(arguments: argparse.Namespace) -> None:
    """Offer a contract."""
    with opened_book(arguments.folder) as (book, _):
        other, asset = book.kid_of(arguments.party), asset_named(book, arguments.asset)
        name = book.holder(other).name

    def price(text: str) -> int:
        return parsed_amount(text, asset.name, asset.decimals, lowest=0)

    body = Contract(
        other,
        asset.name,
        price(arguments.availability),
        price(arguments.energy),
        price(arguments.penalty),
        parsed_permille(arguments.split),
        parsed_time(arguments.begin),
        parsed_time(arguments.until),
    )
    sent = send_body(arguments, transaction.CONTRACT, body)
    tell(arguments, sent, "agreed", f"{name}, who says")


def send_body(
    arguments: argparse.Namespace,
    kind: int,
    body: Contract | Fund | Dispute | Answer | Decide,
) -> Sent:
    """Have a transaction committed; UsageError for one that the ledger would call malformed, or
    refuse whenever it came."""
    row = body.row()
    try:
        settlement_bodies.PARSERS[kind](row)
    except LedgerError as error:
        raise UsageError(str(error)) from error
    trial.check(arguments, kind, row)
    return send(arguments, kind, row)


def asset_named(book: Book, name: str) -> Asset:
    """An asset of the ledger; UsageError if there is none of this name."""
    found = book.asset(name)
    if found is None:
        raise UsageError(f"there is no asset {name} on the ledger (`account show`)")
    return found


def _found(arguments: argparse.Namespace) -> DisputeRow:
    """The dispute whose digest begins so."""
    word = arguments.dispute.lower()
    with opened_book(arguments.folder) as (book, _):
        found = [
            row for row in disputes.everything(book.state) if row.digest.hex().startswith(word)
        ]
    if len(word) < _DIGITS_LEAST or len(found) != 1:
        raise UsageError(
            f"{len(found)} disputes begin with {word!r}, expected the digest of one of"
            f" `wattle-gateway dr dispute list`, or its first digits ({_DIGITS_LEAST} at least)"
        )
    return found[0]
