"""The course of a statement: initial, revised, final, and what comes after (D39).

Theory of operation. The agenda calls `compute` when an event's data should be there, and again
when late samples have changed an interval of it (`touching` has noted which); `finalise` when its
dispute window closes. Each computes by what the state holds then, so that nobody's order of
arrival counts. Only `finalise` moves money. While a dispute is open that somebody may still decide,
it puts itself off. When no sample can change an interval any more, `compute` looks once more: a
difference to what was paid is a correction, carried into the next statement between the two.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from wattle_gateway.contracts import registry, weights
from wattle_gateway.contracts.events import agenda, expiry, rows
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow
from wattle_gateway.contracts.measurement.energy import DAY_MS
from wattle_gateway.contracts.reputation import conduct, fault_record
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.scoring import parts
from wattle_gateway.contracts.scoring import score as scoring
from wattle_gateway.contracts.scoring.parts import Performance
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import (
    delivery,
    disputes,
    judging,
    paying,
    results,
    slicing,
)
from wattle_gateway.contracts.settlement.results import (
    FINAL,
    INITIAL,
    REVISED,
    Correction,
    ResultLine,
    ResultRow,
)
from wattle_gateway.contracts.settlement.touching import is_noted, take_note
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.market import Market

# Corrections stand on the agenda for days: they leave room for events.
CORRECTIONS_PLANNED_MAX = 400

Shares = Counter[tuple[bytes, str]]
"""(Who declared, fault) -> W promised by the resources that show it, summed over intervals."""


def compute(state: State, event: EventRow, market: Market, setting: Setting) -> None:
    """The statements of an event whose data is due: the first ones, those of resources that late
    samples have touched since, or, when it is final, corrections. Writes the event, too."""
    again = Due(setting.time_ms, Step.SETTLE, event.digest)
    selected = _selected(state, event)
    if event.state is EventState.SELECTED:
        made = _stated(state, event, selected, INITIAL, market, setting)
        if made is None:
            agenda.add(state, again)
            return
        _judge(state, event, selected, made, market, setting)
        rows.put_event(state, replace(event, state=EventState.SETTLED, version=INITIAL))
    elif event.state is EventState.SETTLED:
        _revise(state, event, selected, market, setting)
        if any(is_noted(state, quota) for quota in selected):
            agenda.add(state, again)
    elif event.state is EventState.FINAL and setting.time_ms >= last_change_ms(event, market):
        part = slicing.next_part(state, event.digest, selected)
        if part is None:
            expiry.plan(state, event.digest, setting.time_ms, market)
            return
        for quota in part:
            _correct(state, event, quota, market, setting)
        agenda.add(state, again)


def finalise(state: State, event: EventRow, market: Market, setting: Setting) -> None:
    """The last statements of an event, and its payments. Writes the event, too."""
    if event.state is EventState.SELECTED:
        # Its first statements are still being made: time has gone on in leaps.
        agenda.add(state, Due(setting.time_ms, Step.FINALISE, event.digest))
        return
    assert event.state is EventState.SETTLED, event
    selected = _selected(state, event)
    until_ms = _disputed_until_ms(state, event, selected, market, setting.time_ms)
    if until_ms is not None:
        slicing.drop(state, event.digest, selected)
        agenda.add(state, Due(until_ms, Step.FINALISE, event.digest))
        return
    made = _stated(state, event, selected, FINAL, market, setting)
    if made is None:
        agenda.add(state, Due(setting.time_ms, Step.FINALISE, event.digest))
        return
    _judge(state, event, selected, made, market, setting)
    owed: list[tuple[bytes, int]] = []
    silent: Shares = Counter()
    for quota, row in made:
        take_note(state, quota)
        if judging.is_silent(event, quota, row):
            silent[quota.origin, weights.SILENCE] += sum(quota.quotas_w)
        net = row.net + disputes.decided(state, row.disputes)
        owed += paying.shares(net, quota.origin, quota.owner, row.split_permille)
    _charge(state, event, selected, silent, market, setting)
    paying.pay(state, event, paying.summed(owed))
    ended = replace(event, state=EventState.FINAL, version=FINAL, reserved=0)
    rows.put_event(state, ended)
    settled_ms = last_change_ms(event, market)
    if settled_ms > setting.time_ms and len(agenda.entries(state)) < CORRECTIONS_PLANNED_MAX:
        agenda.add(state, Due(settled_ms, Step.SETTLE, event.digest))
    else:
        expiry.plan(state, event.digest, setting.time_ms, market)


def last_change_ms(event: EventRow, market: Market) -> int:
    """From when on no sample changes an interval of the event any more (SPEC section 12)."""
    last_day_ms = -(-(event.end_ms + event.interval_ms) // DAY_MS) * DAY_MS
    return last_day_ms + market.fine_ms


def _selected(state: State, event: EventRow) -> list[QuotaRow]:
    return [quota for quota in rows.quotas(state, event) if quota.was_selected]


def _row(state: State, quota: QuotaRow) -> ResultRow:
    found = results.result(state, quota.event, quota.meter, quota.device)
    assert found is not None, "what was selected has a statement from the first one on"
    return found


def _stated(
    state: State,
    event: EventRow,
    selected: Sequence[QuotaRow],
    version: int,
    market: Market,
    setting: Setting,
) -> slicing.Stated | None:
    """The statements of all resources by the state as it is; None while some are still to come.
    A dispute may have been opened and decided in between."""
    made = slicing.stated(
        state,
        event.digest,
        selected,
        lambda quota: _statement(state, event, quota, version, market, setting),
    )
    if made is None:
        return None
    return [(quota, _with_disputes(state, quota, row)) for quota, row in made]


def _with_disputes(state: State, quota: QuotaRow, row: ResultRow) -> ResultRow:
    newest = results.result(state, quota.event, quota.meter, quota.device)
    return row if newest is None else replace(row, disputes=newest.disputes)


def _revise(
    state: State,
    event: EventRow,
    selected: Sequence[QuotaRow],
    market: Market,
    setting: Setting,
) -> None:
    """State those anew that late samples have touched, as many as a commit has time for."""
    made = []
    for quota in [one for one in selected if is_noted(state, one)][: slicing.LOADS_A_COMMIT]:
        take_note(state, quota)
        row = _statement(state, event, quota, REVISED, market, setting)
        if row.lines != _row(state, quota).lines:
            made.append((quota, row))
    if made:
        _judge(state, event, selected, made, market, setting)
        rows.put_event(state, replace(event, version=REVISED))


def _judge(
    state: State,
    event: EventRow,
    selected: Sequence[QuotaRow],
    made: slicing.Stated,
    market: Market,
    setting: Setting,
) -> None:
    """Charge and score by new statements, and write them."""
    lowest = judging.lowest_of(selected)
    failed: Shares = Counter()
    for quota, row in made:
        before = results.result(state, event.digest, quota.meter, quota.device)
        for fault in _faults(state, event, quota, before, row, lowest, market):
            failed[quota.origin, fault] += sum(quota.quotas_w)
    _charge(state, event, selected, failed, market, setting)
    scores = _score(state, event, made, market, setting.time_ms)
    for quota, row in made:
        if row.score is None:
            row = replace(row, score=scores.get(quota.origin))
        results.put_result(state, row)


def _statement(
    state: State,
    event: EventRow,
    quota: QuotaRow,
    version: int,
    market: Market,
    setting: Setting,
) -> ResultRow:
    """The statement of a resource by the state as it is now."""
    before = results.result(state, event.digest, quota.meter, quota.device)
    prices = delivery.tariff(state, event, quota, market)
    told = delivery.metering(state, quota, before)
    found = delivery.delivery(state, event, quota, prices, told, market)
    lines = found.lines
    if before is not None:
        pairs = zip(lines, before.lines, strict=True)
        lines = tuple(_marked(line, earlier) for line, earlier in pairs)
    return ResultRow(
        event.digest,
        quota.meter,
        quota.device,
        version,
        setting.head.index,
        setting.time_ms,
        prices.availability_price,
        prices.energy_price,
        prices.penalty_price,
        delivery.split_permille(state, event, quota),
        told.period_ms,
        told.resolution_wh,
        found.baseline,
        lines,
        None if before is None else before.score,
        () if before is None else before.disputes,
    )


def _marked(line: ResultLine, earlier: ResultLine) -> ResultLine:
    """A line with the class `revised` if it ever was another (D13)."""
    without = replace(earlier, classes=earlier.classes - {weights.REVISED})
    if weights.REVISED in earlier.classes or line != without:
        return replace(line, classes=line.classes | {weights.REVISED})
    return line


def _faults(
    state: State,
    event: EventRow,
    quota: QuotaRow,
    before: ResultRow | None,
    row: ResultRow,
    lowest: Mapping[tuple[bytes, int], bool],
    market: Market,
) -> frozenset[str]:
    """What the lines show that those before did not: each fault once for a resource and event."""
    meter = registry.meter(state, quota.meter)
    point = None if meter is None else meter.point(quota.device)
    rating_w = None if point is None else point.rating_w
    at = (quota.meter, quota.device)
    found = judging.faults(event, quota, row, market, lowest[at], rating_w)
    if before is not None:
        found -= judging.faults(event, quota, before, market, lowest[at], rating_w)
    return found


def _charge(
    state: State,
    event: EventRow,
    selected: Sequence[QuotaRow],
    failed: Shares,
    market: Market,
    setting: Setting,
) -> None:
    """Charge each party once with each fault, by its share of what the party promised."""
    shown = Shown(fault_record.EVENT, event.digest, setting.head.index)
    promised_w: Counter[bytes] = Counter()
    for quota in selected:
        promised_w[quota.origin] += sum(quota.quotas_w)
    for (kid, fault), part_w in sorted(failed.items()):
        share = part_w, promised_w[kid]
        conduct.charge(state, market, kid, fault, shown, setting.time_ms, share)


def _score(
    state: State,
    event: EventRow,
    made: Sequence[tuple[QuotaRow, ResultRow]],
    market: Market,
    time_ms: int,
) -> dict[bytes, scoring.Score]:
    """The scores of those who have none yet in this event and of whom something can be said; they
    move reputations. Who left something unmeasured is not judged before the last statement: a score
    rests on all that was to be known, and nobody chooses by delay what it rests on."""
    if any(row.version == REVISED for _, row in made):
        return {}  # of some resources alone
    waits = {
        quota.origin
        for quota, row in made
        if row.version != FINAL and judging.awaits_data(event, quota, row)
    }
    performances: dict[bytes, list[Performance]] = {}
    rated = {quota.origin for quota, row in made if row.score is not None}
    for quota, row in made:
        found = judging.performance(event, quota, row, market)
        if found is not None and quota.origin not in waits:
            performances.setdefault(quota.origin, []).append(found)
    history = {kid: standing(state, market, kid, time_ms).history for kid in performances}
    scores = scoring.event_scores(performances, history, market)
    for kid in sorted(scores.keys() - rated):
        share = parts.bearing(performances[kid])
        conduct.rate(state, market, kid, event.digest, scores[kid], time_ms, share)
    return {kid: scores[kid] for kid in scores.keys() - rated}


def _disputed_until_ms(
    state: State, event: EventRow, selected: Sequence[QuotaRow], market: Market, time_ms: int
) -> int | None:
    """How long a decision may still come, None if nothing is open."""
    still_open = [
        one.opened.time_ms + market.decide_ms + 1
        for quota in selected
        for one in disputes.of(state, _row(state, quota).disputes)
        if one.is_open(market, time_ms)
    ]
    return max(still_open, default=None)


def _correct(
    state: State, event: EventRow, quota: QuotaRow, market: Market, setting: Setting
) -> None:
    """What a final statement would say by what the event's own intervals hold now, and does not,
    is carried into the next one."""
    final = _row(state, quota)
    now = delivery.delivery_since(state, event, quota, final, market)
    pairs = list(zip(now, final.lines, strict=True))
    indexes = tuple(index for index, (new, old) in enumerate(pairs) if new.net != old.net)
    amount = paying.within(sum(new.net - old.net for new, old in pairs))
    if not indexes or final.correction is not None:
        return
    correction = Correction(setting.head.index, setting.time_ms, amount, indexes)
    results.put_result(state, replace(final, correction=correction))
    share = paying.shares(amount, quota.origin, quota.owner, final.split_permille)
    paying.carry(state, event, paying.summed(share))
