"""`dr profile`: how a party stands, and what its last events say of it (D34).

Nothing is kept for it: it is read off the statements of the events that the ledger still holds.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wattle_wire import cose

from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.contracts.settlement import results
from wattle_gateway.contracts.settlement.delivery import was_called
from wattle_gateway.contracts.settlement.lines import (
    CALLED,
    UNMEASURED,
    WITHDRAWN,
    Facts,
    adjustment_mj,
)
from wattle_gateway.contracts.settlement.results import ResultLine
from wattle_gateway.contracts.state import State, key
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.market import PERMILLE, Market
from wattle_gateway.reports.accounts import Book, Holder
from wattle_gateway.reports.fault_grounds import Ground

HOUR_S = 3_600
_MJ_PER_W_S = 1_000


@dataclass(frozen=True)
class HourLine:
    """Hour of the day, on the clock of the ledger's zone: in how many intervals the party was
    called in it, and in how many of them it delivered what counts as delivery."""

    hour: int
    called: int
    kept: int

    @property
    def permille(self) -> int:
        """The share that was kept."""
        return PERMILLE * self.kept // self.called


@dataclass(frozen=True)
class EventScore:
    """An event of the party; `begin_ms` None for one that the ledger has forgotten."""

    event: str
    begin_ms: int | None
    absolute: int
    vertical: int
    horizontal: int
    score: int


@dataclass(frozen=True)
class Profile:
    """A party. `standing` its row at the newest commit; `resting`: as a gateway it leads no slot of
    the epoch; `scores` of its last events, newest first.

    Of the `events` that the ledger holds with `loads` of it: `typical_w` the median of the power
    delivered in an interval; `response_ms` the median from order to confirmation, of `ordered`
    orders `confirmed` were; `endurance_ms` the longest time without a break in which it delivered;
    `hours` how reliable it was. None where nothing was measured. `grounds` what shows the newest of
    each class of its faults, where a store was at hand.
    """

    party: Holder
    standing: Standing
    resting: bool
    scores: tuple[EventScore, ...]
    events: int
    loads: int
    typical_w: int | None
    response_ms: int | None
    ordered: int
    confirmed: int
    endurance_ms: int | None
    hours: tuple[HourLine, ...]
    grounds: tuple[Ground, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The shape of `dr profile --format json`."""
        found = self.standing
        return {
            "party": self.party.name,
            "kid": self.party.kid,
            "grade": found.grade,
            "reputation": found.reputation,
            "suspended_ms": found.suspended_ms,
            "back_ms": found.back_ms,
            "resting": self.resting,
            "last_fault_ms": found.last_fault_ms or None,
            "faults": dict(found.faults),
            "shown_by": [ground.as_json() for ground in self.grounds],
            "selection_permille": found.selection_permille,
            "scores": [asdict(score) for score in self.scores],
            "events": self.events,
            "loads": self.loads,
            "typical_w": self.typical_w,
            "response_ms": self.response_ms,
            "ordered": self.ordered,
            "confirmed": self.confirmed,
            "endurance_ms": self.endurance_ms,
            "hours": [{**asdict(line), "permille": line.permille} for line in self.hours],
        }


@dataclass(frozen=True)
class _Part:
    """A load of the party in an event that has a statement."""

    event: EventRow
    quota: QuotaRow
    lines: Sequence[ResultLine]


def kid_of(state: Mapping[bytes, bytes], epoch: Epoch, word: str) -> bytes:
    """The party with this name or kid; also one that has left and still has a standing, by kid.
    UsageError if there is none."""
    if len(word) == 2 * cose.KID_BYTES and all(digit in "0123456789abcdef" for digit in word):
        kid = bytes.fromhex(word)
        if key("standing", kid) in state:
            return kid
    return Book(state, epoch).kid_of(word)


def profile(
    state: Mapping[bytes, bytes], epoch: Epoch, market: Market, kid: bytes, time_ms: int, last: int
) -> Profile:
    """The profile of a party (kid) at a commit time, by its newest `last` events, whether it
    declared the loads or they are its own. Raises StateError."""
    found = standing(state, market, kid, time_ms)
    known = {row.digest: row for row in rows.events(state)}
    parts = _parts(state, known.values(), kid, last)
    delivered = [_delivered_w(part, line) for part in parts for line in part.lines]
    known_w = sorted(watts for watts in delivered if watts is not None)
    responses = sorted(
        part.quota.confirmed_ms - part.quota.ordered_ms
        for part in parts
        if part.quota.confirmed_ms is not None and part.quota.ordered_ms is not None
    )
    return Profile(
        party=Book(state, epoch).holder(kid),
        standing=found,
        resting=kid in epoch.resting,
        scores=tuple(
            EventScore(
                mark.event.hex(),
                known[mark.event].begin_ms if mark.event in known else None,
                *mark[1:],
            )
            for mark in found.events
        ),
        events=len({part.event.digest for part in parts}),
        loads=len({(part.quota.meter, part.quota.device) for part in parts}),
        typical_w=_median(known_w),
        response_ms=_median(responses),
        ordered=sum(part.quota.order is not None for part in parts),
        confirmed=len(responses),
        endurance_ms=max((_endurance_ms(part, market) for part in parts), default=None),
        hours=_hours(parts, market),
    )


def _parts(
    state: Mapping[bytes, bytes], events: Iterable[EventRow], kid: bytes, last: int
) -> list[_Part]:
    view = State(state)
    found: list[_Part] = []
    seen = 0
    for event in sorted(events, key=lambda one: (one.begin_ms, one.digest), reverse=True):
        parts = []
        for quota in rows.quotas(view, event):
            if quota.was_selected and kid in (quota.origin, quota.owner):
                result = results.result(view, event.digest, quota.meter, quota.device)
                if result is not None:
                    parts.append(_Part(event, quota, result.lines))
        found += parts
        seen += bool(parts)
        if seen == last:
            break
    return found


def _delivered_w(part: _Part, line: ResultLine) -> int | None:
    """Mean power delivered in an interval in which the load was called; None where that is not
    known."""
    if line.status != CALLED:
        return None
    facts = Facts(0, line.baseline_mj, line.energy.energy_mwh, True)
    adjusted_mj = adjustment_mj(facts, part.event.body.direction)
    assert adjusted_mj is not None, "a called interval has a baseline and an energy"
    return adjusted_mj // (part.event.interval_s * _MJ_PER_W_S)


def _kept(part: _Part, index: int, market: Market) -> bool | None:
    """Whether an interval counts as delivered; None if the load was not called in it."""
    line, quota_w = part.lines[index], part.quota.quotas_w[index]
    if line.status == WITHDRAWN:
        return False
    if line.status == UNMEASURED and was_called(part.event, part.quota, index):
        return False
    delivered_w = _delivered_w(part, line)
    if delivered_w is None or quota_w == 0:
        return None
    return delivered_w * PERMILLE >= quota_w * market.delivery_floor_permille


def _endurance_ms(part: _Part, market: Market) -> int:
    longest = run = 0
    for index in range(len(part.lines)):
        run = run + 1 if _kept(part, index, market) else 0
        longest = max(longest, run)
    return longest * part.event.interval_ms


def _hours(parts: Iterable[_Part], market: Market) -> tuple[HourLine, ...]:
    zone = Zone(market.zone.first_offset_s, market.zone.transitions)
    called: Counter[int] = Counter()
    kept: Counter[int] = Counter()
    for part in parts:
        for index in range(len(part.lines)):
            was_kept = _kept(part, index, market)
            if was_kept is not None:
                _, second = zone.wall(part.event.interval_begin_ms(index) // 1000)
                called[second // HOUR_S] += 1
                kept[second // HOUR_S] += was_kept
    return tuple(HourLine(hour, called[hour], kept[hour]) for hour in sorted(called))


def _median(rising: Sequence[int]) -> int | None:
    """The lower median of sorted numbers."""
    return rising[(len(rising) - 1) // 2] if rising else None


def checked_last(last: int) -> int:
    """How many events a profile is read off; UsageError below 1."""
    if last < 1:
        raise UsageError(f"--events {last}, expected 1 or more")
    return last
