"""Execution of `publish` (D17, D18, D36)."""

from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Method
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import agenda, expiry, reserve, rows, selecting
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.event_bodies import Publish
from wattle_gateway.ledger.market import Market

# Events that are over and not forgotten yet; at sixty days more than one a minute.
KEPT_MAX = 100_000
_DAY_MS = 86_400_000
# The others ask the day of the event itself.
_LOOKING_BACK = (Method.X_OF_Y, Method.NEAREST)
# Select, settle, finalise.
_STEPS = 3


def publish(
    state: State, body: Publish, digest: bytes, party: Party, market: Market, setting: Setting
) -> None:
    """Execute a `publish`; `digest` of its transaction is what the event is named by. A realtime
    event is selected and ordered at once. RefusedError for the first clause that fails."""
    _check_window(body, market, setting.time_ms)
    rule = rule_form.decode(body.rule)
    if rule.method in _LOOKING_BACK and rule.look_back_days > market.keep_days:
        raise RefusedError(classes.RULE_UNFIT)
    if accounts.asset(state, body.asset) is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    _check_room(state, market)
    reserved = reserve.of_publish(body, market)
    reserve.lock_first(state, body, party.kid, reserved, market, setting.time_ms)
    state.put(key("market", market.digest), market.raw)
    event = EventRow(
        digest,
        party.kid,
        setting.time_ms,
        market.digest,
        market.interval_s,
        body,
        reserved=reserved,
    )
    rows.put_event(state, event)
    planned = [
        Due(event.end_ms + market.settle_ms, Step.SETTLE, digest),
        Due(event.end_ms + market.dispute_ms, Step.FINALISE, digest),
    ]
    if body.method != event_bodies.REALTIME:
        planned.append(Due(body.select_ms, Step.SELECT, digest))
    agenda.add(state, *planned)
    if body.method == event_bodies.REALTIME:
        selecting.select_realtime(state, event, market, setting)


def _check_window(body: Publish, market: Market, time_ms: int) -> None:
    if body.begin_ms % market.interval_ms:
        raise RefusedError(classes.BEGIN_UNALIGNED)
    if body.intervals > market.intervals_max:
        raise RefusedError(classes.INTERVALS_OVER)
    if body.method == event_bodies.REALTIME:
        passed = body.begin_ms + market.interval_ms <= time_ms
    else:
        if body.select_ms > body.begin_ms - body.notice_ms:
            raise RefusedError(classes.NOTICE_SHORT)
        passed = body.select_ms < time_ms
    if passed:
        raise RefusedError(classes.WINDOW_PASSED)
    if body.begin_ms > time_ms + market.keep_days * _DAY_MS:
        raise RefusedError(classes.WINDOW_TOO_FAR)


def _check_room(state: State, market: Market) -> None:
    """An event is open as long as its end is planned."""
    planned = agenda.entries(state)
    open_events = sum(due.step == Step.FINALISE for due in planned)
    if open_events >= market.events_open_max or expiry.kept(state) >= KEPT_MAX:
        raise RefusedError(classes.EVENTS_FULL)
    if not agenda.has_room(state, _STEPS):
        raise RefusedError(classes.EVENTS_FULL)
