"""dr publish, declare, withdraw, dispatch, events, event."""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli import baseline_rule, dr_event_text, trial
from wattle_gateway.cli.amounts import parsed_amount
from wattle_gateway.cli.event_times import boundary, intervals, moment
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.quantities import signed_watts
from wattle_gateway.cli.sending import DEADLINE_S, Sent, send, tell
from wattle_gateway.cli.text import shown_time
from wattle_gateway.contracts import accounts, offering
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import event_bodies, genesis, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.event_bodies import (
    METHOD_NAMES,
    PRICED_METHODS,
    REALTIME,
    Declare,
    Dispatch,
    Publish,
    Setpoint,
    Withdraw,
)
from wattle_gateway.ledger.market import Market
from wattle_gateway.participation import answers as answer_file
from wattle_gateway.reports import agreements
from wattle_gateway.reports.events import EventBook
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

# Of the options that change the baseline's rule: `publish` has a --method of its own.
RULE_PREFIX = "baseline-"
_METHODS = {name: number for number, name in METHOD_NAMES.items()}


@dataclass(frozen=True)
class _Place:
    """The ledger that a command is about: its newest state, its market parameters."""

    ledger: ExecutedLedger
    market: Market

    @property
    def book(self) -> EventBook:
        """Its events."""
        return EventBook(self.ledger.state, self.ledger.epoch, self.ledger.head.time_ms)

    def asset(self, name: str) -> Asset:
        """An asset; UsageError if there is none."""
        found = accounts.asset(self.ledger.state, name)
        if found is None:
            raise UsageError(f"there is no asset {name} on the ledger (`account show`)")
        return found


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[_Place]:
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        market = ledger.epoch.constants.market
        if market is None:
            raise UsageError(
                f"this ledger has no events: its rules are {ledger.epoch.rules}, expected"
                f" {genesis.EVENT_RULES} or higher; they come by `wattle-gateway alliance upgrade`"
            )
        yield _Place(ledger, market)


def publish(arguments: argparse.Namespace) -> None:
    """Put an event on the ledger."""
    now_ms = _now_ms(arguments)
    with _opened(arguments) as place:
        body = _published(arguments, place, now_ms)
        asset = place.asset(body.asset)
        interval_ms = place.market.interval_ms
    sent = _sent(arguments, transaction.PUBLISH, body)
    text = dr_event_text.published(sent.digest, body, asset, interval_ms)
    if body.method == REALTIME:
        with _opened(arguments) as place:
            reached_w = place.book.find(sent.digest).reached_w
        text += f"; {dr_event_text.kilowatts(reached_w)} kW are called"
    tell(arguments, sent, text, "")


def _published(arguments: argparse.Namespace, place: _Place, now_ms: int) -> Publish:
    market, asset = place.market, place.asset(arguments.asset)
    method = _METHODS[arguments.method]
    begin_ms = boundary(arguments.begin, now_ms, market.interval_ms)
    select_ms = begin_ms - arguments.notice
    if method == REALTIME:
        if arguments.select is not None:
            raise UsageError("--select of method realtime: its loads are chosen at once")
        select_ms = 0
    elif arguments.select is not None:
        select_ms = moment(arguments.select, now_ms)

    def price(text: str) -> int:
        return parsed_amount(text, asset.name, asset.decimals, lowest=0)

    rule = baseline_rule.rule_of(arguments, arguments.baseline, RULE_PREFIX)
    baseline_rule.check_read(arguments, [rule], RULE_PREFIX)
    try:
        body = Publish(
            method=method,
            emergency=arguments.emergency,
            area=arguments.area,
            near=arguments.near,
            direction=arguments.direction,
            begin_ms=begin_ms,
            intervals=intervals(arguments.length, market.interval_ms),
            quantity_w=arguments.quantity,
            notice_ms=arguments.notice,
            select_ms=select_ms,
            within_ms=arguments.within,
            availability_price=price(arguments.availability),
            energy_price=price(arguments.energy),
            penalty_price=price(arguments.penalty),
            rule=rule_form.encode(rule),
            asset=asset.name,
            fund=_fund(arguments, place),
        )
        return event_bodies.parse_publish(body.row())
    except LedgerError as error:
        raise UsageError(str(error)) from error


def declare(arguments: argparse.Namespace) -> None:
    """Promise what a load will do in an event."""
    meter, device = parsed_point(arguments.point)
    with _opened(arguments) as place:
        event = place.book.find(arguments.event)
        count = event.body.intervals
        quotas_w = tuple(arguments.quotas)
        if len(quotas_w) == 1:
            quotas_w *= count
        if len(quotas_w) != count:
            raise UsageError(f"{len(quotas_w)} powers, expected 1 or {count}: one for an interval")
        price = _price(arguments, place, event, (meter, device))
    body = Declare(event.digest, meter, device, price, quotas_w)
    try:
        event_bodies.parse_declare(body.row())
    except LedgerError as error:
        raise UsageError(str(error)) from error
    sent = _sent(arguments, transaction.DECLARE, body)
    said = f"{arguments.point} is declared with {dr_event_text.powers(quotas_w)}"
    tell(arguments, sent, f"{said}; replaceable until {shown_time(event.body.select_ms)} UTC", "")


def _price(
    arguments: argparse.Namespace, place: _Place, event: EventRow, point: tuple[bytes, int]
) -> int:
    asks = event.body.method in PRICED_METHODS
    if arguments.price is not None:
        if not asks:
            name = METHOD_NAMES[event.body.method]
            raise UsageError(f"--price in an event of method {name}, which asks none")
        asset = place.asset(event.body.asset)
        return parsed_amount(arguments.price, asset.name, asset.decimals, lowest=0)
    if not asks:
        return 0
    time_ms = place.ledger.head.time_ms
    for offer in offering.standing_offers(place.ledger.state, time_ms):
        if (offer.meter, offer.device) == point and offer.terms.asset == event.body.asset:
            return offer.terms.price
    raise UsageError(
        f"{arguments.point} has no standing offer priced in {event.body.asset} (`dr offer`):"
        " expected one, or --price"
    )


def withdraw(arguments: argparse.Namespace) -> None:
    """Take a load out of an event."""
    meter, device = parsed_point(arguments.point)
    with _opened(arguments) as place:
        event = place.book.find(arguments.event)
    body = Withdraw(event.digest, meter, device)
    sent = _sent(arguments, transaction.WITHDRAW, body)
    with _opened(arguments) as place:
        part = place.book.part(event, meter, device)
    if part is None or part.withdrawn_from is None:
        said = f"{arguments.point} takes no part in the event"
    else:
        from_ms = event.interval_begin_ms(part.withdrawn_from)
        said = f"{arguments.point} takes no part in the event from {shown_time(from_ms)} UTC on"
    tell(arguments, sent, said, "")


def dispatch(arguments: argparse.Namespace) -> None:
    """Order the selected loads of an event to act."""
    now_ms = _now_ms(arguments)
    named = [_setpoint(word) for word in arguments.load or ()]
    from_ms = 0 if arguments.begin is None else moment(arguments.begin, now_ms)
    loads = tuple(sorted(named, key=lambda one: (one.meter, one.device))) or None
    with _opened(arguments) as place:
        event = place.book.find(arguments.event)
    body = Dispatch(event.digest, from_ms, loads)
    try:
        event_bodies.parse_dispatch(body.row())
    except LedgerError as error:
        raise UsageError(str(error)) from error
    sent = _sent(arguments, transaction.DISPATCH, body)
    who = "every selected load" if loads is None else f"{len(loads)} loads"
    when = "" if from_ms == 0 else f" from {shown_time(from_ms)} UTC on"
    until = f"until {shown_time(event.end_ms)} UTC"
    tell(arguments, sent, f"order {sent.digest[:16]}: {who}{when}, {until}", "")


def events(arguments: argparse.Namespace) -> None:
    """All events."""
    with _opened(arguments) as place:
        lines = place.book.lines(arguments.area, arguments.state)
    answers = _answers(arguments)
    if arguments.format == "json":
        content = [
            {**line.as_json(), "answers": answers.get(line.row.digest.hex(), [])} for line in lines
        ]
        print(json.dumps(content, indent=2))
    else:
        dr_event_text.print_events(lines, answers)


def event(arguments: argparse.Namespace) -> None:
    """One event with its loads."""
    with _opened(arguments) as place:
        book = place.book
        row = book.find(arguments.event)
        line, parts = book.line(row), book.parts(row)
        settled = book.settlement(row)
    answers = _answers(arguments).get(row.digest.hex(), [])
    if arguments.format == "json":
        shown = [{**part.as_json(), **settled.parts[part.point]} for part in parts]
        content = {**line.as_json(), **settled.event, "parts": shown, "answers": answers}
        print(json.dumps(content, indent=2))
    else:
        dr_event_text.print_event(line, parts)
        dr_event_text.print_answers(answers)


def _sent(
    arguments: argparse.Namespace, kind: int, body: Publish | Declare | Withdraw | Dispatch
) -> Sent:
    """Have a transaction committed. UsageError for one that the ledger would refuse whenever it
    came."""
    row = body.row()
    trial.check(arguments, kind, row)
    return send(arguments, kind, row)


def _answers(arguments: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """What this gateway's policy has answered, by event."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in answer_file.read(home_of(arguments.folder).answers):
        found.setdefault(one.event, []).append(asdict(one))
    return found


def _now_ms(arguments: argparse.Namespace) -> int:
    """What the running gateway's clock says. Raises what `ask` does."""
    answer = ask(home_of(arguments.folder).admin_socket, "live", DEADLINE_S)
    now_ms = answer["live"]["clock_ms"]
    assert isinstance(now_ms, int)
    return now_ms


def _setpoint(word: str) -> Setpoint:
    point, mark, power = word.partition("=")
    if not mark:
        raise UsageError(f"load {word!r}, expected METER/D=POWER such as dab1a5856b562aeb/1=500W")
    try:
        return Setpoint(*parsed_point(point), signed_watts(power))
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"load {word!r}: {error}") from error


def _fund(arguments: argparse.Namespace, place: _Place) -> bytes | None:
    if arguments.fund is None:
        return None
    return agreements.fund_named(place.ledger.state, arguments.fund)
