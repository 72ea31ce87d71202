"""A ledger of rules 3 with money, hosted users and their adjustable loads, and events on it."""

from dataclasses import replace

from wattle_gateway.contracts import accounts, alliance, classes
from wattle_gateway.contracts.baseline import presets, rule_form
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events import transactions as event_transactions
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.execute import RECORDED, Executed
from wattle_gateway.contracts.settlement import transactions as settlement_transactions
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import event_bodies, genesis, transaction
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Publish, Setpoint, Withdraw
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms

from wattle_testkit.account_ledger import (
    AGGREGATOR,
    ALONE,
    GRID,
    MEMBERS,
    RETAIL,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.alliance import CREATED_MS, Board, digest_of

MINUTE_MS = 60_000
INTERVAL_MS = 900_000
CAPACITY_W = 3_000
USERS = tuple(User(f"house {number}") for number in range(1, 4))
HOUSE, NEIGHBOUR, THIRD = USERS
# The first interval that leaves an hour for declarations.
BEGIN_MS = (CREATED_MS // INTERVAL_MS + 5) * INTERVAL_MS
SELECT_MS = BEGIN_MS - 30 * MINUTE_MS
TERMS = OfferTerms(
    "north", 12, DOWN, CAPACITY_W, "EUR", 90_000, 2_000, 14_400_000, 600_000, 10_000, 1, 500
)
RULE = rule_form.encode(presets.PRESETS["same-day-3-plus-2"].rule)
EVENT = Publish(
    method=event_bodies.BID,
    emergency=False,
    area="north",
    near="",
    direction=DOWN,
    begin_ms=BEGIN_MS,
    intervals=4,
    quantity_w=4_000,
    notice_ms=20 * MINUTE_MS,
    select_ms=SELECT_MS,
    within_ms=5_000,
    availability_price=50_000,
    energy_price=200_000,
    penalty_price=100_000,
    rule=RULE,
    asset="EUR",
)
# At a fixed price, at once, and nothing but the energy is paid.
FIXED_PRICE = replace(
    EVENT,
    method=event_bodies.FIXED,
    quantity_w=3_000,
    notice_ms=0,
    availability_price=0,
    energy_price=9_000,
    penalty_price=0,
)
CHARGED = {**event_transactions.CHARGED, **settlement_transactions.CHARGED}
# Of these it matters who sends them, or how much.
_IN_PART = (classes.SELF_DEALING, classes.ABOVE_CAPACITY)


class EventLedger(AccountLedger):
    """GRID has issued EUR and given RETAIL most of it; AGGREGATOR hosts USERS; each has a board of
    GRID's with one point, and offers its load."""

    def __init__(self, market: Market | None = None, constants: Constants = ALONE) -> None:
        super().__init__(
            *MEMBERS,
            constants=replace(constants, market=market or Market()),
            rules=genesis.EVENT_RULES,
        )
        self.declare("EUR", 10_000_000)
        self.open(RETAIL, AGGREGATOR, asset="EUR")
        self.done(GRID, transaction.TRANSFER, ["EUR", RETAIL.kid, 5_000_000])
        self.done(GRID, transaction.TRANSFER, ["EUR", AGGREGATOR.kid, 1_000_000])
        for user in USERS:
            self.host(user)
            board = self.board(user)
            point = replace(board.point(1), owner=user.kid, capacity_w=CAPACITY_W)
            body = transaction.enrol_body(board.enrol(point, home=GRID.kid))
            self.done(GRID, transaction.ENROL, body)
            self.offer(user)

    @property
    def market(self) -> Market:
        """The parameters in force."""
        assert self.epoch.constants.market is not None
        return self.epoch.constants.market

    def board(self, user: User) -> Board:
        """The meter at a user's load."""
        return Board(f"board of {user.name}", self.epoch)

    def offer(self, user: User, **changes: int | str) -> bytes:
        """A user offers its load."""
        terms = replace(TERMS, **changes)  # type: ignore[arg-type]
        return self.done(user, transaction.OFFER, OfferBody(self.board(user).kid, 1, terms).row())

    def commit_at(self, time_ms: int, *entries: bytes) -> Executed:
        """A commit at a time, by default without entries."""
        return self.chain.commit(*entries, time_ms=time_ms)

    def send(
        self,
        who: Signer,
        kind: int,
        body: object,
        *,
        time_ms: int | None = None,
        until_ms: int = CREATED_MS * 2,
    ) -> int:
        """The verdict on somebody's transaction, in a commit of its own. One that is refused has
        changed the nonce alone or, where it is a fault, how its originator stands."""
        raw = self.entry(who, kind, body, until_ms=until_ms)
        if time_ms is not None:
            self.commit_at(time_ms)  # what is due then is not the transaction's doing
        executed = self.chain.commit(raw)
        (outcome,) = executed.outcomes
        assert outcome.effect == RECORDED
        if outcome.verdict != classes.ACCEPTED:
            changed = {row for row, _ in executed.changes}
            allowed = {key("nonce", who.kid, 0), key("connected")}
            if outcome.verdict in CHARGED.get(kind, ()):
                assert outcome.verdict in _IN_PART or key("standing", who.kid) in changed
                # A fault may cost the member that erred its seat, and until then its leader slots.
                allowed |= {key("standing", who.kid), key("change", alliance.CONTRACT)}
                allowed.add(key("epoch", self.epoch.number))
            if kind in (transaction.PUBLISH, transaction.DISPATCH):
                allowed.add(key("vain", who.kid))
            assert changed <= allowed
        return outcome.verdict

    def entry_again(self, who: Signer, kind: int, body: object) -> bytes:
        """The entry of another transaction under the nonce of somebody's newest one."""
        self._nonces[who.kid] -= 1
        return self.entry(who, kind, body)

    def digest(self, raw: bytes) -> bytes:
        """The digest of the transaction in an entry."""
        return digest_of(self.epoch, raw)

    def publish(
        self, who: Signer = RETAIL, *, time_ms: int | None = None, **changes: object
    ) -> bytes:
        """Publish EVENT, changed; its digest."""
        body = replace(EVENT, **changes)  # type: ignore[arg-type]
        how = {} if time_ms is None else {"time_ms": time_ms}
        return self.done(who, transaction.PUBLISH, body.row(), **how)

    def declaration(
        self, event: bytes, user: User, quotas_w: tuple[int, ...] = (2_500,) * 4, price: int = 0
    ) -> list[object]:
        """The body of a `declare` of a user's load."""
        return Declare(event, self.board(user).kid, 1, price, quotas_w).row()

    def declare_load(
        self,
        event: bytes,
        user: User,
        quotas_w: tuple[int, ...] = (2_500,) * 4,
        price: int = 90_000,
        who: Signer | None = None,
    ) -> bytes:
        """A user declares its load; the digest."""
        body = self.declaration(event, user, quotas_w, price)
        return self.done(who or user, transaction.DECLARE, body)

    def withdrawal(self, event: bytes, user: User) -> list[object]:
        """The body of a `withdraw` of a user's load."""
        return Withdraw(event, self.board(user).kid, 1).row()

    def order_of(self, event: bytes, *users: User, setpoint_w: int = 400) -> list[object]:
        """The body of a `dispatch` to these users' loads, to all that are selected without one."""
        loads = sorted((self.board(user).kid, 1) for user in users)
        named = tuple(Setpoint(meter, device, setpoint_w) for meter, device in loads)
        return Dispatch(event, 0, named or None).row()

    def event(self, digest: bytes) -> EventRow:
        """The row of an event."""
        found = rows.event(self.state, digest)
        assert found is not None
        return found

    def quota(self, event: bytes, user: User) -> QuotaRow:
        """The row of a user's part in an event."""
        found = rows.quota(self.state, self.event(event), self.board(user).kid, 1)
        assert found is not None
        return found

    def quotas(self, event: bytes) -> list[QuotaRow]:
        """The rows of all parts in an event."""
        return rows.quotas(State(self.state), self.event(event))

    def held(self, who: Signer) -> tuple[int, int]:
        """(unlocked, locked) EUR of somebody."""
        account = accounts.account(self.state, who.kid, "EUR")
        assert account is not None
        return account.unlocked, account.locked

    def check_money(self) -> None:
        """Nothing of any asset has come or gone."""
        for asset in accounts.assets(self.state):
            held = sum(
                account.unlocked + account.locked
                for account in accounts.accounts(self.state)
                if account.asset == asset.name
            )
            assert held == asset.issued - asset.redeemed
