"""A ledger with accounts, grown transaction by transaction, and the people who use it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.execute import RECORDED
from wattle_gateway.contracts.settlement import transactions as settlement_transactions
from wattle_gateway.contracts.state import StateRows, key
from wattle_gateway.ledger import crypto, entry, genesis, hosted_word, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open, Register
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants, Member
from wattle_wire import cose

from wattle_testkit.alliance import CREATED_MS, Party, digest_of, epoch_of, private_key
from wattle_testkit.commit_chain import CommitChain

GRID = Party("grid")
RETAIL = Party("retail", genesis.RETAILER)
AGGREGATOR = Party("aggregator", genesis.AGGREGATOR)
FACTORY = Party("factory", genesis.LARGE_USER)
REGULATOR = Party("regulator", genesis.OBSERVER)
MEMBERS = (GRID, RETAIL, AGGREGATOR, FACTORY, REGULATOR)
# Whom a transaction needs besides is a story of its own: enrolments and the like need nobody.
ALONE = Constants(enrol_approvals=1)


class Signer(Protocol):
    """Whoever has a transaction key."""

    @property
    def kid(self) -> bytes:
        """kid of the key."""

    @property
    def sign(self) -> crypto.Sign:
        """Signs digests with the key."""


@dataclass(frozen=True)
class User:
    """A hosted user with a key drawn from its name."""

    name: str

    @cached_property
    def sign(self) -> crypto.Sign:
        """Signs digests with the transaction key."""
        return crypto.signer(private_key(f"{self.name} user"))

    @cached_property
    def key(self) -> bytes:
        """The public transaction key."""
        return crypto.public_of(private_key(f"{self.name} user"))

    @property
    def kid(self) -> bytes:
        """kid of the transaction key."""
        return cose.kid_of(self.key)

    def word(self, epoch: Epoch, host: Party | Member, version: int = 1) -> bytes:
        """Its word that a member hosts it."""
        return hosted_word.build(
            epoch.ledger_id, self.key, self.sign, version=version, name=self.name, host=host.kid
        )


class AccountLedger:
    """A ledger, and the nonce of everybody in lane 0."""

    def __init__(
        self,
        *parties: Party,
        constants: Constants = ALONE,
        rules: int = genesis.RULES,
    ) -> None:
        members = parties or MEMBERS
        epoch = epoch_of(*members, constants=constants, rules=rules)
        self.chain = CommitChain(epoch, *members)
        self._nonces: dict[bytes, int] = {}

    @property
    def epoch(self) -> Epoch:
        """The epoch in force."""
        return self.chain.epoch

    @property
    def state(self) -> StateRows:
        """The state after the newest commit."""
        return self.chain.state

    def entry(
        self, who: Signer, kind: int, body: object, *, until_ms: int = CREATED_MS * 2
    ) -> bytes:
        """The entry of somebody's next transaction; its nonce is used."""
        nonce = self._nonces.get(who.kid, 0)
        self._nonces[who.kid] = nonce + 1
        raw = transaction.build(
            self.epoch.ledger_id,
            who.kid,
            who.sign,
            lane=0,
            nonce=nonce,
            until_ms=until_ms,
            kind=kind,
            body=body,
        )
        return entry.encode(entry.TRANSACTION, raw, 60_000)

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
        changed nothing but the nonce and, where it is a fault, how the originator stands."""
        raw = self.entry(who, kind, body, until_ms=until_ms)
        executed = self.chain.commit(raw, time_ms=time_ms)
        (outcome,) = executed.outcomes
        assert outcome.effect == RECORDED
        if outcome.verdict != classes.ACCEPTED:
            # Under rules 3 each commit notes who is connected, and some refusals are faults.
            changed = {row for row, _ in executed.changes} - {key("connected")}
            is_fault = outcome.verdict in settlement_transactions.CHARGED.get(kind, ())
            rows = [key("nonce", who.kid, 0), *[key("standing", who.kid)] * is_fault]
            assert changed == set(rows)
        return outcome.verdict

    def done(self, who: Signer, kind: int, body: object, **how: int) -> bytes:
        """Have a transaction accepted; gives its digest."""
        raw = self.entry(who, kind, body)
        outcome = self.chain.one(raw, how.get("time_ms"))
        assert (outcome.effect, outcome.verdict) == (RECORDED, classes.ACCEPTED)
        return digest_of(self.epoch, raw)

    def host(self, user: User, host: Party = AGGREGATOR, version: int = 1) -> None:
        """Bring a user to the ledger."""
        body = Register(user.word(self.epoch, host, version)).row()
        self.done(host, transaction.REGISTER, body)

    def declare(self, asset: str = "CNY", amount: int = 1_000, decimals: int = 2) -> None:
        """GRID issues the first of an asset, to itself."""
        self.done(GRID, transaction.ISSUE, Issue(asset, decimals, GRID.kid, amount).row())

    def open(self, *parties: Signer, asset: str = "CNY") -> None:
        """Open accounts."""
        for party in parties:
            self.done(party, transaction.OPEN, Open(asset).row())
