"""What settlement says of an event, as JSON: all that somebody needs who computes it again.

`dr event --format json` prints it beside the event's own fields. Together with `samples --format
csv` it is complete: a program that shares nothing with this one finds the same amounts.
"""

from dataclasses import asdict
from typing import Any

from wattle_gateway.contracts import registry, usage
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.settlement import disputes, parameters, paying, results
from wattle_gateway.contracts.settlement.disputes import DisputeRow, Said
from wattle_gateway.contracts.settlement.lines import STATUS_NAMES
from wattle_gateway.contracts.settlement.results import (
    BASELINE_NAMES,
    VERSION_NAMES,
    ResultLine,
    ResultRow,
)
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.market import market_map


def of_event(state: State, event: EventRow) -> dict[str, Any]:
    """The baseline rule and the parameters that an event is judged by, and what was paid."""
    selected = [quota for quota in rows.quotas(state, event) if quota.was_selected]
    payees = sorted({kid for quota in selected for kid in (quota.origin, quota.owner)})
    found = [(kid, paying.paid(state, event.digest, kid)) for kid in payees]
    return {
        "baseline_rule": asdict(event.rule),
        "parameters": market_map(parameters.market_of(state, event)),
        "payments": [
            {
                "payee_kid": kid.hex(),
                "own": payment.own,
                "before": payment.before,
                "paid": payment.paid,
                "after": payment.after,
            }
            for kid, payment in found
            if payment is not None
        ],
    }


def of_part(state: State, event: EventRow, quota: QuotaRow) -> dict[str, Any]:
    """How a load is metered, when it was called before, and its newest statement."""
    meter = registry.meter(state, quota.meter)
    assert meter is not None, "a kid stays enrolled for ever"
    metering = usage.metering(state, meter, quota.device)
    row = results.result(state, event.digest, quota.meter, quota.device)
    return {
        "metering": {
            "ratio": [metering.ratio.numerator, metering.ratio.denominator],
            "orient": metering.ratio.orient,
            "period_ms": metering.period_ms if row is None else row.period_ms,
            "resolution_wh": metering.resolution_wh if row is None else row.resolution_wh,
        },
        "other_events": [
            [call.begin_ms, call.end_ms]
            for call in rows.calls(state, quota.meter, quota.device)
            if call.event != event.digest
        ],
        "statement": None if row is None else _statement(state, event, quota, row),
    }


def _statement(state: State, event: EventRow, quota: QuotaRow, row: ResultRow) -> dict[str, Any]:
    correction = row.correction
    return {
        "version": VERSION_NAMES[row.version],
        "commit": row.commit,
        "time_ms": row.time_ms,
        "availability_price": row.availability_price,
        "energy_price": row.energy_price,
        "penalty_price": row.penalty_price,
        "split_permille": row.split_permille,
        "baseline": BASELINE_NAMES[row.baseline],
        "net": row.net,
        "score": None if row.score is None else asdict(row.score),
        "lines": [_line(event, quota, index, line) for index, line in enumerate(row.lines)],
        "disputes": [dispute(one) for one in disputes.of(state, row.disputes)],
        "correction": None if correction is None else asdict(correction),
    }


def _line(event: EventRow, quota: QuotaRow, index: int, line: ResultLine) -> dict[str, Any]:
    return {
        "begin_ms": event.interval_begin_ms(index),
        "status": STATUS_NAMES[line.status],
        "quota_w": quota.quotas_w[index],
        "baseline_mj": line.baseline_mj,
        "how": line.energy.how,
        "energy_mwh": line.energy.energy_mwh,
        "uncertainty_mwh": line.energy.uncertainty_mwh,
        "classes": sorted(line.classes),
        "availability": line.availability,
        "energy": line.energy_paid,
        "penalty": line.penalty,
    }


def dispute(row: DisputeRow) -> dict[str, Any]:
    """A dispute with what was said and decided."""
    decision = row.decision
    return {
        "dispute": row.digest.hex(),
        "interval": row.index,
        "opened": _said(row.opened),
        "answer": None if row.answer is None else _said(row.answer),
        "decision": None
        if decision is None
        else {"amount": decision.amount, **_said(decision.said)},
    }


def _said(said: Said) -> dict[str, Any]:
    return {"kid": said.kid.hex(), "text": said.text, "time_ms": said.time_ms}
