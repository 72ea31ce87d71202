"""Whatever happens to events, no money comes or goes, and what is locked is locked for something
(D2, D36)."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Method, Rule, Window
from wattle_gateway.contracts.events import agenda, rows
from wattle_gateway.contracts.events.agenda import Step
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.execute import RECORDED
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.contracts.state import prefix
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.settlement_bodies import Fund
from wattle_gateway.ledger.transaction import (
    DECLARE,
    DIGEST_BYTES,
    DISPATCH,
    FUND,
    PUBLISH,
    TRANSFER,
    WITHDRAW,
)
from wattle_testkit.account_ledger import AGGREGATOR, GRID, RETAIL, Signer, User
from wattle_testkit.alliance import reading, sample_entry
from wattle_testkit.event_ledger import EVENT, USERS, EventLedger

# Minutes instead of days, so that events get to their end.
MARKET = Market(
    interval_s=60,
    intervals_max=4,
    events_open_max=3,
    settle_ms=60_000,
    dispute_ms=120_000,
    fine_ms=180_000,
    decide_ms=60_000,
    keep_days=1,
    reputation_start=1_000,
)
STEP_MS = 20_000
# What a load did in the ten minutes before an event is what it would have done in it.
RULE = rule_form.encode(
    Rule("ten-minutes", method=Method.SAME_DAY, window=Window(before_from_min=10))
)
BUYERS = (GRID, RETAIL, AGGREGATOR)
numbers = st.integers(0, 2**16)
acts = st.lists(
    st.tuples(
        st.sampled_from(["publish", "declare", "withdraw", "dispatch", "meter", "wait", "spend"]),
        numbers,
        numbers,
    ),
    min_size=10,
    max_size=60,
)


class Story:
    """A ledger on which anything is tried; whatever is refused is refused."""

    def __init__(self) -> None:
        self.ledger = EventLedger(MARKET)
        self.time_ms = self.ledger.chain.head.time_ms
        self.ledger.open(*USERS, asset="EUR")
        for user in USERS:
            self.ledger.offer(user, period_ms=5_000, rest_ms=0)
        self.events: list[bytes] = []
        self.seqs = dict.fromkeys(USERS, 0)
        self.registers = dict.fromkeys(USERS, 0)
        self.accepted = 0
        body = Fund("frost", "EUR", 50_000, RETAIL.kid, self.time_ms + 600_000).row()
        self.fund = self.ledger.done(GRID, FUND, body)

    def act(self, name: str, one: int, other: int) -> None:
        """Try something, or let time pass."""
        if name == "wait":
            self.time_ms += STEP_MS * (1 + one % 8)
            self.ledger.commit_at(self.time_ms)
        elif name == "meter":
            command = (self.events[-1], 400) if self.events and one % 3 == 0 else None
            self.meter(USERS[other % len(USERS)], one % 3_000, command)
        elif name == "spend":
            amount = 1 + self.ledger.held(RETAIL)[0] * (one % 4) // 4
            self.send(RETAIL, TRANSFER, ["EUR", GRID.kid, amount])
        elif name == "publish":
            self.publish(one, other)
        elif self.events:
            self.answer(name, self.events[one % len(self.events)], one, other)

    def publish(self, one: int, other: int) -> None:
        interval_ms = MARKET.interval_ms
        begin_ms = (self.time_ms // interval_ms + one % 4) * interval_ms
        method = 1 + other % 5
        body = replace(
            EVENT,
            method=method,
            begin_ms=begin_ms,
            intervals=1 + one % 4,
            quantity_w=1 + other % 9_000,
            notice_ms=0,
            select_ms=0 if method == event_bodies.REALTIME else begin_ms,
            energy_price=one * 1_000,
            rule=RULE,
            fund=self.fund if other % 7 == 0 else None,
        )
        digest = self.send(BUYERS[one % 3], PUBLISH, body.row())
        if digest is not None:
            self.events.append(digest)

    def answer(self, name: str, event: bytes, one: int, other: int) -> None:
        user = USERS[other % len(USERS)]
        found = rows.event(self.ledger.state, event)
        count = 1 if found is None else found.body.intervals
        if name == "declare":
            quotas_w = tuple(1 + (one * place) % 3_000 for place in range(1, count + 1))
            price = one if found is not None and found.body.method in (1, 4) else 0
            body = self.ledger.declaration(event, user, quotas_w, price)
            self.send(user if one % 2 else AGGREGATOR, DECLARE, body)
        elif name == "withdraw":
            self.send(user, WITHDRAW, self.ledger.withdrawal(event, user))
        else:
            body = self.ledger.order_of(event, *USERS[: one % 3])
            self.send(BUYERS[one % 3] if found is None else _buyer(found.publisher), DISPATCH, body)

    def meter(self, user: User, power_w: int, command: tuple[bytes, int] | None) -> None:
        """A minute of a load at a power, in one sample."""
        self.seqs[user] += 1
        first_ms = self.time_ms - 60_000
        wh = self.registers[user]
        self.registers[user] += power_w // 60
        seen = [
            reading(at_ms, ei=wh + power_w * (at_ms - first_ms) // 3_600_000, p=10 * power_w)
            for at_ms in range(first_ms, self.time_ms, 5_000)
        ]
        sample = self.ledger.board(user).sample(self.seqs[user], seen, command=command)
        self.ledger.commit_at(self.time_ms, sample_entry(sample))

    def send(self, who: Signer, kind: int, body: object) -> bytes | None:
        raw = self.ledger.entry(who, kind, body)
        (outcome,) = self.ledger.commit_at(self.time_ms, raw).outcomes
        assert outcome.effect == RECORDED
        self.accepted += outcome.verdict == classes.ACCEPTED
        return self.ledger.digest(raw) if outcome.verdict == classes.ACCEPTED else None

    def check(self) -> None:
        """Money is conserved, each lock has its reason, each open event its end on the agenda."""
        self.ledger.check_money()
        state = self.ledger.state
        held = sum(one.locked for one in accounts.accounts(state))
        reserved = sum(one.reserved for one in rows.events(state) if one.body.fund is None)
        begin = prefix("fund", 1)
        kept = [
            funds.decode(row[-DIGEST_BYTES:], state[row]) for row in state if row.startswith(begin)
        ]
        assert held == reserved + sum(one.left + one.reserved for one in kept)
        spoken = sum(one.reserved for one in rows.events(state) if one.body.fund is not None)
        assert spoken == sum(one.reserved for one in kept)
        ends = [one.digest for one in agenda.entries(state) if one.step == Step.FINALISE]
        over = (EventState.FINAL, EventState.FAILED)
        open_events = [one.digest for one in rows.events(state) if one.state not in over]
        assert sorted(ends) == sorted(open_events)
        assert len(ends) <= MARKET.events_open_max

    def end(self) -> None:
        """Let time pass until nothing is planned any more."""
        while (next_ms := agenda.next_ms(self.ledger.state)) is not None:
            self.time_ms = max(self.time_ms, next_ms)
            self.ledger.commit_at(self.time_ms)
            self.check()


def _buyer(kid: bytes) -> Signer:
    return next(buyer for buyer in BUYERS if buyer.kid == kid)


@given(acts)
@settings(max_examples=12, deadline=None)
def test_money_is_conserved_and_every_lock_has_its_reason(
    drawn: list[tuple[str, int, int]],
) -> None:
    story = Story()
    for name, one, other in drawn:
        story.act(name, one, other)
        story.check()
    story.end()
    assert rows.events(story.ledger.state) == []
    assert sum(one.locked for one in accounts.accounts(story.ledger.state)) == 0


def test_a_story_in_which_loads_are_paid() -> None:
    """The one above is not about refusals alone: here loads are called, measured and paid."""
    story = Story()
    ledger = story.ledger
    people: tuple[Signer, ...] = (RETAIL, *USERS)
    before = {who: ledger.held(who)[0] for who in people}
    order: bytes | None = None
    for minute in range(24):
        story.time_ms += 60_000
        event = story.events[0] if story.events else None
        called = event is not None and story.time_ms > ledger.event(event).begin_ms
        if called and order is None:
            assert event is not None
            order = story.send(RETAIL, DISPATCH, ledger.order_of(event))
        for user in USERS:
            story.meter(user, 400 if called else 2_900, (order, 400) if order else None)
        if minute == 12:
            story.publish(3 * 1_000 + 1, 5 * 1_500)
            for user in USERS:
                body = ledger.declaration(story.events[0], user, (2_500,) * 2, 1_000_000)
                assert story.send(user, DECLARE, body) is not None
        story.check()
    assert order is not None
    story.end()
    earned = {user.name: ledger.held(user)[0] - before[user] for user in USERS}
    # Of the ten minutes before, 40 s were at 400 W already: the baseline is 2,733 W, the adjustment
    # 2,333 W. Two minutes: twice 2 for 2.5 kW at 50,000 per MW and hour, twice 38 for 38.9 Wh at
    # 1,000,000 per MWh.
    assert earned == {user.name: 80 for user in USERS}
    assert before[RETAIL] - ledger.held(RETAIL)[0] == sum(earned.values())
