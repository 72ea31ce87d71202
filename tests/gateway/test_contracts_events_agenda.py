"""The ledger does what is due by itself, at the beginning of a commit, in one order (D23)."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts.events import agenda, due, expiry, quota_count, rows
from wattle_gateway.contracts.events.agenda import ENTRIES_MAX, PLANNED_MAX, Due, Step
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key, prefix
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.settlement_bodies import Fund
from wattle_gateway.ledger.transaction import DISPATCH, FUND
from wattle_testkit.account_ledger import GRID, RETAIL, AccountLedger, User
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    HOUSE,
    INTERVAL_MS,
    NEIGHBOUR,
    SELECT_MS,
    USERS,
    EventLedger,
)
from wattle_wire import cbor

END_MS = BEGIN_MS + 4 * INTERVAL_MS
SHORT = Market(
    settle_ms=1_000, dispute_ms=2_000, fine_ms=3_000, decide_ms=1_000, keep_days=1, interval_s=900
)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
dues = st.builds(
    Due, st.integers(0, 50), st.sampled_from(Step), st.integers(0, 3).map(lambda n: bytes([n]) * 32)
)


def state_of(planned: list[Due]) -> State:
    state = State({})
    agenda.add(state, *planned)
    return state


@given(st.lists(dues, max_size=20), st.integers(-1, 51))
@settings(max_examples=60, deadline=None)
def test_a_commit_takes_all_that_its_time_has_reached_in_the_order_of_steps(
    planned: list[Due], time_ms: int
) -> None:
    state = state_of(planned)
    taken = agenda.take(state, time_ms)
    first: dict[tuple[Step, bytes], Due] = {}
    for one in sorted(one for one in planned if one.time_ms <= time_ms):
        first.setdefault((one.step, one.digest), one)
    assert taken == sorted(first.values(), key=lambda one: (one.step, one.time_ms, one.digest))
    assert agenda.entries(state) == tuple(sorted({one for one in planned if one.time_ms > time_ms}))
    rest = [one.time_ms for one in planned if one.time_ms > time_ms]
    assert agenda.next_ms(state) == min(rest, default=None)


def test_the_row_is_that_of_spec_and_goes_with_its_last_entry() -> None:
    state = state_of([Due(7, Step.FINALISE, bytes(32)), Due(7, Step.SELECT, bytes(32))])
    assert state.get(key("agenda")) == cbor.encode([[7, 3, bytes(32)], [7, 5, bytes(32)]])
    agenda.drop(state, bytes(32))
    assert state.get(key("agenda")) is None
    assert agenda.next_ms(state) is None


def test_the_agenda_is_bounded_and_its_last_part_is_not_for_parties() -> None:
    times = [Due(1 << 50 | number, Step.SETTLE, bytes([255]) * 32) for number in range(ENTRIES_MAX)]
    state = state_of(times[:PLANNED_MAX])
    assert agenda.has_room(state, 0)
    assert not agenda.has_room(state, 1)
    assert agenda.add(state, *times)
    assert not agenda.add(state, Due(0, Step.SETTLE, bytes(32)))
    assert agenda.entries(state) == tuple(times)


def test_all_steps_due_in_one_commit_are_done_in_the_fixed_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By their times they would be done as settle, finalise, expire, release, select."""
    ledger = EventLedger(SHORT)
    fund = Fund("frost", "EUR", 10, RETAIL.kid, SELECT_MS + 28 * HOUR_MS).row()
    ledger.done(GRID, FUND, fund)
    nobodys = ledger.publish()  # it fails, and expires a day later
    ledger.commit_at(SELECT_MS)
    first, second = (
        published(ledger, HOUSE, hours=6),
        published(ledger, NEIGHBOUR, hours=29, at_hour=6),
    )
    done: list[Step] = []
    before = due._do

    def noted(state: State, one: Due, setting: Setting) -> None:
        done.append(one.step)
        before(state, one, setting)

    monkeypatch.setattr(due, "_do", noted)
    ledger.commit_at(SELECT_MS + 29 * HOUR_MS)
    assert done == [Step.RELEASE, Step.EXPIRE, Step.SELECT, Step.SETTLE, Step.FINALISE]
    assert rows.event(ledger.state, nobodys) is None
    assert ledger.event(first).state is EventState.FINAL
    assert ledger.event(second).state is EventState.SELECTED
    ledger.check_money()


def published(ledger: EventLedger, user: User, *, hours: int, at_hour: int = 0) -> bytes:
    """An event so many hours later than usual, published, declared for and, if its time is that
    hour, selected."""
    ledger.commit_at(SELECT_MS + at_hour * HOUR_MS)
    later_ms = hours * HOUR_MS
    event = ledger.publish(begin_ms=BEGIN_MS + later_ms, select_ms=SELECT_MS + later_ms)
    ledger.declare_load(event, user)
    return event


def test_of_an_event_that_is_over_nothing_else_is_planned() -> None:
    ledger = EventLedger(SHORT)
    event = ledger.publish()
    view = State(ledger.state)
    agenda.add(view, Due(SELECT_MS + 1, Step.SETTLE, event))
    expiry.plan(view, event, SELECT_MS, SHORT)
    assert agenda.entries(view) == (Due(SELECT_MS + DAY_MS, Step.EXPIRE, event),)


def rows_of(state: Mapping[bytes, bytes], *tables: str) -> list[str]:
    return [
        table
        for table in tables
        for ids in range(5)
        for row in state
        if row.startswith(prefix(table, ids))
    ]


def test_an_event_that_is_over_is_forgotten_with_all_its_rows() -> None:
    ledger = EventLedger(SHORT)
    kept = "event", "quota", "order", "result", "over", "agenda", "dispute", "payment", "stale"
    before = ledger.held(RETAIL)
    for _ in range(2):
        event = ledger.publish()
        for user in USERS:
            ledger.declare_load(event, user)
    ledger.commit_at(SELECT_MS)
    ledger.done(RETAIL, DISPATCH, ledger.order_of(event))
    time_ms = END_MS
    while (next_ms := agenda.next_ms(ledger.state)) is not None:
        assert next_ms <= END_MS + 6 * DAY_MS
        time_ms = max(time_ms, next_ms)
        ledger.commit_at(time_ms)
        ledger.check_money()
    assert rows_of(ledger.state, *kept) == ["over"]  # the numbers of the queue
    assert quota_count.kept(ledger.state) == 0
    assert ledger.held(RETAIL) == before  # nobody was measured, so nobody was paid


def test_a_selection_that_comes_after_the_end_selects_nobody() -> None:
    """The alliance stood still: nobody could be called any more, so nobody is paid."""
    ledger = EventLedger(SHORT)
    before = ledger.held(RETAIL)
    event = ledger.publish()
    for user in USERS:
        ledger.declare_load(event, user)
    ledger.commit_at(END_MS + DAY_MS // 2)
    assert ledger.event(event).state is EventState.FAILED
    assert {ledger.quota(event, user).why for user in USERS} == {"too_late"}
    assert ledger.held(RETAIL) == before


def test_ledgers_of_older_rules_have_no_agenda() -> None:
    old = AccountLedger(rules=2)
    old.declare()
    old.chain.commit(time_ms=CREATED_MS + DAY_MS)
    assert rows_of(old.state, "agenda", "connected") == []
