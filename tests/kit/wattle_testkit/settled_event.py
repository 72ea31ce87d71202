"""An event of a `EventLedger` with loads that are measured, up to its payment."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache

from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Method, Rule, Window
from wattle_gateway.contracts.settlement import carried, paying, results
from wattle_gateway.contracts.settlement.paying import Paid
from wattle_gateway.contracts.settlement.results import ResultRow
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.market import Market
from wattle_wire.sample import Reading

from wattle_testkit.account_ledger import RETAIL, Signer, User
from wattle_testkit.alliance import sample_entry
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR, EventLedger

HOUR_MS = 3_600_000
# The mean of the hour before: a baseline without other days.
HOUR_BEFORE = Rule("hour-before", method=Method.SAME_DAY, window=Window(60, 0))
INTERVALS = 4
END_MS = BEGIN_MS + INTERVALS * INTERVAL_MS
USUAL_W = 2_800
CALLED_W = 400
# Statements a quarter of an hour after an event, payments three hours after it.
MARKET = Market(settle_ms=900_000, dispute_ms=3 * HOUR_MS, decide_ms=6 * HOUR_MS)
SETTLE_MS = END_MS + MARKET.settle_ms
FINAL_MS = END_MS + MARKET.dispute_ms


class SettledEvent(EventLedger):
    """HOUSE and NEIGHBOUR declare 2,400 W each in an event of RETAIL and are ordered to 400 W. All
    meters show their registers at each quarter of an hour."""

    def __init__(self, market: Market = MARKET) -> None:
        super().__init__(market)
        self._seqs: dict[bytes, int] = {}
        self._wh: dict[bytes, int] = {}

    def call(
        self,
        *,
        who: Signer = RETAIL,
        declarer: Signer | None = None,
        begin_ms: int = BEGIN_MS,
        prices: Mapping[User, int] | None = None,
        quotas_w: tuple[int, ...] = (2_400,) * INTERVALS,
        rule: Rule = HOUR_BEFORE,
        quantity_w: int = 4_800,
        **changes: object,
    ) -> bytes:
        """Publish, declare, select and order; the digest of the event."""
        event = self.publish(
            who,
            rule=rule_form.encode(rule),
            begin_ms=begin_ms,
            select_ms=begin_ms - HOUR_MS // 2,
            quantity_w=quantity_w,
            **changes,  # type: ignore[arg-type]
        )
        for user, price in (prices or {HOUSE: 90_000, NEIGHBOUR: 100_000}).items():
            self.declare_load(event, user, quotas_w, price, who=declarer)
        self.commit_at(begin_ms - HOUR_MS // 2)
        self.order = self.done(who, transaction.DISPATCH, self.order_of(event, *self.called(event)))
        return event

    def called(self, event: bytes) -> list[User]:
        """The users whose loads were selected."""
        kids = {quota.meter for quota in self.quotas(event) if quota.was_selected}
        return [user for user in (HOUSE, NEIGHBOUR) if self.board(user).kid in kids]

    def measured(
        self,
        user: User,
        powers_w: Mapping[int, int],
        *,
        begin_ms: int = BEGIN_MS,
        time_ms: int | None = None,
        confirms: bytes | None = None,
        without: tuple[int, ...] = (),
    ) -> None:
        """A user's meter from an hour before an event to its end, in one sample committed at
        `time_ms` (by default when its last reading is taken): USUAL_W, but `powers_w` in the
        interval with this index of the event. No reading at the beginnings of `without`."""
        kid = self.board(user).kid
        counter_wh = self._wh.get(kid, 10_000)
        readings = []
        for index in range(-4, INTERVALS + 1):
            at_ms = begin_ms + index * INTERVAL_MS
            power_w = powers_w.get(index, USUAL_W)
            if index not in without:
                values: dict[str, int | str] = {"ei": counter_wh, "p": power_w * 10}
                readings.append(Reading(1, at_ms, "G", values))
            counter_wh += power_w // 4
        self._wh[kid] = counter_wh + 10_000
        command = None if confirms is None else (confirms, CALLED_W)
        if confirms is not None:
            # The word that the load is set comes as soon as it is.
            early = [one for one in readings if one.time_ms <= begin_ms]
            self.sample(user, early, command=command, time_ms=begin_ms)
            readings = [one for one in readings if one.time_ms > begin_ms]
        self.sample(user, readings, time_ms=time_ms or readings[-1].time_ms)

    def sample(
        self,
        user: User,
        readings: list[Reading],
        *,
        command: tuple[bytes, int] | None = None,
        time_ms: int | None = None,
    ) -> None:
        """A sample of a user's meter in a commit of its own, at a time that is not before the
        newest commit's."""
        board = self.board(user)
        seq = self._seqs.get(board.kid, 0) + 1
        self._seqs[board.kid] = seq
        signed = board.sample(seq, readings, command=command)
        at_ms = max(self.chain.head.time_ms, time_ms or 0)
        self.commit_at(at_ms, sample_entry(signed))

    def deliver(self, event: bytes, given_w: Mapping[User, int]) -> None:
        """Measure the loads of an event that adjust by so much while they are called."""
        begin_ms = self.event(event).begin_ms
        for user, power_w in given_w.items():
            powers = dict.fromkeys(range(INTERVALS), USUAL_W - power_w)
            self.measured(user, powers, begin_ms=begin_ms, confirms=self.order)

    def result(self, event: bytes, user: User) -> ResultRow:
        """The newest statement of a user's load."""
        found = results.result(self.state, event, self.board(user).kid, 1)
        assert found is not None
        return found

    def paid(self, event: bytes, who: Signer) -> Paid:
        """What somebody got at the end of an event."""
        found = paying.paid(self.state, event, who.kid)
        assert found is not None
        return found

    def carried(self, payee: Signer, payer: bytes = RETAIL.kid) -> int:
        """What a payer owes somebody."""
        return carried.carried(self.state, payer, payee.kid, "EUR")


@cache
def _made() -> SettledEvent:
    return SettledEvent()


@cache
def _called() -> tuple[SettledEvent, bytes]:
    ledger = SettledEvent()
    return ledger, ledger.call()


def fresh() -> SettledEvent:
    """A `SettledEvent` of its own; what all begin with is signed and executed once."""
    return deepcopy(_made())


def fresh_called() -> tuple[SettledEvent, bytes]:
    """The same with the usual event called, and its digest."""
    return deepcopy(_called())
