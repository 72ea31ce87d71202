"""Members that call each other's loads while everything fails: right and wrong transactions of
events, and meters that do as they are told, or not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from wattle_gateway.contracts import accounts, offering, registry
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Method, Rule, Window
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.contracts.state import State, prefix
from wattle_gateway.contracts.transactions import BUYING_ROLES
from wattle_gateway.ledger import event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Transfer
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Publish, Setpoint, Withdraw
from wattle_gateway.ledger.fund_limits import EITHER_WAY, FundLimits
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms
from wattle_gateway.ledger.settlement_bodies import Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import DIGEST_BYTES

from wattle_testkit.simulation.gateway import SimGateway
from wattle_testkit.simulation.meter import SimMeter
from wattle_testkit.simulation.options import TRADING_MARKET
from wattle_testkit.simulation.payments import ASSET, Payer

CAPACITY_W = 3_000
_INTERVAL_MS = TRADING_MARKET.interval_ms
_DISPUTES = prefix("dispute", 1)
_FUNDS = prefix("fund", 1)
_RULE = rule_form.encode(Rule("a-minute", method=Method.SAME_DAY, window=Window(before_from_min=1)))
_TERMS = OfferTerms("north", 0, DOWN, CAPACITY_W, ASSET, 500, 2_000, 60_000, 0, 1_000, 1, 400)
# Where events are needed: every other load is there, the rest on the feeder beside it.
_NEAR = "north/feeder-1"

Order = tuple[int, list[object]]
"""Kind and body of a transaction."""


class Trader:
    """Has members publish, declare, withdraw, dispatch and dispute. What each knows of the ledger
    may be old, so many of it is refused, and some is meant to be."""

    def __init__(self, random: Random, payer: Payer, meters: Sequence[SimMeter]) -> None:
        self._random = random
        self._payer = payer
        self._meters = {meter.kid: meter for meter in meters}
        self._told: set[tuple[bytes, bytes]] = set()

    def send(self, gateway: SimGateway) -> None:
        """A transaction of this member."""
        has_account = accounts.account(gateway.driver.state, gateway.kid, ASSET) is not None
        chosen = self._chosen(gateway) if has_account else None
        if chosen is None:
            self._payer.send(gateway)
            return
        kind, body = chosen
        gateway.submit(kind, self._spoilt(body) if self._random.randrange(6) == 0 else body)

    def call(self, gateway: SimGateway) -> None:
        """Tell meters of the orders that a gateway knows; now and then a meter hears nothing, or
        says that it did what nobody ordered."""
        state = gateway.driver.state
        for event in rows.events(state):
            if event.state is not EventState.SELECTED:
                continue
            for quota in rows.quotas(State(state), event):
                meter = self._meters.get(quota.meter)
                if quota.order is None or meter is None or (quota.order, meter.kid) in self._told:
                    continue
                self._told.add((quota.order, meter.kid))
                digest = quota.order if self._random.randrange(12) else self._random.randbytes(32)
                if self._random.randrange(6):
                    meter.called(digest, quota.setpoint_w or 0, event.end_ms)

    def _chosen(self, gateway: SimGateway) -> Order | None:
        state, random = gateway.driver.state, self._random
        own = [meter for meter in registry.meters(state) if meter.home == gateway.kid]
        found = rows.events(state)
        acts: list[Callable[[], Order | None]] = [
            lambda: self._offer(gateway, own),
            *[lambda: self._declare(own, found)] * 4,
            lambda: self._dispatch(gateway, found),
            lambda: self._withdraw(own, found),
            lambda: self._dispute(gateway, found),
            lambda: self._fund(gateway),
            lambda: self._share(gateway),
        ]
        if gateway.member.role in BUYING_ROLES:
            acts += [lambda: self._publish(gateway)] * 2
        random.shuffle(acts)
        return next((order for act in acts if (order := act()) is not None), None)

    def _offer(self, gateway: SimGateway, own: Sequence[Meter]) -> Order | None:
        state, time_ms = gateway.driver.state, gateway.driver.head.time_ms
        if accounts.asset(state, ASSET) is None:
            return None
        for meter in own:
            if offering.standing_offer(state, meter.kid, 1, time_ms) is None:
                area = f"{_NEAR[:-1]}{1 + meter.kid[0] % 2}"
                terms = replace(_TERMS, area=area, price=self._random.randrange(1_000))
                return transaction.OFFER, OfferBody(meter.kid, 1, terms).row()
        return None

    def _publish(self, gateway: SimGateway) -> Order | None:
        random, time_ms = self._random, gateway.driver.head.time_ms
        account = accounts.account(gateway.driver.state, gateway.kid, ASSET)
        if account is None or account.unlocked == 0:
            return None
        if gateway.member.role == genesis.AGGREGATOR and random.randrange(4):
            return None  # it hosts nobody, so nobody may answer
        method = random.choice((*event_bodies.METHOD_NAMES, event_bodies.BID, event_bodies.COST))
        begin_ms = (time_ms // _INTERVAL_MS + random.randint(0, 3)) * _INTERVAL_MS
        realtime = method == event_bodies.REALTIME
        body = Publish(
            method,
            random.random() < 0.2,
            (area := random.choice(("", "", "north", "south"))),
            "" if area == "south" else _NEAR,
            DOWN,
            begin_ms,
            random.choice((1, 1, 2)),
            random.randint(1, 6_000),
            0,
            0 if realtime else begin_ms,
            random.choice((1_000, 5_000, 5_000)),
            random.randint(0, 10**5),
            random.randint(0, 10**7),
            random.randint(0, 10**7),
            _RULE,
            ASSET,
            self._named_fund(gateway),
        )
        return transaction.PUBLISH, body.row()

    def _named_fund(self, gateway: SimGateway) -> bytes | None:
        """Now and then one that this member may spend, whatever it is for."""
        state = gateway.driver.state
        kept = [
            funds.decode(row[-DIGEST_BYTES:], state[row])
            for row in sorted(row for row in state if row.startswith(_FUNDS))
        ]
        own = [held.digest for held in kept if held.spender == gateway.kid and not held.over]
        return self._random.choice(own) if own and self._random.randrange(2) else None

    def _declare(self, own: Sequence[Meter], found: Sequence[EventRow]) -> Order | None:
        open_events = [event for event in found if event.state is EventState.OPEN]
        if not own or not open_events:
            return None
        event, random = self._random.choice(open_events), self._random
        priced = event.body.method in event_bodies.PRICED_METHODS
        quotas_w = tuple(random.randint(1, CAPACITY_W) for _ in range(event.body.intervals))
        price = random.randint(0, event.body.energy_price + 1) if priced else 0
        meter = random.choice(own)
        return transaction.DECLARE, Declare(event.digest, meter.kid, 1, price, quotas_w).row()

    def _withdraw(self, own: Sequence[Meter], found: Sequence[EventRow]) -> Order | None:
        if not own or not found or self._random.randrange(4):
            return None
        event, meter = self._random.choice(found), self._random.choice(own)
        return transaction.WITHDRAW, Withdraw(event.digest, meter.kid, 1).row()

    def _dispatch(self, gateway: SimGateway, found: Sequence[EventRow]) -> Order | None:
        random, state = self._random, gateway.driver.state
        for event in found:
            if event.publisher != gateway.kid or event.state is not EventState.SELECTED:
                continue
            waiting = [one for one in rows.quotas(State(state), event) if _waits(one)]
            if not waiting:
                continue
            some = sorted({(one.meter, one.device) for one in random.sample(waiting, 1)})
            loads = tuple(Setpoint(*point, random.randrange(1_000)) for point in some)
            named = random.choice((None, loads))
            return transaction.DISPATCH, Dispatch(event.digest, 0, named).row()
        return None

    def _dispute(self, gateway: SimGateway, found: Sequence[EventRow]) -> Order | None:
        random, state = self._random, gateway.driver.state
        for row in sorted(row for row in state if row.startswith(_DISPUTES)):
            if random.randrange(2):
                body = Decide(row[-DIGEST_BYTES:], random.randint(-9, 9), "so")
                return transaction.DECIDE, body.row()
        for event in found:
            if event.state is EventState.SETTLED and random.randrange(3) == 0:
                for one in rows.quotas(State(state), event):
                    said = Dispute(event.digest, one.meter, one.device, 0, "no")
                    return transaction.DISPUTE, said.row()
        return None

    def _fund(self, gateway: SimGateway) -> Order | None:
        """Money of this member for its own events, with limits that some of them exceed."""
        random, time_ms = self._random, gateway.driver.head.time_ms
        account = accounts.account(gateway.driver.state, gateway.kid, ASSET)
        if account is None or account.unlocked == 0 or random.randrange(8):
            return None
        until_ms = time_ms + random.randrange(60_000)
        limits = FundLimits(
            methods=random.choice(((), (event_bodies.BID, event_bodies.REALTIME))),
            area=random.choice(("", "north")),
            direction=random.choice((EITHER_WAY, DOWN)),
            to_ms=random.choice((None, until_ms + 30_000)),
            energy_price=random.choice((None, random.randint(0, 10**7))),
            event_amount=random.choice((None, random.randint(1, 500))),
        )
        amount = random.randint(1, 1 + account.unlocked // 2)
        body = Fund("frost", ASSET, amount, gateway.kid, until_ms, limits)
        return transaction.FUND, body.row()

    def _share(self, gateway: SimGateway) -> Order | None:
        """Whoever has money gives somebody a part, so that all can buy."""
        held = accounts.accounts(gateway.driver.state)
        others = [one.party for one in held if one.party != gateway.kid]
        unlocked = sum(one.unlocked for one in held if one.party == gateway.kid)
        if not others or unlocked < 2 or self._random.randrange(3):
            return None
        to = self._random.choice(others)
        return transaction.TRANSFER, Transfer(ASSET, to, unlocked // 2).row()

    def _spoilt(self, body: list[object]) -> list[object]:
        """The same body with one field that is wrong in some way."""
        random = self._random
        place = random.randrange(len(body))
        digest = random.randbytes(32)
        value: object = random.choice((None, -1, 0, 1, 10**18, b"", digest, "south", []))
        return [*body[:place], value, *body[place + 1 :]]


def _waits(quota: QuotaRow) -> bool:
    """Whether a load may be ordered."""
    return quota.was_selected and quota.order is None
