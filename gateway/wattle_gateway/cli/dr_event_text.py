"""Events as people read them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.markup import escape
from rich.table import Table

from wattle_gateway.cli.amounts import shown_amount
from wattle_gateway.cli.baseline_text import described
from wattle_gateway.cli.text import console, shown_name, shown_time
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.ledger.event_bodies import METHOD_NAMES, REALTIME, Publish
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.reports.accounts import Holder
from wattle_gateway.reports.events import EventLine, PartLine
from wattle_gateway.reports.samples import decimal

# Digits of a digest that people copy.
_SHOWN = 16


def published(digest: str, body: Publish, asset: Asset, interval_ms: int) -> str:
    """What was published, in a sentence."""
    end_ms = body.begin_ms + body.intervals * interval_ms
    where = f" in {body.area}" if body.area else ""
    where += _near(body.near)
    until = "" if body.method == REALTIME else f", loads until {shown_time(body.select_ms)} UTC"
    energy = f"{shown_amount(body.energy_price, asset.decimals)} {asset.name} per MWh"
    return (
        f"event {digest[:_SHOWN]}: {kilowatts(body.quantity_w)} kW"
        f" {DIRECTION_NAMES[body.direction]}{where} from {shown_time(body.begin_ms)} to"
        f" {shown_time(end_ms)} UTC{until}; {METHOD_NAMES[body.method]}, {energy}"
    )


def kilowatts(watts: int) -> str:
    """Watts as kW, exactly."""
    return decimal(watts, -3)


def powers(quotas_w: Sequence[int]) -> str:
    """Quotas of all intervals, those that are alike together: 3 kW x 4, 2.5 kW."""
    groups = [(watts, sum(1 for _ in same)) for watts, same in groupby(quotas_w)]
    return ", ".join(
        f"{kilowatts(watts)} kW" + (f" x {count}" if count > 1 else "") for watts, count in groups
    )


def print_events(
    lines: Sequence[EventLine], answers: Mapping[str, Sequence[Mapping[str, Any]]]
) -> None:
    """The table of `dr events`; `answers` of the policy by event."""
    table = Table(title="events")
    for name in ("event", "by", "method", "area", "way"):
        table.add_column(name, no_wrap=True)
    table.add_column("kW asked", justify="right")
    table.add_column("reached", justify="right")
    for name in ("selection", "begins", "ends"):
        table.add_column(f"{name} (UTC)", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("loads")
    if answers:
        table.add_column("our policy")
    for line in lines:
        body = line.row.body
        table.add_row(
            line.row.digest.hex()[:_SHOWN],
            _named(line.publisher),
            METHOD_NAMES[body.method] + (" emergency" if body.emergency else ""),
            body.area or "everywhere",
            DIRECTION_NAMES[body.direction],
            kilowatts(body.quantity_w),
            kilowatts(line.row.reached_w),
            "at once" if body.method == REALTIME else shown_time(body.select_ms),
            shown_time(line.row.begin_ms),
            shown_time(line.row.end_ms),
            line.phase,
            _counts(line),
            *([_answered(answers.get(line.row.digest.hex(), ()))] if answers else []),
        )
    console().print(table)


def _answered(answers: Sequence[Mapping[str, Any]]) -> str:
    """What the policy did, and why, those alike together: 2 declared: pays at least ..."""
    alike = Counter((one["did"], one["why"]) for one in answers)
    return escape("; ".join(f"{count} {did}: {why}" for (did, why), count in sorted(alike.items())))


def print_answers(answers: Sequence[Mapping[str, Any]]) -> None:
    """What the policy did for each load of an event."""
    for one in answers:
        quota = "" if one["quota_w"] is None else f" with {kilowatts(one['quota_w'])} kW"
        when = shown_time(one["at_ms"])
        print(f"policy, {when} UTC: {one['point']} {one['did']}{quota}: {one['why']}")


def print_event(line: EventLine, parts: Sequence[PartLine]) -> None:
    """The answer of `dr event`."""
    row, body = line.row, line.row.body
    print(f"event {row.digest.hex()}, {line.phase}")
    where = (f"in {body.area}" if body.area else "everywhere") + _near(body.near)
    emergency = ", emergency" if body.emergency else ""
    print(
        f"  {METHOD_NAMES[body.method]}{emergency}, by {_named(line.publisher)} at"
        f" {shown_time(row.published_ms)} UTC"
    )
    print(
        f"  {kilowatts(body.quantity_w)} kW {DIRECTION_NAMES[body.direction]} {where} from"
        f" {shown_time(row.begin_ms)} to {shown_time(row.end_ms)} UTC:"
        f" {body.intervals} intervals of {row.interval_s} s"
    )
    print(f"  prices: {_prices(line)}; reserved {_money(line, row.reserved)}")
    print(f"  baseline {row.rule.name}: {described(row.rule)}")
    print(f"  parameters {row.market.hex()}")
    print(f"  selected {kilowatts(row.reached_w)} kW; {_counts(line) or 'nobody has answered'}")
    if parts:
        console().print(_parts_table(line, parts))


def _near(place: str) -> str:
    return f" near {place}" if place else ""


def _parts_table(line: EventLine, parts: Sequence[PartLine]) -> Table:
    table = Table()
    for name in ("load", "of", "declared by", "status", "why"):
        table.add_column(name, no_wrap=True)
    table.add_column("quota")
    for name in ("per MWh", "lines", "merit", "rank", "set to W", "answered W", "after s"):
        table.add_column(name, justify="right")
    for part in parts:
        row = part.row
        price = row.price if row.price_mwh is None else row.price_mwh
        from_interval = ""
        if row.withdrawn_from is not None:
            from_ms = line.row.interval_begin_ms(row.withdrawn_from)
            from_interval = f" from {shown_time(from_ms)} on"
        table.add_row(
            part.point,
            _named(part.owner),
            _named(part.origin),
            str(row.status) + from_interval,
            row.why.replace("_", " "),
            powers(row.quotas_w),
            _money(line, price),
            _cell(row.distance),
            _cell(row.merit),
            _cell(row.rank),
            _cell(row.setpoint_w),
            _cell(row.confirmed_w),
            "" if part.response_ms is None else f"{part.response_ms / 1000:g}",
        )
    return table


def _prices(line: EventLine) -> str:
    body = line.row.body
    text = f"energy {_money(line, body.energy_price)} per MWh"
    if line.row.uniform_price is not None:
        text += f" at most, {_money(line, line.row.uniform_price)} by the selection"
    text += f", availability {_money(line, body.availability_price)} per MW and hour"
    return text + f", penalty {_money(line, body.penalty_price)} per MWh"


def _money(line: EventLine, amount: int) -> str:
    decimals = 0 if line.asset is None else line.asset.decimals
    return f"{shown_amount(amount, decimals)} {line.row.body.asset}"


def _counts(line: EventLine) -> str:
    return ", ".join(f"{count} {name}" for name, count in line.counts.items() if count)


def _named(holder: Holder) -> str:
    return shown_name(holder.name) or holder.kid


def _cell(value: int | None) -> str:
    return "" if value is None else str(value)
