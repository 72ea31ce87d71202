"""Accounts, issues, transfers and locks: what each does, and each refusal by what earns it alone
(SPEC section 12, whose codes stand in the tests' names)."""

import pytest
from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.accounts import LOCKS_MAX, Account, Asset, HeldLock
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import (
    AMOUNT_MAX,
    Issue,
    Lock,
    Open,
    Redeem,
    Transfer,
    Unlock,
)
from wattle_gateway.ledger.transaction import ISSUE, LOCK, OPEN, REDEEM, TRANSFER, UNLOCK
from wattle_testkit.account_ledger import (
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.alliance import CREATED_MS
from wattle_wire import cbor

HOUSE = User("house 7")
NOBODY = bytes(8)


@pytest.fixture
def ledger() -> AccountLedger:
    """GRID has issued 10.00 CNY to itself; RETAIL and a user of AGGREGATOR have empty accounts."""
    made = AccountLedger()
    made.host(HOUSE)
    made.declare()
    made.open(RETAIL, HOUSE)
    return made


def unlocked(ledger: AccountLedger, who: Signer) -> int:
    found = accounts.account(ledger.state, who.kid, "CNY")
    assert found is not None
    return found.unlocked


class TestRows:
    """The state's form is that of SPEC section 11."""

    def test_assets_and_accounts(self, ledger: AccountLedger) -> None:
        ledger.done(GRID, REDEEM, Redeem("CNY", 1).row())
        assert cbor.decode(ledger.state[key("asset", "CNY")]) == [2, GRID.kid, 1_000, 1]
        assert cbor.decode(ledger.state[key("account", GRID.kid, "CNY")]) == [999, 0, 0]
        assert cbor.decode(ledger.state[key("account", HOUSE.kid, "CNY")]) == [0, 0, 0]

    def test_locks(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, LOCK, Lock("CNY", 30, RETAIL.kid, 5).row())
        row = cbor.decode(ledger.state[key("lock", digest)])
        assert row == [GRID.kid, "CNY", 30, RETAIL.kid, 5]
        assert cbor.decode(ledger.state[key("account", GRID.kid, "CNY")]) == [970, 30, 1]
        assert accounts.locks(ledger.state) == [
            HeldLock(digest, GRID.kid, "CNY", 30, RETAIL.kid, 5)
        ]

    def test_they_are_listed_by_asset_and_party(self, ledger: AccountLedger) -> None:
        ledger.declare("WH", decimals=0)
        kids = sorted([GRID.kid, RETAIL.kid, HOUSE.kid])
        listed = [(found.asset, found.party) for found in accounts.accounts(ledger.state)]
        assert listed == [*(("CNY", kid) for kid in kids), ("WH", GRID.kid)]
        assert [found.name for found in accounts.assets(ledger.state)] == ["CNY", "WH"]


class TestOpen:
    """Kind 6."""

    def test_an_account_is_empty(self, ledger: AccountLedger) -> None:
        ledger.open(FACTORY)
        found = accounts.account(ledger.state, FACTORY.kid, "CNY")
        assert found == Account(FACTORY.kid, "CNY", 0, 0, 0)

    @pytest.mark.parametrize("asset", ["", "cny", "9", "A" * 17, "A_B", b"CNY", None])
    def test_1_malformed_body(self, ledger: AccountLedger, asset: object) -> None:
        assert ledger.send(FACTORY, OPEN, [asset]) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        assert ledger.send(REGULATOR, OPEN, Open("CNY").row()) == classes.ROLE_NOT_ALLOWED

    def test_21_asset_unknown(self, ledger: AccountLedger) -> None:
        assert ledger.send(FACTORY, OPEN, Open("EUR").row()) == classes.ASSET_UNKNOWN

    def test_22_account_exists(self, ledger: AccountLedger) -> None:
        assert ledger.send(HOUSE, OPEN, Open("CNY").row()) == classes.ACCOUNT_EXISTS


class TestIssue:
    """Kind 7."""

    def test_the_first_declares_the_asset_and_opens_the_issuers_account(self) -> None:
        ledger = AccountLedger()
        ledger.declare(amount=7, decimals=9)
        assert accounts.asset(ledger.state, "CNY") == Asset("CNY", 9, GRID.kid, 7, 0)
        assert accounts.account(ledger.state, GRID.kid, "CNY") == Account(GRID.kid, "CNY", 7)

    def test_later_ones_go_to_any_account(self, ledger: AccountLedger) -> None:
        ledger.done(GRID, ISSUE, Issue("CNY", 2, HOUSE.kid, 5).row())
        assert unlocked(ledger, HOUSE) == 5
        assert accounts.asset(ledger.state, "CNY") == Asset("CNY", 2, GRID.kid, 1_005, 0)

    @pytest.mark.parametrize(
        "body",
        [
            ["CNY", 10, GRID.kid, 1],
            ["CNY", -1, GRID.kid, 1],
            ["CNY", 2, GRID.kid, 0],
            ["CNY", 2, GRID.kid, -1],
            ["CNY", 2, GRID.kid, True],
            ["CNY", 2, GRID.kid, AMOUNT_MAX + 1],
            ["CNY", 2, b"", 1],
            ["CNY", 2, GRID.kid],
        ],
    )
    def test_1_malformed_body(self, ledger: AccountLedger, body: object) -> None:
        assert ledger.send(GRID, ISSUE, body) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        body = Issue("HOUSE", 0, HOUSE.kid, 1).row()
        assert ledger.send(HOUSE, ISSUE, body) == classes.ROLE_NOT_ALLOWED

    def test_24_a_new_asset_goes_to_its_issuer(self, ledger: AccountLedger) -> None:
        body = Issue("EUR", 2, RETAIL.kid, 1).row()
        assert ledger.send(GRID, ISSUE, body) == classes.RECIPIENT_UNKNOWN

    def test_24_recipient_without_an_account(self, ledger: AccountLedger) -> None:
        body = Issue("CNY", 2, FACTORY.kid, 1).row()
        assert ledger.send(GRID, ISSUE, body) == classes.RECIPIENT_UNKNOWN

    def test_27_not_the_issuer(self, ledger: AccountLedger) -> None:
        body = Issue("CNY", 2, RETAIL.kid, 1).row()
        assert ledger.send(RETAIL, ISSUE, body) == classes.NOT_THE_ISSUER

    def test_28_decimals_differ(self, ledger: AccountLedger) -> None:
        body = Issue("CNY", 3, GRID.kid, 1).row()
        assert ledger.send(GRID, ISSUE, body) == classes.DECIMALS_DIFFER

    def test_29_supply_full(self, ledger: AccountLedger) -> None:
        body = Issue("CNY", 2, GRID.kid, AMOUNT_MAX - 999).row()
        assert ledger.send(GRID, ISSUE, body) == classes.SUPPLY_FULL
        ledger.done(GRID, ISSUE, Issue("CNY", 2, GRID.kid, AMOUNT_MAX - 1_000).row())
        assert unlocked(ledger, GRID) == AMOUNT_MAX


class TestRedeem:
    """Kind 8."""

    def test_money_is_no_more(self, ledger: AccountLedger) -> None:
        ledger.done(GRID, REDEEM, Redeem("CNY", 1_000).row())
        assert unlocked(ledger, GRID) == 0
        assert accounts.asset(ledger.state, "CNY") == Asset("CNY", 2, GRID.kid, 1_000, 1_000)

    def test_1_malformed_body(self, ledger: AccountLedger) -> None:
        assert ledger.send(GRID, REDEEM, ["CNY", 0]) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        body = Redeem("CNY", 1).row()
        assert ledger.send(HOUSE, REDEEM, body) == classes.ROLE_NOT_ALLOWED

    def test_21_asset_unknown(self, ledger: AccountLedger) -> None:
        assert ledger.send(GRID, REDEEM, Redeem("EUR", 1).row()) == classes.ASSET_UNKNOWN

    def test_23_account_unknown(self, ledger: AccountLedger) -> None:
        assert ledger.send(FACTORY, REDEEM, Redeem("CNY", 1).row()) == classes.ACCOUNT_UNKNOWN

    def test_26_balance_short(self, ledger: AccountLedger) -> None:
        assert ledger.send(GRID, REDEEM, Redeem("CNY", 1_001).row()) == classes.BALANCE_SHORT

    def test_27_not_the_issuer(self, ledger: AccountLedger) -> None:
        assert ledger.send(RETAIL, REDEEM, Redeem("CNY", 1).row()) == classes.NOT_THE_ISSUER


class TestTransfer:
    """Kind 9."""

    def test_money_moves(self, ledger: AccountLedger) -> None:
        ledger.done(GRID, TRANSFER, Transfer("CNY", HOUSE.kid, 400).row())
        ledger.done(HOUSE, TRANSFER, Transfer("CNY", RETAIL.kid, 150).row())
        assert [unlocked(ledger, who) for who in (GRID, HOUSE, RETAIL)] == [600, 250, 150]

    def test_1_malformed_body(self, ledger: AccountLedger) -> None:
        assert ledger.send(GRID, TRANSFER, ["CNY", HOUSE.kid, 0]) == classes.MALFORMED_BODY

    def test_2_expired(self, ledger: AccountLedger) -> None:
        body = Transfer("CNY", HOUSE.kid, 1).row()
        until = {"until_ms": CREATED_MS + 5, "time_ms": CREATED_MS + 6}
        assert ledger.send(GRID, TRANSFER, body, **until) == classes.EXPIRED
        until = {"until_ms": CREATED_MS + 6, "time_ms": CREATED_MS + 6}
        assert ledger.send(GRID, TRANSFER, body, **until) == classes.ACCEPTED

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        body = Transfer("CNY", HOUSE.kid, 1).row()
        assert ledger.send(REGULATOR, TRANSFER, body) == classes.ROLE_NOT_ALLOWED

    def test_21_asset_unknown(self, ledger: AccountLedger) -> None:
        body = Transfer("EUR", HOUSE.kid, 1).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.ASSET_UNKNOWN

    def test_23_account_unknown(self, ledger: AccountLedger) -> None:
        body = Transfer("CNY", HOUSE.kid, 1).row()
        assert ledger.send(FACTORY, TRANSFER, body) == classes.ACCOUNT_UNKNOWN

    @pytest.mark.parametrize("kid", [FACTORY.kid, NOBODY])
    def test_24_recipient_unknown(self, ledger: AccountLedger, kid: bytes) -> None:
        body = Transfer("CNY", kid, 1).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.RECIPIENT_UNKNOWN

    def test_25_to_itself(self, ledger: AccountLedger) -> None:
        body = Transfer("CNY", GRID.kid, 1).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.TO_ITSELF

    def test_26_balance_short(self, ledger: AccountLedger) -> None:
        body = Transfer("CNY", HOUSE.kid, 1_001).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.BALANCE_SHORT

    def test_26_what_is_locked_cannot_be_spent(self, ledger: AccountLedger) -> None:
        ledger.done(GRID, LOCK, Lock("CNY", 1, RETAIL.kid, CREATED_MS).row())
        body = Transfer("CNY", HOUSE.kid, 1_000).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.BALANCE_SHORT
        assert ledger.send(GRID, TRANSFER, Transfer("CNY", HOUSE.kid, 999).row()) == 0


class TestLock:
    """Kind 10."""

    def test_1_malformed_body(self, ledger: AccountLedger) -> None:
        body = ["CNY", 1, HOUSE.kid, -1]
        assert ledger.send(GRID, LOCK, body) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1, HOUSE.kid, 0).row()
        assert ledger.send(REGULATOR, LOCK, body) == classes.ROLE_NOT_ALLOWED

    def test_21_asset_unknown(self, ledger: AccountLedger) -> None:
        body = Lock("EUR", 1, HOUSE.kid, 0).row()
        assert ledger.send(GRID, LOCK, body) == classes.ASSET_UNKNOWN

    def test_23_account_unknown(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1, HOUSE.kid, 0).row()
        assert ledger.send(FACTORY, LOCK, body) == classes.ACCOUNT_UNKNOWN

    def test_24_holder_without_an_account(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1, FACTORY.kid, 0).row()
        assert ledger.send(GRID, LOCK, body) == classes.RECIPIENT_UNKNOWN

    def test_25_to_itself(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1, GRID.kid, 0).row()
        assert ledger.send(GRID, LOCK, body) == classes.TO_ITSELF

    def test_26_balance_short(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1_001, HOUSE.kid, 0).row()
        assert ledger.send(GRID, LOCK, body) == classes.BALANCE_SHORT

    def test_30_locks_full_until_one_ends(self, ledger: AccountLedger) -> None:
        body = Lock("CNY", 1, HOUSE.kid, CREATED_MS).row()
        digests = [ledger.done(GRID, LOCK, body) for _ in range(LOCKS_MAX)]
        assert ledger.send(GRID, LOCK, body) == classes.LOCKS_FULL
        ledger.done(HOUSE, UNLOCK, Unlock(digests[7], 1).row())
        assert ledger.send(GRID, LOCK, body) == classes.ACCEPTED


class TestUnlock:
    """Kind 11: GRID has locked 30 for HOUSE, for ten more milliseconds."""

    UNTIL_MS = CREATED_MS + 10

    @pytest.fixture
    def digest(self, ledger: AccountLedger) -> bytes:
        """The lock's."""
        return ledger.done(GRID, LOCK, Lock("CNY", 30, HOUSE.kid, self.UNTIL_MS).row())

    @pytest.mark.parametrize("taken", [0, 12, 30])
    def test_the_holder_takes_some_the_owner_gets_back_the_rest(
        self, ledger: AccountLedger, digest: bytes, taken: int
    ) -> None:
        ledger.done(HOUSE, UNLOCK, Unlock(digest, taken).row(), time_ms=self.UNTIL_MS)
        assert accounts.account(ledger.state, GRID.kid, "CNY") == Account(
            GRID.kid, "CNY", 1_000 - taken
        )
        assert unlocked(ledger, HOUSE) == taken
        assert accounts.locks(ledger.state) == []

    def test_later_the_owner_takes_it_back(self, ledger: AccountLedger, digest: bytes) -> None:
        ledger.done(GRID, UNLOCK, Unlock(digest, 0).row(), time_ms=self.UNTIL_MS + 1)
        assert unlocked(ledger, GRID) == 1_000

    def test_1_malformed_body(self, ledger: AccountLedger, digest: bytes) -> None:
        assert ledger.send(HOUSE, UNLOCK, [digest, -1]) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger, digest: bytes) -> None:
        body = Unlock(digest, 0).row()
        assert ledger.send(REGULATOR, UNLOCK, body) == classes.ROLE_NOT_ALLOWED

    def test_31_lock_unknown(self, ledger: AccountLedger, digest: bytes) -> None:
        assert ledger.send(HOUSE, UNLOCK, Unlock(bytes(32), 0).row()) == classes.LOCK_UNKNOWN
        ledger.done(HOUSE, UNLOCK, Unlock(digest, 0).row())
        assert ledger.send(HOUSE, UNLOCK, Unlock(digest, 0).row()) == classes.LOCK_UNKNOWN

    @pytest.mark.parametrize(("who", "late_ms"), [(GRID, 0), (RETAIL, 0), (HOUSE, 1), (RETAIL, 1)])
    def test_32_not_the_holder(
        self, ledger: AccountLedger, digest: bytes, who: Signer, late_ms: int
    ) -> None:
        body = Unlock(digest, 0).row()
        time_ms = self.UNTIL_MS + late_ms
        assert ledger.send(who, UNLOCK, body, time_ms=time_ms) == classes.NOT_THE_HOLDER

    @pytest.mark.parametrize(("who", "taken", "late_ms"), [(HOUSE, 31, 0), (GRID, 1, 1)])
    def test_33_lock_short(
        self, ledger: AccountLedger, digest: bytes, who: Signer, taken: int, late_ms: int
    ) -> None:
        body = Unlock(digest, taken).row()
        time_ms = self.UNTIL_MS + late_ms
        assert ledger.send(who, UNLOCK, body, time_ms=time_ms) == classes.LOCK_SHORT


def test_the_first_refusal_in_the_order_of_spec_counts(ledger: AccountLedger) -> None:
    def verdict(who: Signer, asset: str, to: bytes, amount: int) -> int:
        return ledger.send(who, TRANSFER, Transfer(asset, to, amount).row())

    assert verdict(FACTORY, "EUR", FACTORY.kid, 9_999) == classes.ASSET_UNKNOWN
    assert verdict(FACTORY, "CNY", FACTORY.kid, 9_999) == classes.ACCOUNT_UNKNOWN
    assert verdict(GRID, "CNY", GRID.kid, 9_999) == classes.TO_ITSELF
    assert verdict(GRID, "CNY", FACTORY.kid, 9_999) == classes.RECIPIENT_UNKNOWN
    assert verdict(GRID, "CNY", HOUSE.kid, 9_999) == classes.BALANCE_SHORT


def test_under_rules_1_there_is_none_of_it() -> None:
    ledger = AccountLedger(rules=1)
    for kind in range(transaction.REGISTER, transaction.ASSIGN + 1):
        assert ledger.send(GRID, kind, []) == classes.KIND_UNKNOWN
