"""Faults for the regulator: what statements show of parties, and what the ledger refused."""

import sqlite3
from collections import Counter
from dataclasses import dataclass

from wattle_gateway.contracts import classes, registry, weights
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.settlement import judging, parameters
from wattle_gateway.errors import StoreError, UsageError
from wattle_gateway.ledger import entry, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports.supervise import Account, Supervision

REFUSALS_MAX = 100_000  # nobody reads more, and a party can have any number of them


@dataclass(frozen=True)
class Refusal:
    """A transaction of `kid` that the ledger refused: its index, commit time, kind and why."""

    kid: bytes
    leaf: int
    time_ms: int
    kind: str
    why: str


def event_faults(found: Supervision) -> dict[bytes, Counter[str]]:
    """What the newest statements of the span's events show against who declared: in how many events
    each fault. (The ledger charges it once for an event, by the share of what was promised.)"""
    shown: dict[bytes, Counter[str]] = {}
    for account in found.accounts:
        for kid, fault in _of_event(found, account):
            shown.setdefault(kid, Counter())[fault] += 1
    return shown


def _of_event(found: Supervision, account: Account) -> list[tuple[bytes, str]]:
    event = account.event
    market = parameters.market_of(found.state, event)
    lowest = judging.lowest_of([part.quota for part in account.parts])
    faults = []
    for part in account.parts:
        quota = part.quota
        meter = registry.meter(found.state, quota.meter)
        point = None if meter is None else meter.point(quota.device)
        rating_w = None if point is None else point.rating_w
        is_lowest = lowest[quota.meter, quota.device]
        names = judging.faults(event, quota, part.row, market, is_lowest, rating_w)
        faults += [(quota.origin, name) for name in names]
        if event.state == EventState.FINAL and judging.is_silent(event, quota, part.row):
            faults.append((quota.origin, weights.SILENCE))
    # Several loads that show it are one fault of who declared them.
    return sorted(set(faults))


def refusals(
    connection: sqlite3.Connection, ledger_id: bytes, from_ms: int | None, to_ms: int | None
) -> list[Refusal]:
    """The refused transactions of commits in a span, in ledger order. UsageError for too many of
    them, StoreError for a damaged entry."""
    # An entry is [kind, body]: these two bytes begin every transaction. Samples have verdicts, too.
    query = (
        "SELECT leaves.leaf, commits.time_ms, verdict, entries.body FROM leaves "
        "JOIN commits USING (commit_index) JOIN entries ON entries.id = entry "
        "WHERE verdict != 0 AND commits.time_ms >= ? AND commits.time_ms < ? "
        "AND substr(entries.body, 1, 2) = x'8202' ORDER BY leaves.leaf LIMIT ?"
    )
    span = (from_ms or 0, (1 << 62) if to_ms is None else to_ms)
    found = []
    for leaf, time_ms, verdict, body in connection.execute(query, (*span, REFUSALS_MAX + 1)):
        try:
            told = transaction.parse(entry.decode(body).body, ledger_id)
        except LedgerError as error:
            raise StoreError(f"leaf {leaf} is damaged ({error}); run the audit") from error
        kind = transaction.KIND_NAMES.get(told.kind, str(told.kind))
        why = classes.REFUSAL_NAMES.get(verdict, str(verdict))
        found.append(Refusal(told.kid, leaf, time_ms, kind, why))
    if len(found) > REFUSALS_MAX:
        raise UsageError(f"more than {REFUSALS_MAX} refused transactions, expected a shorter span")
    return found
