"""Statements of an event from the first to the last, and what is paid (D35 to D39)."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import weights
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.contracts.settlement import course, lines, results, slicing
from wattle_gateway.contracts.state import State, key, prefix
from wattle_gateway.ledger.settlement_bodies import Decide, Dispute
from wattle_gateway.ledger.transaction import DECIDE, DISPATCH, DISPUTE, WITHDRAW
from wattle_testkit.account_ledger import GRID, RETAIL, User
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import (
    END_MS,
    FINAL_MS,
    HOUR_MS,
    MARKET,
    SETTLE_MS,
    USUAL_W,
    SettledEvent,
    fresh,
)
from wattle_wire.sample import Reading


@pytest.fixture
def ledger() -> SettledEvent:
    return fresh()


def faults(ledger: SettledEvent, user: User) -> dict[str, int]:
    found = standing(State(ledger.state), MARKET, user.kid, ledger.chain.head.time_ms)
    return dict(found.faults)


class TestInitial:
    """The first statement."""

    def test_it_comes_when_the_data_should_be_there(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS - 1)
        assert ledger.event(event).state is EventState.SELECTED
        ledger.commit_at(SETTLE_MS)
        row = ledger.event(event)
        assert (row.state, row.version) == (EventState.SETTLED, results.INITIAL)
        found = ledger.result(event, HOUSE)
        assert (found.version, found.time_ms) == (results.INITIAL, SETTLE_MS)
        assert found.commit == ledger.chain.head.index - 1
        assert found.baseline == results.BASELINE_MADE

    def test_exact_delivery_is_paid_at_the_uniform_price(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        for user in (HOUSE, NEIGHBOUR):
            for line in ledger.result(event, user).lines:
                assert line.status == lines.CALLED
                assert line.baseline_mj == USUAL_W * 900 * 1_000
                assert line.energy.energy_mwh == 100_000
                # 0.0006 MWh: x 50,000 = 30 for availability, x 100,000 = 60 for energy
                assert (line.availability, line.energy_paid, line.penalty) == (30, 60, 0)

    def test_exact_delivery_scores_full_accuracy(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        score = ledger.result(event, HOUSE).score
        assert score is not None
        assert (score.accuracy, score.availability) == (1_000, 1_000)
        assert faults(ledger, HOUSE) == {}

    def test_a_shortfall_is_charged_and_lowers_the_score(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        found = ledger.result(event, HOUSE)
        # 0.0002 MWh of 0.0006 delivered; 0.0004 less the deadband of 5 % of 0.0006, x 100,000
        assert {(line.energy_paid, line.penalty) for line in found.lines} == {(20, 37)}
        assert found.score is not None
        assert found.score.accuracy < 500
        # It asked the lowest price and was not alone: it bid low and did not deliver.
        assert faults(ledger, HOUSE) == {weights.UNDERBID: 1}
        assert faults(ledger, NEIGHBOUR) == {}

    def test_the_dearer_one_is_charged_with_not_delivering(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 800})
        ledger.commit_at(SETTLE_MS)
        assert faults(ledger, NEIGHBOUR) == {weights.NO_DELIVERY: 1}

    def test_a_quota_above_what_would_have_been_drawn_is_false(self, ledger: SettledEvent) -> None:
        event = ledger.call(quotas_w=(3_000,) * 4)
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        assert faults(ledger, HOUSE) == {weights.FALSE_DECLARATION: 1}

    def test_before_an_order_availability_alone_is_paid(self, ledger: SettledEvent) -> None:
        event = ledger.publish(select_ms=BEGIN_MS - HOUR_MS // 2, quantity_w=2_000)
        ledger.declare_load(event, HOUSE, (2_400,) * 4)
        ledger.commit_at(BEGIN_MS + INTERVAL_MS + 1)
        ledger.order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event, HOUSE))
        ledger.measured(HOUSE, {}, confirms=None)
        ledger.commit_at(SETTLE_MS)
        found = ledger.result(event, HOUSE)
        assert found.lines[0].status == lines.UNCALLED
        assert found.lines[0].net == 30


class TestFinal:
    """Payment."""

    def test_nothing_is_paid_before(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        before = ledger.held(RETAIL)
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS - 1)
        assert ledger.held(RETAIL) == before
        assert ledger.event(event).reserved > 0

    def test_payees_get_their_nets_and_the_rest_is_free(self, ledger: SettledEvent) -> None:
        before = sum(ledger.held(RETAIL))
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS)
        row = ledger.event(event)
        assert (row.state, row.version, row.reserved) == (EventState.FINAL, results.FINAL, 0)
        assert ledger.held(HOUSE) == ledger.held(NEIGHBOUR) == (360, 0)
        assert ledger.held(RETAIL) == (before - 720, 0)
        assert ledger.paid(event, HOUSE).paid == 360
        ledger.check_money()

    def test_a_debt_goes_into_the_next_statement(self, ledger: SettledEvent) -> None:
        event = ledger.call(penalty_price=1_000_000)
        ledger.deliver(event, {HOUSE: 0, NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS)
        # availability 30, penalty 0.00057 MWh x 1,000,000 = 570, four times
        assert ledger.result(event, HOUSE).net == ledger.carried(HOUSE) == -2_160
        assert ledger.paid(event, HOUSE).paid == 0
        begin_ms = BEGIN_MS + 8 * HOUR_MS
        ledger.commit_at(begin_ms - 2 * HOUR_MS)
        second = ledger.call(begin_ms=begin_ms, energy_price=2_000_000, prices={HOUSE: 2_000_000})
        ledger.deliver(second, {HOUSE: 2_400})
        ledger.commit_at(begin_ms + HOUR_MS + MARKET.dispute_ms)
        # 30 + 0.0006 MWh x 2,000,000, four times
        paid = ledger.paid(second, HOUSE)
        assert (paid.own, paid.before, paid.paid) == (4_920, -2_160, 2_760)
        assert ledger.carried(HOUSE) == 0
        assert key("carried", RETAIL.kid, HOUSE.kid, "EUR") not in ledger.state
        ledger.check_money()

    def test_silence_is_charged_then(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS - 1)
        assert faults(ledger, HOUSE) == {}
        ledger.commit_at(FINAL_MS)
        assert faults(ledger, HOUSE) == {weights.SILENCE: 1}
        found = ledger.result(event, HOUSE)
        assert {line.status for line in found.lines} == {lines.UNMEASURED}
        assert ledger.paid(event, HOUSE).paid == 0

    def test_who_opted_out_owes_for_the_rest(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        body = ledger.withdrawal(event, HOUSE)
        ledger.commit_at(BEGIN_MS + INTERVAL_MS + 1)
        ledger.done(HOUSE, WITHDRAW, body)
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS)
        found = ledger.result(event, HOUSE)
        # 0.00057 MWh x 100,000
        assert [line.net for line in found.lines] == [90, 90, -57, -57]
        assert ledger.held(HOUSE) == (66, 0)
        assert faults(ledger, HOUSE) == {weights.WITHDRAWAL: 1}


class TestLateSamples:
    """What comes before the dispute window closes, and what comes after."""

    def close_gap(self, ledger: SettledEvent, user: User) -> None:
        """The readings that were missing."""
        wh = 10_000 + 4 * 700
        readings = [
            Reading(1, BEGIN_MS + index * INTERVAL_MS, "G", {"ei": wh + index * 100, "p": 4_000})
            for index in (1, 2)
        ]
        ledger.sample(user, readings)

    def test_they_revise_the_statement(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        powers = dict.fromkeys(range(4), 400)
        ledger.measured(HOUSE, powers, confirms=ledger.order, without=(1, 2))
        ledger.deliver(event, {NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        first = ledger.result(event, HOUSE)
        statuses = [line.status for line in first.lines]
        assert statuses == [lines.UNMEASURED] * 3 + [lines.CALLED]
        ledger.commit_at(SETTLE_MS + HOUR_MS)
        self.close_gap(ledger, HOUSE)
        assert ledger.result(event, HOUSE) == first
        ledger.commit_at(SETTLE_MS + HOUR_MS)
        found = ledger.result(event, HOUSE)
        assert (ledger.event(event).version, found.version) == (results.REVISED, results.REVISED)
        assert [line.net for line in found.lines] == [90] * 4
        revised = [weights.REVISED in line.classes for line in found.lines]
        assert revised == [True, True, True, False]
        assert ledger.result(event, NEIGHBOUR).version == results.INITIAL
        assert key("stale", event, ledger.board(HOUSE).kid, 1) not in ledger.state
        ledger.commit_at(FINAL_MS)
        assert ledger.held(HOUSE) == (360, 0)
        assert faults(ledger, HOUSE) == {}

    def test_after_the_end_they_are_carried_into_the_next(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        powers = dict.fromkeys(range(4), 400)
        ledger.measured(HOUSE, powers, confirms=ledger.order, without=(1, 2))
        ledger.deliver(event, {NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS)
        final = ledger.result(event, HOUSE)
        assert ledger.held(HOUSE) == (90, 0)
        self.close_gap(ledger, HOUSE)
        due_ms = course.last_change_ms(ledger.event(event), MARKET)
        ledger.commit_at(due_ms - 1)
        assert ledger.result(event, HOUSE) == final
        ledger.commit_at(due_ms)
        found = ledger.result(event, HOUSE)
        assert found.correction is not None
        assert (found.correction.amount, found.correction.indexes) == (270, (0, 1, 2))
        assert found == replace(final, correction=found.correction)
        assert ledger.carried(HOUSE) == 270
        assert ledger.result(event, NEIGHBOUR).correction is None
        assert ledger.held(HOUSE) == (90, 0)
        ledger.check_money()

    def test_what_lies_elsewhere_touches_nothing(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        beside_ms = END_MS + INTERVAL_MS // 2 + 1
        ledger.sample(HOUSE, [Reading(1, beside_ms, "G", {"ei": 20_000, "p": 0})])
        assert key("stale", event, ledger.board(HOUSE).kid, 1) not in ledger.state


class TestMetering:
    """How a point is metered is asked once for an event."""

    def test_a_new_offer_changes_no_statement(self, ledger: SettledEvent) -> None:
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        first = ledger.result(event, HOUSE)
        # By this step of the register no interval could be told from another any more.
        ledger.offer(HOUSE, resolution_wh=1_000, period_ms=1)
        ledger.commit_at(FINAL_MS)
        last = ledger.result(event, HOUSE)
        assert (last.version, last.lines) == (results.FINAL, first.lines)
        ledger.commit_at(course.last_change_ms(ledger.event(event), MARKET))
        assert ledger.result(event, HOUSE) == last


def as_charged(ledger: SettledEvent, who: User) -> Standing:
    """How somebody stands, whichever commit made the statement that shows its faults."""
    found = standing(ledger.state, MARKET, who.kid, ledger.chain.head.time_ms)
    assert found.records
    return replace(
        found,
        records={
            name: replace(record, shown=replace(record.shown, commit=0))
            for name, record in found.records.items()
        },
    )


class TestManyLoads:
    """Statements of more loads than a commit has time for are made in parts."""

    def story(self, commits: int) -> SettledEvent:
        """An event to its correction, with so many commits at each step."""
        ledger = fresh()
        event = ledger.call()
        powers = dict.fromkeys(range(4), 400)
        ledger.measured(HOUSE, powers, confirms=ledger.order, without=(1, 2))
        ledger.deliver(event, {NEIGHBOUR: 900})
        for time_ms in (SETTLE_MS, FINAL_MS):
            for _ in range(commits):
                ledger.commit_at(time_ms)
        TestLateSamples().close_gap(ledger, HOUSE)
        for _ in range(commits + 1):
            ledger.commit_at(course.last_change_ms(ledger.event(event), MARKET))
        return ledger

    def test_the_parts_say_what_the_whole_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = self.story(commits=2)
        monkeypatch.setattr(slicing, "LOADS_A_COMMIT", 1)
        parts = self.story(commits=2)
        for who in (HOUSE, NEIGHBOUR):
            assert as_charged(parts, who) == as_charged(whole, who)
        for table in ("event", "account", "carried", "paid"):
            begin = prefix_of(table)
            found = [
                {row: value for row, value in one.state.items() if row.startswith(begin)}
                for one in (whole, parts)
            ]
            assert found[0] == found[1], table
            assert found[0], table
        for table in ("stated", "stating"):
            assert not [row for row in parts.state if row.startswith(prefix_of(table))]
        event = next(iter(ids_of(parts, "event")))
        for user in (HOUSE, NEIGHBOUR):
            assert parts.result(event, user).lines == whole.result(event, user).lines
            one, other = parts.result(event, user), whole.result(event, user)
            assert (one.correction is None) == (other.correction is None)

    def test_nothing_is_settled_before_the_last_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slicing, "LOADS_A_COMMIT", 1)
        ledger = fresh()
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        assert ledger.event(event).state is EventState.SELECTED
        assert key("result", event, ledger.board(HOUSE).kid, 1) not in ledger.state
        ledger.commit_at(SETTLE_MS)
        assert ledger.event(event).state is EventState.SETTLED
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.SETTLED
        assert ledger.event(event).reserved > 0
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.FINAL

    def test_a_leap_of_time_skips_no_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slicing, "LOADS_A_COMMIT", 1)
        ledger = fresh()
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        for _ in range(4):
            ledger.commit_at(FINAL_MS + HOUR_MS)
        assert ledger.event(event).state is EventState.FINAL
        assert ledger.held(HOUSE) == ledger.held(NEIGHBOUR) == (360, 0)

    def test_a_decision_between_two_parts_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slicing, "LOADS_A_COMMIT", 1)
        ledger = fresh()
        event = ledger.call()
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        for _ in range(2):
            ledger.commit_at(SETTLE_MS)
        # All in the commit that makes the first part of the last statement.
        entries = []
        for user in (HOUSE, NEIGHBOUR):
            body = Dispute(event, ledger.board(user).kid, 1, 0, "more").row()
            opened = ledger.entry(user, DISPUTE, body)
            decision = Decide(ledger.digest(opened), 5, "so be it").row()
            entries += [opened, ledger.entry(GRID, DECIDE, decision)]
        executed = ledger.commit_at(FINAL_MS, *entries)
        assert [outcome.verdict for outcome in executed.outcomes] == [0] * 4
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.FINAL
        assert ledger.held(HOUSE) == ledger.held(NEIGHBOUR) == (365, 0)


# How many ids the keys of a table have.
IDS = {
    "event": 1,
    "account": 2,
    "carried": 3,
    "paid": 2,
    "standing": 1,
    "stated": 3,
    "stating": 1,
}


def prefix_of(table: str) -> bytes:
    """What keys of a table begin with."""
    return prefix(table, IDS[table])


def ids_of(ledger: SettledEvent, table: str) -> list[bytes]:
    """The last id of each row of a table whose id is a digest."""
    return [row[-32:] for row in ledger.state if row.startswith(prefix_of(table))]
