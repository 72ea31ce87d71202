"""`dr statement`: what a party gets or pays for events, line by line, with the entries of the
ledger that each line rests on (D35 to D41)."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from wattle_wire import topics

from wattle_gateway.contracts.baseline.local_days import Zone, date_of
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.settlement import disputes, paying, results
from wattle_gateway.contracts.settlement.disputes import DisputeRow
from wattle_gateway.contracts.settlement.paying import Paid
from wattle_gateway.contracts.settlement.results import (
    VERSION_NAMES,
    Correction,
    ResultLine,
    ResultRow,
)
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import transaction
from wattle_gateway.reports import statement_entries
from wattle_gateway.reports.carried_origins import Origin, origins
from wattle_gateway.reports.statement_entries import Span

PAYER = "payer"
DECLARER = "declarer"
OWNER = "owner"


@dataclass(frozen=True)
class Entries:
    """Ledger indexes, None for what the store has no more or what there is none of."""

    publish: int | None
    declaration: int | None
    dispatch: int | None
    samples: Span | None = None

    def as_json(self) -> dict[str, Any]:
        """The indexes by name; of samples the first and the last."""
        first, last = (None, None) if self.samples is None else self.samples
        return {
            "publish": self.publish,
            "declaration": self.declaration,
            "dispatch": self.dispatch,
            "first_sample": first,
            "last_sample": last,
        }


@dataclass(frozen=True)
class DisputeEntries:
    """Ledger indexes of what was said about a line, None for what was not."""

    dispute: int | None
    answer: int | None
    decision: int | None


@dataclass(frozen=True)
class StatementLine:
    """One interval, `begin_ms` its beginning, with the quota declared and what it rests on."""

    begin_ms: int
    quota_w: int
    line: ResultLine
    entries: Entries


@dataclass(frozen=True)
class ResourceStatement:
    """The newest statement of a load, as one party sees it: `roles` what the party is to it (words
    above), `share` what of the net is its own; of who pays that is what it costs, below 0.
    `said` the entries of each of `disputes`; `late` the first and last sample of the correction."""

    quota: QuotaRow
    row: ResultRow
    roles: tuple[str, ...]
    lines: tuple[StatementLine, ...]
    disputes: tuple[DisputeRow, ...]
    share: int
    said: tuple[DisputeEntries, ...] = ()
    late: Span | None = None

    @property
    def point(self) -> str:
        """The load's point as people write it."""
        return f"{topics.meter_id(self.quota.meter)}/{self.quota.device}"

    @property
    def net(self) -> int:
        """All lines and decisions together."""
        return self.row.net + sum(
            one.decision.amount for one in self.disputes if one.decision is not None
        )

    @property
    def correction(self) -> Correction | None:
        """What came after the last statement, and goes into the next one between the two."""
        return self.row.correction


@dataclass(frozen=True)
class EventStatement:
    """What a party has to do with an event. `payment` what it got at the end, None before it or
    for who only pays; `cost` what the event has cost who pays so far, None for others; `carried`
    where that comes from which was carried into the payment."""

    event: EventRow
    resources: tuple[ResourceStatement, ...]
    payment: Paid | None
    cost: int | None
    carried: tuple[Origin, ...] = ()

    @property
    def version(self) -> str:
        """`initial`, `revised`, `final`, or `none` before the first statement."""
        return VERSION_NAMES.get(self.event.version, "none")


def in_month(state: Mapping[bytes, bytes], zone: Zone, first: date) -> list[EventRow]:
    """The events that begin in the month of `first` (its first day) by local time."""

    def begins(event: EventRow) -> date:
        return date_of(zone.wall(event.begin_ms // 1000)[0])

    found = ((event, begins(event)) for event in rows.events(state))
    return [event for event, day in found if (day.year, day.month) == (first.year, first.month)]


def statements(
    connection: sqlite3.Connection,
    ledger_id: bytes,
    mapping: Mapping[bytes, bytes],
    party: bytes,
    events: Sequence[EventRow],
) -> list[EventStatement]:
    """What a party (kid) has to do with these events; those that it has nothing to do with are
    left out. Raises StoreError for a damaged entry."""
    state = State(mapping)
    concerned = [(event, _parts(state, event, party)) for event in events]
    concerned = [(event, parts) for event, parts in concerned if parts]
    wanted = {event.digest for event, _ in concerned}
    disputed: set[bytes] = set()
    for _, parts in concerned:
        for quota, _ in parts:
            wanted.add(quota.digest)
            if quota.order is not None:
                wanted.add(quota.order)
            row = results.result(state, quota.event, quota.meter, quota.device)
            disputed.update(() if row is None else row.disputes)
    indexes = statement_entries.transactions(connection, ledger_id, wanted | disputed)
    said = statement_entries.about_disputes(connection, ledger_id, disputed)
    reader = _Reader(connection, ledger_id, state, indexes, said, rows.events(mapping))
    return [reader.of_event(event, parts, party) for event, parts in concerned]


_Part = tuple[QuotaRow, tuple[str, ...]]
"""(a selected load, what the party is to it)."""


def _parts(state: State, event: EventRow, party: bytes) -> list[_Part]:
    found = []
    for quota in rows.quotas(state, event):
        held = ((PAYER, event.publisher), (DECLARER, quota.origin), (OWNER, quota.owner))
        roles = tuple(role for role, kid in held if kid == party)
        if quota.was_selected and roles:
            found.append((quota, roles))
    return found


class _Reader:
    """Puts statements together from the state and the store."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        ledger_id: bytes,
        state: State,
        indexes: Mapping[bytes, int],
        said: Mapping[tuple[int, bytes], int],
        events: Sequence[EventRow],
    ) -> None:
        self._connection = connection
        self._ledger_id = ledger_id
        self._state = state
        self._indexes = indexes
        self._said = said
        self._events = events

    def of_event(self, event: EventRow, parts: Sequence[_Part], party: bytes) -> EventStatement:
        resources = tuple(self._resources(event, parts, party))
        payment = paying.paid(self._state, event.digest, party)
        cost = None
        if event.publisher == party:
            payees = {kid for quota, _ in parts for kid in (quota.origin, quota.owner)}
            found = (paying.paid(self._state, event.digest, kid) for kid in payees)
            cost = sum(one.paid for one in found if one is not None)
        carried = origins(self._state, self._events, event, party)
        return EventStatement(event, resources, payment, cost, carried)

    def _resources(
        self, event: EventRow, parts: Sequence[_Part], party: bytes
    ) -> Iterator[ResourceStatement]:
        for quota, roles in parts:
            row = results.result(self._state, event.digest, quota.meter, quota.device)
            if row is None:
                continue  # nothing is stated yet
            disputed = tuple(disputes.of(self._state, row.disputes))
            net = row.net + disputes.decided(self._state, row.disputes)
            split = paying.shares(net, quota.origin, quota.owner, row.split_permille)
            share = sum(part for kid, part in split if kid == party)
            if PAYER in roles:
                share -= net
            lines = tuple(self._lines(event, quota, row))
            said = tuple(self._entries(one.digest) for one in disputed)
            late = self._late(event, quota, row)
            yield ResourceStatement(quota, row, roles, lines, disputed, share, said, late)

    def _entries(self, dispute: bytes) -> DisputeEntries:
        return DisputeEntries(
            self._indexes.get(dispute),
            self._said.get((transaction.ANSWER, dispute)),
            self._said.get((transaction.DECIDE, dispute)),
        )

    def _late(self, event: EventRow, quota: QuotaRow, row: ResultRow) -> Span | None:
        """The first and last sample that came after the final statement and changed it."""
        correction = row.correction
        if correction is None:
            return None
        spans = self._samples(event, quota, correction.commit, after=row.commit)
        begins = [event.interval_begin_ms(index) for index in correction.indexes]
        found = [spans[at] for at in begins if at in spans]
        if not found:
            return None
        return min(first for first, _ in found), max(last for _, last in found)

    def _samples(
        self, event: EventRow, quota: QuotaRow, commit: int, after: int = 0
    ) -> dict[int, Span]:
        return statement_entries.samples(
            self._connection,
            self._ledger_id,
            quota.meter,
            quota.device,
            (event.begin_ms, event.end_ms),
            event.interval_ms,
            commit,
            after,
        )

    def _lines(self, event: EventRow, quota: QuotaRow, row: ResultRow) -> Iterator[StatementLine]:
        spans = self._samples(event, quota, row.commit)
        order = None if quota.order is None else self._indexes.get(quota.order)
        for index, line in enumerate(row.lines):
            begin_ms = event.interval_begin_ms(index)
            entries = Entries(
                self._indexes.get(event.digest),
                self._indexes.get(quota.digest),
                order,
                spans.get(begin_ms),
            )
            yield StatementLine(begin_ms, quota.quotas_w[index], line, entries)
