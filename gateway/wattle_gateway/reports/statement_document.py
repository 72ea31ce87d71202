"""Statements as JSON and as CSV, one row a line; integers in the smallest units there are."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from wattle_gateway.contracts.settlement import lines
from wattle_gateway.contracts.settlement.lines import STATUS_NAMES, Facts
from wattle_gateway.contracts.settlement.results import VERSION_NAMES
from wattle_gateway.reports import event_settlement
from wattle_gateway.reports.statement import (
    Entries,
    EventStatement,
    ResourceStatement,
    StatementLine,
)

COLUMNS = (
    "event",
    "point",
    "roles",
    "version",
    "kind",
    "begin_ms",
    "status",
    "quota_w",
    "baseline_mj",
    "energy_mwh",
    "uncertainty_mwh",
    "how",
    "adjustment_mj",
    "classes",
    "asset",
    "availability",
    "energy",
    "penalty",
    "amount",
    "publish_index",
    "declaration_index",
    "dispatch_index",
    "first_sample_index",
    "last_sample_index",
    "parameters",
    "dispute_index",
    "answer_index",
    "decision_index",
)
Row = dict[str, Any]


def as_json(found: EventStatement) -> dict[str, Any]:
    """One event's statement; each line with the ledger indexes that it rests on."""
    event, payment = found.event, found.payment
    return {
        "event": event.digest.hex(),
        "state": str(event.state),
        "version": found.version,
        "begin_ms": event.begin_ms,
        "end_ms": event.end_ms,
        "asset": event.body.asset,
        "parameters": event.market.hex(),
        "resources": [_resource(one, event.body.direction) for one in found.resources],
        "payment": None
        if payment is None
        else {
            "own": payment.own,
            "before": payment.before,
            "paid": payment.paid,
            "after": payment.after,
            "before_from": [
                {
                    "why": one.why,
                    "event": None if one.event is None else one.event.hex(),
                    "amount": one.amount,
                }
                for one in found.carried
            ],
        },
        "cost": found.cost,
    }


def csv_rows(found: EventStatement) -> Iterator[Row]:
    """Rows of kind `interval`, `decision`, `correction` of each load, then `payment` or `cost`."""
    event = found.event
    head: Row = dict.fromkeys(COLUMNS, "")
    head |= {
        "event": event.digest.hex(),
        "asset": event.body.asset,
        "version": found.version,
        "parameters": event.market.hex(),
    }
    for one in found.resources:
        of_point = {
            **head,
            "point": one.point,
            "roles": " ".join(one.roles),
            "version": VERSION_NAMES[one.row.version],
        }
        for line in one.lines:
            yield {**of_point, "kind": "interval", **_interval(line, event.body.direction)}
        yield from _afterwards(one, of_point)
    if found.payment is not None:
        yield {**head, "kind": "payment", "amount": found.payment.paid}
    if found.cost is not None:
        yield {**head, "kind": "cost", "amount": -found.cost}


def _afterwards(one: ResourceStatement, head: Row) -> Iterator[Row]:
    for row, said in zip(one.disputes, one.said, strict=True):
        if row.decision is not None:
            cells: Row = {
                "kind": "decision",
                "begin_ms": one.lines[row.index].begin_ms,
                "amount": row.decision.amount,
                **{f"{name}_index": index for name, index in asdict(said).items()},
            }
            yield head | {name: "" if value is None else value for name, value in cells.items()}
    if one.correction is not None:
        first, last = one.late or ("", "")
        yield {
            **head,
            "kind": "correction",
            "amount": one.correction.amount,
            "first_sample_index": first,
            "last_sample_index": last,
        }


def _interval(line: StatementLine, direction: int) -> Row:
    found = line.line
    cells: Row = {
        "begin_ms": line.begin_ms,
        "status": STATUS_NAMES[found.status],
        "quota_w": line.quota_w,
        "baseline_mj": found.baseline_mj,
        "energy_mwh": found.energy.energy_mwh,
        "uncertainty_mwh": found.energy.uncertainty_mwh,
        "how": found.energy.how,
        "adjustment_mj": adjustment_mj(line, direction),
        "classes": " ".join(sorted(found.classes)),
        "availability": found.availability,
        "energy": found.energy_paid,
        "penalty": found.penalty,
        "amount": found.net,
        **_indexes(line.entries),
    }
    return {name: "" if value is None else value for name, value in cells.items()}


def adjustment_mj(line: StatementLine, direction: int) -> int | None:
    """By how much the load went the way it was asked to."""
    found = line.line
    facts = Facts(line.quota_w, found.baseline_mj, found.energy.energy_mwh, called=True)
    return lines.adjustment_mj(facts, direction)


def _indexes(entries: Entries) -> Row:
    return {f"{name}_index": index for name, index in entries.as_json().items()}


def _resource(one: ResourceStatement, direction: int) -> dict[str, Any]:
    row, correction = one.row, one.correction
    return {
        "point": one.point,
        "roles": list(one.roles),
        "version": VERSION_NAMES[row.version],
        "commit": row.commit,
        "time_ms": row.time_ms,
        "availability_price": row.availability_price,
        "energy_price": row.energy_price,
        "penalty_price": row.penalty_price,
        "split_permille": row.split_permille,
        "net": one.net,
        "share": one.share,
        "lines": [_line(line, direction) for line in one.lines],
        "disputes": [
            {**event_settlement.dispute(found), "entries": asdict(said)}
            for found, said in zip(one.disputes, one.said, strict=True)
        ],
        "correction": None
        if correction is None
        else {
            "commit": correction.commit,
            "time_ms": correction.time_ms,
            "amount": correction.amount,
            "intervals": list(correction.indexes),
            "first_sample": None if one.late is None else one.late[0],
            "last_sample": None if one.late is None else one.late[1],
        },
    }


def _line(line: StatementLine, direction: int) -> dict[str, Any]:
    found = line.line
    return {
        "begin_ms": line.begin_ms,
        "status": STATUS_NAMES[found.status],
        "quota_w": line.quota_w,
        "baseline_mj": found.baseline_mj,
        "energy_mwh": found.energy.energy_mwh,
        "uncertainty_mwh": found.energy.uncertainty_mwh,
        "how": found.energy.how,
        "adjustment_mj": adjustment_mj(line, direction),
        "classes": sorted(found.classes),
        "availability": found.availability,
        "energy": found.energy_paid,
        "penalty": found.penalty,
        "entries": line.entries.as_json(),
    }
