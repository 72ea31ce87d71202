"""The regulator's report as one JSON value, and as rows of tables."""

from collections import Counter
from typing import Any

from wattle_gateway.contracts import parties
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.standing import Standing
from wattle_gateway.contracts.settlement import paying
from wattle_gateway.contracts.settlement.results import VERSION_NAMES
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.reports.accounts import Holder
from wattle_gateway.reports.agreements import fund_json
from wattle_gateway.reports.supervise import Account, Supervision, point_name, price_mwh
from wattle_gateway.reports.supervise_faults import Refusal, event_faults

Json = dict[str, Any]
FORMAT = "wattle/1/supervision"


def as_json(found: Supervision, refusals: list[Refusal] | None) -> Json:
    """The whole report; amounts in smallest units, energies in mWh, shares in permille.

    `refusals` None where the ledger was not there to be read.
    """
    events = [_event(account) for account in found.accounts]
    return {
        "format": FORMAT,
        "forgotten_events": found.forgotten,
        "assets": {name: asset.decimals for name, asset in sorted(found.assets.items())},
        "events": events,
        "prices": _prices(found),
        "payments": _payments(found),
        "fines": [
            {
                **_who("bearer", fine.bearer),
                **_who("payer", fine.payer),
                "asset": fine.asset,
                "amount": fine.amount,
                "intervals": fine.intervals,
                "events": fine.events,
            }
            for fine in found.fines()
        ],
        "debts": [
            {
                **_who("payer", debt.payer),
                **_who("payee", debt.payee),
                "asset": debt.asset,
                "owed": debt.amount,
            }
            for debt in found.debts()
        ],
        "funds": _funds(found),
        "providers": [
            {
                **_who("provider", share.provider),
                "asset": share.asset,
                "delivered_mwh": share.delivered_mwh,
                "amount": share.amount,
                "delivered_permille": share.delivered_permille,
                "amount_permille": share.amount_permille,
            }
            for share in found.shares()
        ],
        "concentration": [
            {
                "asset": one.asset,
                "providers": one.providers,
                **_who("largest", one.largest),
                "largest_permille": one.largest_permille,
                "index": one.index,
            }
            for one in found.concentration()
        ],
        "parties": _parties(found, refusals),
        "disputes": _disputes(found),
        "refused": None
        if refusals is None
        else [
            {
                **_who("party", found.book.holder(one.kid)),
                "ledger_index": one.leaf,
                "time_ms": one.time_ms,
                "kind": one.kind,
                "why": one.why,
            }
            for one in refusals
        ],
    }


def _event(account: Account) -> Json:
    event, body, parts = account.event, account.event.body, account.parts
    return {
        "event": event.digest.hex(),
        **_who("publisher", account.publisher),
        "method": METHOD_NAMES[body.method],
        "emergency": body.emergency,
        "direction": DIRECTION_NAMES[body.direction],
        "area": body.area,
        "near": body.near,
        "begin_ms": event.begin_ms,
        "end_ms": event.end_ms,
        "state": str(event.state),
        "version": VERSION_NAMES.get(event.version),
        "asset": body.asset,
        "fund": None if body.fund is None else body.fund.hex(),
        "published_prices": {
            "availability": body.availability_price,
            "energy": body.energy_price,
            "penalty": body.penalty_price,
        },
        "uniform_price": event.uniform_price,
        "paid_per_mwh": price_mwh(account.energy_paid, account.delivered_mwh),
        "quantity_w": body.quantity_w,
        "reached_w": event.reached_w,
        "declared": len(account.quotas),
        "selected": sum(1 for quota in account.quotas if quota.was_selected),
        "called": sum(1 for quota in account.quotas if quota.order is not None),
        "confirmed": sum(1 for quota in account.quotas if quota.confirmed_ms is not None),
        "delivered_mwh": account.delivered_mwh,
        "availability": sum(part.availability for part in parts),
        "energy": account.energy_paid,
        "penalty": sum(part.penalty for part in parts),
        "decided": sum(part.decided for part in parts),
        "corrected": sum(part.corrected for part in parts),
        "paid": sum(one.paid for one in account.paid.values()),
        "reserved": event.reserved,
    }


def _prices(found: Supervision) -> list[Json]:
    """By asset and method: what was published and what was paid a MWh."""
    groups: dict[tuple[str, int], list[Account]] = {}
    for account in found.accounts:
        key = (account.asset.name, account.event.body.method)
        groups.setdefault(key, []).append(account)
    table = []
    for (asset, method), accounts in sorted(groups.items()):
        published = [account.event.body.energy_price for account in accounts]
        uniform = [
            account.event.uniform_price
            for account in accounts
            if account.event.uniform_price is not None
        ]
        delivered_mwh = sum(account.delivered_mwh for account in accounts)
        energy = sum(account.energy_paid for account in accounts)
        table.append(
            {
                "asset": asset,
                "method": METHOD_NAMES[method],
                "events": len(accounts),
                "published_lowest": min(published),
                "published_highest": max(published),
                "uniform_lowest": min(uniform, default=None),
                "uniform_highest": max(uniform, default=None),
                "delivered_mwh": delivered_mwh,
                "energy": energy,
                "paid_per_mwh": price_mwh(energy, delivered_mwh),
            }
        )
    return table


def _payments(found: Supervision) -> list[Json]:
    """By publisher or fund, payee and asset: what final events paid."""
    table: dict[tuple[bytes, bytes, str], list[int]] = {}
    for account in found.accounts:
        payer = paying.payer_of(account.event)
        for kid, paid in account.paid.items():
            sums = table.setdefault((payer, kid, account.asset.name), [0, 0])
            sums[0] += paid.own
            sums[1] += paid.paid
    return [
        {
            **_who("payer", found.payer(payer)),
            **_who("payee", found.book.holder(kid)),
            "asset": asset,
            "earned": earned,
            "paid": paid,
        }
        for (payer, kid, asset), (earned, paid) in sorted(table.items())
    ]


def _funds(found: Supervision) -> list[Json]:
    return [
        {
            **fund_json(held, found.book.holder(held.filler), found.book.holder(held.spender)),
            "events": [
                account.event.digest.hex()
                for account in found.accounts
                if account.event.body.fund == held.digest
            ],
        }
        for held in found.funds()
    ]


def _parties(found: Supervision, refusals: list[Refusal] | None) -> list[Json]:
    """Everybody with a standing, a fault in these events, or a refusal."""
    shown = event_faults(found)
    refused: dict[bytes, Counter[str]] = {}
    for one in refusals or ():
        refused.setdefault(one.kid, Counter())[one.why] += 1
    known = {one.kid for one in found.standings()}
    return [
        {
            **_who("party", found.book.holder(kid)),
            "role": _role(found, kid),
            "gateway": found.epoch.author_of(kid) is not None,
            **_standing(found.standing(kid)),
            "event_faults": dict(sorted(shown.get(kid, Counter()).items())),
            "refused": dict(sorted(refused.get(kid, Counter()).items())),
        }
        for kid in sorted({*known, *shown, *refused})
    ]


def _standing(one: Standing) -> Json:
    return {
        "reputation": one.reputation,
        "grade": one.grade,
        "suspended_ms": one.suspended_ms,
        "back_ms": one.back_ms,
        "faults_on_record": one.faults,
        "faults_shown_by": {
            name: {
                "last_ms": record.time_ms,
                "what": fault_record.NAMES[record.shown.what],
                "digest": record.shown.digest.hex(),
                "commit": record.shown.commit,
            }
            for name, record in sorted(one.records.items())
        },
    }


def _disputes(found: Supervision) -> list[Json]:
    table = []
    for account in found.accounts:
        for part in account.parts:
            for one in part.disputes:
                answer, decision = one.answer, one.decision
                table.append(
                    {
                        "dispute": one.digest.hex(),
                        "event": account.event.digest.hex(),
                        "point": point_name(part.quota),
                        "interval": one.index,
                        **_who("by", found.book.holder(one.opened.kid)),
                        "opened_ms": one.opened.time_ms,
                        "reason": one.opened.text,
                        "answer": None if answer is None else answer.text,
                        "asset": account.asset.name,
                        "decided": None if decision is None else decision.amount,
                        "decision": None if decision is None else decision.said.text,
                        "decided_by": None
                        if decision is None
                        else found.book.holder(decision.said.kid).name,
                    }
                )
    return table


def _role(found: Supervision, kid: bytes) -> str | None:
    party = parties.party(found.state, found.epoch, kid)
    return None if party is None else genesis.ROLE_NAMES[party.role]


def _who(what: str, holder: Holder) -> Json:
    return {what: holder.name, f"{what}_kid": holder.kid}
