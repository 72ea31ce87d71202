"""`account statement`: every movement of an account in a time, with the entries that made it.

The ledger is executed again from its beginning, so a statement is as true as an audit, and costs
as much. What transactions move is known from their bodies; what is left of a commit's difference
is the ledger's own doing (payments of events, money reserved or freed), so nothing can be left out.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wattle_wire import cbor

from wattle_gateway.audit import state_replay
from wattle_gateway.contracts import accounts, classes, waiting
from wattle_gateway.contracts.accounts import HeldLock
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.contracts.settlement import funds, paying
from wattle_gateway.contracts.state import key, prefix
from wattle_gateway.contracts.waiting import Waiting
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import account_bodies, entry, transaction
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.transaction import DIGEST_BYTES, Transaction
from wattle_gateway.reports import coverage
from wattle_gateway.store import base_rows

ISSUED, REDEEMED = "issued", "redeemed"
PAID, RECEIVED = "paid", "received"
LOCKED, UNLOCKED, TAKEN = "locked", "unlocked", "taken from a lock"
EVENT_PAID, EVENT_RECEIVED = "paid for an event", "received for an event"
RESERVED, FREED, OTHER = "reserved", "freed", "other"
_PAID = prefix("paid", 2)
_WAITING = prefix("waiting", 1)


@dataclass(frozen=True)
class Balance:
    """Of an account; amounts in the asset's smallest unit."""

    unlocked: int = 0
    locked: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.unlocked + self.locked

    def plus(self, other: "Balance") -> "Balance":
        """The sum."""
        return Balance(self.unlocked + other.unlocked, self.locked + other.locked)

    def minus(self, other: "Balance") -> "Balance":
        """The difference."""
        return Balance(self.unlocked - other.unlocked, self.locked - other.locked)


@dataclass(frozen=True)
class Movement:
    """By the entry `leaf` (a transaction's ledger index, or the commit's own) the balance changed
    by `change` to `after`; `other` kid of the other side, `event` digest of the event paid."""

    leaf: int
    commit: int
    time_ms: int
    what: str
    change: Balance
    after: Balance
    other: bytes | None = None
    event: bytes | None = None


@dataclass(frozen=True)
class Statement:
    """Of one account from `from_ms` to `to_ms` (exclusive): `opening` and the changes of all
    `movements` together are `closing`. As of `commit`, the last one before the end."""

    party: bytes
    asset: str
    decimals: int
    from_ms: int
    to_ms: int
    commit: int
    opening: Balance
    closing: Balance
    movements: tuple[Movement, ...]


def statement(
    connection: sqlite3.Connection,
    first: Epoch,
    account: tuple[bytes, str],
    from_ms: int,
    to_ms: int,
) -> Statement:
    """The statement of an account (party's kid, asset); `first` is epoch 0.

    Raises UsageError without such an account by then, BeforeBaseError for a beginning before that
    of this gateway's ledger, StoreError if the ledger does not add up.
    """
    (last,) = connection.execute(
        "SELECT coalesce(max(commit_index), 0) FROM commits WHERE time_ms < ?", (to_ms,)
    ).fetchone()
    watcher = AccountWatcher(account, first.ledger_id, from_ms)
    base = base_rows.load(connection)
    if base is not None:
        coverage.check(connection, from_ms)
        watcher.begin(dict(base_rows.state_rows(connection)))
        last = last or base.index
    if last:
        state_replay.replay_to(connection, first, last, watcher)
    if watcher.decimals is None:
        raise UsageError(f"{account[0].hex()} had no account in {account[1]} by then")
    opening = watcher.balance if watcher.opening is None else watcher.opening
    return Statement(
        *account,
        watcher.decimals,
        from_ms,
        to_ms,
        last,
        opening,
        watcher.balance,
        tuple(watcher.movements),
    )


class AccountWatcher:
    """Sees every commit from the first one or the base on: what each does to one account."""

    def __init__(self, account: tuple[bytes, str], ledger_id: bytes, from_ms: int) -> None:
        self._party, self._asset = account
        self._row = key("account", *account)
        self._ledger_id = ledger_id
        self._from_ms = from_ms
        self._locks: dict[bytes, HeldLock] = {}
        self._waiting: dict[bytes, Waiting] = {}
        self.balance = Balance()
        self.opening: Balance | None = None
        self.decimals: int | None = None
        self.movements: list[Movement] = []

    def begin(self, state: Mapping[bytes, bytes]) -> None:
        """The ledger begins with this state: what the account had and what was held there."""
        found = accounts.account(state, self._party, self._asset)
        declared = accounts.asset(state, self._asset)
        if found is not None and declared is not None:
            self.balance = Balance(found.unlocked, found.locked)
            self.decimals = declared.decimals
        self._locks = {lock.digest: lock for lock in accounts.locks(state)}
        self._waiting = {one.digest: one for one in waiting.everything(state)}

    def __call__(self, first_leaf: int, executed: Executed, state: Mapping[bytes, bytes]) -> None:
        """Of a commit: the ledger index of its first leaf, what it left, the state after it."""
        head = executed.head
        if self.opening is None and head.time_ms >= self._from_ms:
            self.opening = self.balance
        found = [
            Movement(leaf, head.index, head.time_ms, what, change, Balance(), other)
            for leaf, what, change, other in self._by_transactions(first_leaf, executed)
        ]
        self._note_waiting(executed, state)
        after = self._after(executed, state)
        if after is not None:
            own_leaf = first_leaf + len(executed.leaves) - 1
            place = (own_leaf, head.index, head.time_ms)
            found += [
                Movement(*place, what, change, Balance(), other, event)
                for what, change, other, event in self._by_events(executed, state)
            ]
            left = after
            for change in (self.balance, *(movement.change for movement in found)):
                left = left.minus(change)
            if left != Balance():
                what = OTHER if left.total else RESERVED if left.locked > 0 else FREED
                found.append(Movement(*place, what, left, Balance()))
        for movement in found:
            self.balance = self.balance.plus(movement.change)
            if self.opening is not None:
                self.movements.append(replace(movement, after=self.balance))

    def _after(self, executed: Executed, state: Mapping[bytes, bytes]) -> Balance | None:
        """The balance after a commit, None if it did not touch the account's row."""
        if all(row != self._row for row, _ in executed.changes):
            return None
        found = accounts.account(state, self._party, self._asset)
        declared = accounts.asset(state, self._asset)
        assert found is not None, "accounts are never closed"
        assert declared is not None, "an account is in an asset that exists"
        self.decimals = declared.decimals
        return Balance(found.unlocked, found.locked)

    def _by_transactions(
        self, first_leaf: int, executed: Executed
    ) -> Iterator[tuple[int, str, Balance, bytes | None]]:
        """(ledger index, what, change, other side) of accepted transactions, in their order."""
        held_back = {row for row, value in executed.changes if value is not None}
        for outcome in executed.outcomes:
            if outcome.kind != entry.TRANSACTION or outcome.leaf is None:
                continue
            if outcome.verdict != classes.ACCEPTED:
                continue
            found = leaf_format.decode(executed.leaves[outcome.leaf])
            assert isinstance(found, EntryLeaf)
            told = transaction.parse(entry.decode(found.entry).body, self._ledger_id)
            if key("waiting", told.digest) in held_back:
                continue
            for what, change, other in self._moved(told):
                if change != Balance():
                    yield first_leaf + outcome.leaf, what, change, other

    def _moved(self, told: Transaction) -> list[tuple[str, Balance, bytes | None]]:
        """(what, change, other side) of this account by an accepted transaction."""
        origin, kind, body = told.kid, told.kind, told.body
        if kind == transaction.APPROVE:
            approved = self._waiting.pop(transaction.parse_approve(body).digest, None)
            if approved is None or approved.kind != transaction.ISSUE:
                return []
            origin, kind, body = approved.origin, approved.kind, approved.body
        if kind == transaction.ISSUE:
            issue = account_bodies.parse_issue(body)
            own = (issue.asset, issue.to) == (self._asset, self._party)
            return [(ISSUED, Balance(issue.amount), origin)] if own else []
        if kind == transaction.REDEEM:
            redeem = account_bodies.parse_redeem(body)
            own = (redeem.asset, origin) == (self._asset, self._party)
            return [(REDEEMED, Balance(-redeem.amount), None)] if own else []
        if kind == transaction.TRANSFER:
            return self._transferred(origin, account_bodies.parse_transfer(body))
        if kind == transaction.LOCK:
            lock = account_bodies.parse_lock(body)
            held = HeldLock(
                told.digest, origin, lock.asset, lock.amount, lock.holder, lock.until_ms
            )
            self._locks[told.digest] = held
            own = (lock.asset, origin) == (self._asset, self._party)
            return [(LOCKED, Balance(-lock.amount, lock.amount), lock.holder)] if own else []
        if kind == transaction.UNLOCK:
            return self._unlocked(account_bodies.parse_unlock(body))
        return []

    def _transferred(
        self, origin: bytes, body: account_bodies.Transfer
    ) -> list[tuple[str, Balance, bytes | None]]:
        if body.asset != self._asset:
            return []
        if origin == self._party:
            return [(PAID, Balance(-body.amount), body.to)]
        return [(RECEIVED, Balance(body.amount), origin)] if body.to == self._party else []

    def _unlocked(self, body: account_bodies.Unlock) -> list[tuple[str, Balance, bytes | None]]:
        held = self._locks.pop(body.digest)
        if held.asset != self._asset:
            return []
        moved: list[tuple[str, Balance, bytes | None]] = []
        if held.owner == self._party:
            change = Balance(held.amount - body.taken, -held.amount)
            moved.append((UNLOCKED, change, held.holder))
        if held.holder == self._party:
            moved.append((TAKEN, Balance(body.taken), held.owner))
        return moved

    def _by_events(
        self, executed: Executed, state: Mapping[bytes, bytes]
    ) -> Iterator[tuple[str, Balance, bytes, bytes]]:
        """(what, change, other side, event) of payments of final statements from or to it."""
        for row, value in executed.changes:
            if value is None or not row.startswith(_PAID):
                continue
            ids = cbor.decode(row)
            assert isinstance(ids, list)
            digest, payee = ids[1:]
            assert isinstance(digest, bytes)
            assert isinstance(payee, bytes)
            event, paid = rows.event(state, digest), paying.paid(state, digest, payee)
            assert event is not None, "a payment goes with its event"
            assert paid is not None, row
            if event.body.asset != self._asset or paid.paid == 0:
                continue
            source = event.publisher
            if event.body.fund is not None:
                held = funds.fund(state, event.body.fund)
                assert held is not None, "a fund stays when it is over"
                source = held.filler
            if source == self._party:
                yield EVENT_PAID, Balance(0, -paid.paid), payee, digest
            if payee == self._party:
                yield EVENT_RECEIVED, Balance(paid.paid), source, digest

    def _note_waiting(self, executed: Executed, state: Mapping[bytes, bytes]) -> None:
        """Issues that wait for a yes."""
        for row, value in executed.changes:
            if value is not None and row.startswith(_WAITING):
                digest = row[-DIGEST_BYTES:]
                found = waiting.find(state, digest)
                assert found is not None, row
                self._waiting[digest] = found


def as_json(found: Statement, names: Mapping[bytes, str]) -> dict[str, Any]:
    """The statement as JSON; `names` of parties by kid."""
    return {
        "party": names.get(found.party, ""),
        "party_kid": found.party.hex(),
        "asset": found.asset,
        "decimals": found.decimals,
        "from_ms": found.from_ms,
        "to_ms": found.to_ms,
        "commit": found.commit,
        "opening": _balance(found.opening),
        "movements": [
            {
                "ledger_index": one.leaf,
                "commit": one.commit,
                "time_ms": one.time_ms,
                "what": one.what,
                "other": None if one.other is None else names.get(one.other, ""),
                "other_kid": None if one.other is None else one.other.hex(),
                "event": None if one.event is None else one.event.hex(),
                "change": _balance(one.change),
                "after": _balance(one.after),
            }
            for one in found.movements
        ],
        "closing": _balance(found.closing),
    }


def _balance(found: Balance) -> dict[str, int]:
    return {"unlocked": found.unlocked, "locked": found.locked, "total": found.total}
