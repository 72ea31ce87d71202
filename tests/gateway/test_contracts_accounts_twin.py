"""Random transactions, right and wrong, against a twin that keeps postings and no balances.

Whatever is sent: every verdict is the twin's, money is conserved to the unit, nothing is ever
negative, and a refusal changes nothing but the nonce.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from wattle_gateway.contracts import accounts, registry
from wattle_gateway.contracts.execute import HELD, RECORDED, REPEAT
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import entry, transaction
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.account_twin import BURNT, MINT, AccountTwin
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.commit_chain import changes_by_entries

HOUSE = User("house 7")
PEOPLE: dict[str, Signer] = {
    "grid": GRID,
    "aggregator": AGGREGATOR,
    "factory": FACTORY,
    "regulator": REGULATOR,
    "house": HOUSE,
}
ROLES = {"grid": 1, "aggregator": 3, "factory": 5, "regulator": 7, "house": 6}
KIDS = {signer.kid: name for name, signer in PEOPLE.items()}

# Mostly those who have accounts in what most people use.
who = st.sampled_from([*["grid", "factory", "house"] * 3, "aggregator", "regulator"])
asset = st.sampled_from([*["CNY"] * 6, "WH"])
# An amount as such, or by how much it misses all that one has, or all that may be issued.
amount = st.tuples(
    st.sampled_from(["plain", "plain", "balance", "limit"]), st.integers(-1, 1) | st.integers(1, 40)
)
Amount = tuple[str, int]
decimals = st.sampled_from([2, 2, 2, 0, 9, 10])
wait_ms = st.integers(0, 3)


class AccountMachine(RuleBasedStateMachine):
    """A ledger, its twin, and the clock of commits."""

    @initialize()
    def begin(self) -> None:
        self.ledger = AccountLedger()
        self.ledger.host(HOUSE)
        self.twin = AccountTwin(ROLES)
        self.time_ms = CREATED_MS
        self.digests: list[bytes] = []
        self.nonces = dict.fromkeys(PEOPLE, 0)
        self.nonces["aggregator"] = 1  # it has brought the user
        self.issue("grid", "CNY", 2, "grid", ("plain", 100))
        for name in ("factory", "house"):
            self.open(name, "CNY")
            self.transfer("grid", "CNY", name, ("plain", 30))

    @rule(by=who, of=asset)
    def open(self, by: str, of: str) -> None:
        self._same(by, transaction.OPEN, [of], self.twin.open(by, of))

    @rule(by=who, of=asset, places=decimals, to=who, size=amount)
    def issue(self, by: str, of: str, places: int, to: str, size: Amount) -> None:
        much = self._much(by, of, size)
        body = [of, places, PEOPLE[to].kid, much]
        self._same(by, transaction.ISSUE, body, self.twin.issue(by, of, places, to, much))

    @rule(by=who, of=asset, size=amount)
    def redeem(self, by: str, of: str, size: Amount) -> None:
        much = self._much(by, of, size)
        self._same(by, transaction.REDEEM, [of, much], self.twin.redeem(by, of, much))

    @rule(by=who, of=asset, to=who, size=amount)
    def transfer(self, by: str, of: str, to: str, size: Amount) -> None:
        much = self._much(by, of, size)
        body = [of, PEOPLE[to].kid, much]
        self._same(by, transaction.TRANSFER, body, self.twin.transfer(by, of, to, much))

    @rule(by=who, of=asset, to=who, size=amount, lasts_ms=wait_ms)
    def lock(self, by: str, of: str, to: str, size: Amount, lasts_ms: int) -> None:
        much = self._much(by, of, size)
        until_ms = self.time_ms + lasts_ms
        body = [of, much, PEOPLE[to].kid, until_ms]
        verdict, digest = self._send(by, transaction.LOCK, body)
        assert verdict == self.twin.lock(by, of, much, to, until_ms, digest)
        self.digests.append(digest)

    @rule(by=who, which=st.integers(0, 5), much=st.integers(-1, 60))
    def unlock(self, by: str, which: int, much: int) -> None:
        digest = self.digests[-1 - which] if which < len(self.digests) else bytes(32)
        expected = self.twin.unlock(by, digest, much, self.time_ms)
        self._same(by, transaction.UNLOCK, [digest, much], expected)

    @precondition(lambda self: self.twin.locks)
    @rule(which=st.integers(0, 5), beyond=st.integers(-1, 1) | st.integers(-40, 0))
    def one_side_of_a_lock_ends_it(self, which: int, beyond: int) -> None:
        digest, found = list(self.twin.locks.items())[-1 - which % len(self.twin.locks)]
        by = (found.owner, found.holder)[which % 2]
        taken = max(0, found.amount + beyond)
        for much in (taken, 0):
            expected = self.twin.unlock(by, digest, much, self.time_ms)
            self._same(by, transaction.UNLOCK, [digest, much], expected)

    @rule(by=who, body=st.none() | st.integers() | st.lists(st.integers(0, 3), max_size=3))
    def rubbish(self, by: str, body: object) -> None:
        if isinstance(body, int) and not -(1 << 63) <= body < 1 << 63:
            return
        expected = 3 if by == "regulator" else 1
        self._same(by, transaction.TRANSFER, body, expected)

    @rule(by=who, ahead=st.sampled_from([-1, 1, 5]))
    def wrong_nonce(self, by: str, ahead: int) -> None:
        """It has no effect at all."""
        nonce = self.nonces[by] + ahead
        if nonce < 0:
            return
        raw = self._built(by, transaction.TRANSFER, ["CNY", HOUSE.kid, 1], nonce)
        executed = self.ledger.chain.commit(raw, time_ms=self.time_ms)
        (outcome,) = executed.outcomes
        assert outcome.effect == (REPEAT if ahead < 0 else HELD)
        assert changes_by_entries(executed) == ()

    @rule(passed_ms=wait_ms)
    def time_passes(self, passed_ms: int) -> None:
        self.time_ms += passed_ms

    @invariant()
    def money_is_conserved(self) -> None:
        for found in accounts.assets(self.ledger.state):
            rows = [one for one in accounts.accounts(self.ledger.state) if one.asset == found.name]
            held = [one for one in accounts.locks(self.ledger.state) if one.asset == found.name]
            assert all(min(one.unlocked, one.locked, one.locks) >= 0 for one in rows)
            everything = sum(one.unlocked + one.locked for one in rows)
            assert everything == found.issued - found.redeemed
            assert sum(one.locked for one in rows) == sum(lock.amount for lock in held)
            assert sum(one.locks for one in rows) == len(held)
            assert found.issued == self.twin.issued(found.name) <= AMOUNT_MAX
            assert found.redeemed == self.twin.balance(BURNT, found.name)

    @invariant()
    def all_accounts_are_the_twins(self) -> None:
        seen = {
            (KIDS[one.party], one.asset): (one.unlocked, one.locked, one.locks)
            for one in accounts.accounts(self.ledger.state)
        }
        twin = self.twin
        assert seen == {
            (name, of): (twin.balance(name, of), twin.locked(name, of), twin.lock_count(name, of))
            for name, of in twin.opened
        }
        assert MINT not in KIDS.values()

    def _much(self, by: str, of: str, size: Amount) -> int:
        kind, number = size
        if kind == "balance":
            return self.twin.balance(by, of) + number
        if kind == "limit":
            return AMOUNT_MAX - self.twin.issued(of) + number
        return number

    def _same(self, by: str, kind: int, body: object, expected: int) -> None:
        verdict, _ = self._send(by, kind, body)
        assert verdict == expected

    def _send(self, by: str, kind: int, body: object) -> tuple[int, bytes]:
        """(verdict, digest) of a transaction with the right nonce, which it uses."""
        raw = self._built(by, kind, body, self.nonces[by])
        executed = self.ledger.chain.commit(raw, time_ms=self.time_ms)
        (outcome,) = executed.outcomes
        assert outcome.effect == RECORDED
        assert outcome.digest is not None
        self.nonces[by] += 1
        assert registry.next_nonce(self.ledger.state, PEOPLE[by].kid, 0) == self.nonces[by]
        if outcome.verdict:
            rows = [row for row, _ in changes_by_entries(executed)]
            assert rows == [key("nonce", PEOPLE[by].kid, 0)]
        return outcome.verdict, outcome.digest

    def _built(self, by: str, kind: int, body: object, nonce: int) -> bytes:
        raw = transaction.build(
            self.ledger.epoch.ledger_id,
            PEOPLE[by].kid,
            PEOPLE[by].sign,
            lane=0,
            nonce=nonce,
            until_ms=CREATED_MS * 2,
            kind=kind,
            body=body,
        )
        return entry.encode(entry.TRANSACTION, raw, 60_000)


AccountMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAccountMachine = AccountMachine.TestCase
