"""Transactions of this member, and of those it hosts: put into the pool, followed to their commit.

A hosted user signs with a key that this gateway never sees; what it signed is carried.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from wattle_gateway.admin import refusal_words
from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import classes, parties, registry, transactions
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.errors import DeadlineError, RefusedError, UsageError
from wattle_gateway.home.identity import Identity
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.transaction import Transaction
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store.pool_rows import PoolEntry

# Gateways use lane 0 for what operators ask of them.
LANE = 0
# Virtual on a bench: at 60 times the speed an hour passes in a minute.
VALID_MS = 24 * 3_600_000
COMMIT_DEADLINE_S = 30.0
# After a start the own state lags behind the ledger, and with it the nonce: so long it is waited
# for. A member that lies about what it has cannot hold us up longer.
CURRENT_WITHIN_S = 10.0
NO_VOTE = (
    "this gateway has no vote in the epoch in force: only voting members propose, approve, enrol "
    "and revoke (`wattle-gateway alliance show`)"
)
NOBODY_CARRIES = (
    "this gateway has no vote, so another one has to carry its transactions, and none that has a "
    "vote is linked now (`wattle-gateway status`)"
)
TOOK_ITS_NONCE = "another transaction of this party took its nonce; sign again"

_Added = tuple[tuple[bytes, Outcome | None], Progress]
"""((digest, outcome if it was executed at once), progress of the step)."""
_AddedEach = tuple[tuple[list[bytes], list[Outcome | None]], Progress]
"""The same of several."""


class Signatory:
    """Signs transactions with the own block key, one at a time: each needs the next nonce."""

    def __init__(self, identity: Identity, ledger: LedgerThread) -> None:
        self._identity = identity
        self._ledger = ledger
        self._one_at_a_time = asyncio.Lock()
        self._moved = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Queue[Outcome]] = {}

    @property
    def ledger_id(self) -> bytes:
        """Of the ledger that it signs for."""
        return self._identity.genesis.ledger_id

    def follow(self, progress: Progress) -> None:
        """A step of the ledger is durable; it may have executed transactions."""
        self._moved.set()
        for digest, outcome in progress.transactions.items():
            waiting = self._waiting.get(digest)
            if waiting is not None:
                waiting.put_nowait(outcome)

    async def commit(self, kind: int, body: list[object], *, alone: bool = False) -> bytes:
        """Have a transaction of this kind committed; gives its digest (32 bytes).

        `alone`: not while an earlier one of ours has no answer yet. Whoever is told that a payment
        was not committed in time and sends it again would pay twice.

        Raises RefusedError with the ledger's verdict, DeadlineError if it is not committed in
        time (it may be yet), StoreError; UsageError if it fits into no entry, or if this gateway
        has no vote and its role may not send this kind, or nobody is there to carry it.
        """

        def add(driver: LedgerDriver, at: Now) -> _Added:
            if alone:
                _check_answered(driver, self._identity.kid)
            return self._sign_and_add(driver, at, kind, body)

        async with self._one_at_a_time, _deadline():
            await self._await_current()
            while True:
                digest, outcome = await self._submit(add)
                # A transaction that the ledger calls a repeat had no effect and never will: its
                # nonce was used by one of ours that we had not seen. Without a vote that may be
                # one that others had for longer than we waited: who asked has to look first.
                if outcome.effect != contracts.REPEAT or await self._ledger.read(_is_carried):
                    return _accepted(digest, outcome)

    async def commit_each(self, kind: int, bodies: Sequence[list[object]]) -> list[str | None]:
        """Have several transactions of this kind committed together, for whom one at a time would
        take too long; of each, None if it was accepted, else why not. None stops another.

        Raises DeadlineError if not all are committed in time (they may be yet), UsageError as
        `commit` with `alone`, or if somebody else took the nonces; StoreError.
        """

        def add(driver: LedgerDriver, at: Now) -> _AddedEach:
            if driver.author is None:
                raise UsageError(NO_VOTE)
            _check_answered(driver, self._identity.kid)
            first = driver.next_nonce(LANE)
            signed = [
                self._signed(driver, at, kind, body, nonce)
                for nonce, body in enumerate(bodies, first)
            ]
            rows = [_row(driver, raw, digest) for raw, digest in signed]
            progress = driver.add(rows, at)
            digests = [digest for _, digest in signed]
            return (digests, [progress.transactions.get(digest) for digest in digests]), progress

        async with self._one_at_a_time, _deadline():
            await self._await_current()
            arrived: asyncio.Queue[Outcome] = asyncio.Queue()
            try:
                digests, at_once = await self._ledger.step(add)
            except LedgerError as error:
                raise UsageError(f"it cannot be written to the ledger: {error}") from error
            # Nothing ran in this loop since the step ended, so no outcome was missed.
            for outcome in at_once:
                if outcome is not None:
                    arrived.put_nowait(outcome)
            self._waiting.update(dict.fromkeys(digests, arrived))
            try:
                return await _answers(digests, arrived)
            finally:
                for digest in digests:
                    del self._waiting[digest]

    async def turn(self, kid: bytes) -> int:
        """The nonce of the next transaction in lane 0 of a party that signs by itself."""
        await self._await_current()
        return await self._ledger.read(lambda at: registry.next_nonce(at.state, kid, LANE))

    async def carry(self, raw: bytes) -> bytes:
        """Have a transaction (COSE_Sign1 bytes) committed that another party signed, in lane 0;
        gives its digest (32 bytes).

        Raises UsageError for one that the ledger would not even record, otherwise as `commit`.
        """

        def add(driver: LedgerDriver, at: Now) -> _Added:
            if driver.author is None:
                raise UsageError(NO_VOTE)
            tx = _carriable(driver, raw)
            return _add(driver, at, raw, tx.digest)

        async with self._one_at_a_time, _deadline():
            digest, outcome = await self._submit(add)
            return _accepted(digest, outcome)

    async def _await_current(self) -> None:
        """Wait until the own state is what others say that they have, for some time."""
        try:
            async with asyncio.timeout(CURRENT_WITHIN_S):
                while not await self._ledger.read(_is_current):
                    await self._moved.wait()
                    self._moved.clear()
        except TimeoutError:
            return  # the nonce may be an old one; then the ledger says so, and we sign again

    async def _submit(self, add: Callable[[LedgerDriver, Now], _Added]) -> tuple[bytes, Outcome]:
        """The answer to what `add` signs and adds, in the ledger's thread, so that no other step
        takes the nonce in between."""
        try:
            digest, outcome = await self._ledger.step(add)
        except LedgerError as error:
            raise UsageError(f"it cannot be written to the ledger: {error}") from error
        # Nothing ran in this loop since the step ended, so no outcome was missed.
        outcomes = self._waiting[digest] = asyncio.Queue()
        try:
            # Held back is not gone: it waits for its turn and is proposed again. Another one
            # signed in its place could be executed beside it.
            while outcome is None or outcome.effect == contracts.HELD:
                outcome = await outcomes.get()
        finally:
            del self._waiting[digest]
        return digest, outcome

    def _sign_and_add(self, driver: LedgerDriver, at: Now, kind: int, body: list[object]) -> _Added:
        raw, digest = self._signed(driver, at, kind, body, driver.next_nonce(LANE))
        if driver.author is not None:
            return _add(driver, at, raw, digest)
        member = driver.epoch.party_of(self._identity.kid)
        kinds = transactions.ROLES[driver.epoch.rules]
        if member is None or member.role not in kinds.get(kind, ()):
            raise UsageError(NO_VOTE)
        return _hand_on(driver, at, raw, digest)

    def _signed(
        self, driver: LedgerDriver, at: Now, kind: int, body: list[object], nonce: int
    ) -> tuple[bytes, bytes]:
        """A transaction of ours with its digest."""
        raw = transaction.build(
            driver.epoch.ledger_id,
            self._identity.kid,
            crypto.signer(self._identity.block_key),
            lane=LANE,
            nonce=nonce,
            until_ms=at.unix_ms + VALID_MS,
            kind=kind,
            body=body,
        )
        return raw, transaction.parse(raw, driver.epoch.ledger_id).digest


def _add(driver: LedgerDriver, at: Now, raw: bytes, digest: bytes) -> _Added:
    # The same bytes may come twice; the pool has them once.
    rows = [] if driver.queue.waits(digest) else [_row(driver, raw, digest)]
    progress = driver.add(rows, at)
    return (digest, progress.transactions.get(digest)), progress


def _hand_on(driver: LedgerDriver, at: Now, raw: bytes, digest: bytes) -> _Added:
    """Without blocks of our own: those with a vote carry it in theirs."""
    parcels = driver.synchronizer.hand_on(raw)
    if not parcels:
        raise UsageError(NOBODY_CARRIES)
    progress = driver.tick(at)
    progress.to_send += parcels
    return (digest, progress.transactions.get(digest)), progress


def _row(driver: LedgerDriver, raw: bytes, digest: bytes) -> PoolEntry:
    wrapped = entry.encode(entry.TRANSACTION, raw, driver.epoch.constants.entry_bytes_max)
    return PoolEntry(0, entry.TRANSACTION, None, None, digest, 0, 0, wrapped)


async def _answers(digests: Sequence[bytes], arrived: asyncio.Queue[Outcome]) -> list[str | None]:
    """What became of transactions, in their order, once all are answered. UsageError if another
    transaction took the place of one."""
    found: dict[bytes, str | None] = {}
    while len(found) < len(digests):
        outcome = await arrived.get()
        assert outcome.digest is not None
        if outcome.effect == contracts.REPEAT:
            raise UsageError(TOOK_ITS_NONCE)
        if outcome.effect == contracts.HELD:
            continue  # it comes again
        try:
            _accepted(outcome.digest, outcome)
            found[outcome.digest] = None
        except RefusedError as refusal:
            found[outcome.digest] = str(refusal)
    return [found[digest] for digest in digests]


def _carriable(driver: LedgerDriver, raw: bytes) -> Transaction:
    """The transaction in `raw`, if it is authentic and next in its lane; UsageError otherwise."""
    try:
        tx = transaction.parse(raw, driver.epoch.ledger_id)
        party = parties.party(driver.state, driver.epoch, tx.kid)
        if party is None:
            raise UsageError(f"{tx.kid.hex()} is no party of this ledger")
        crypto.verify(party.key, tx.digest, tx.signature)
    except LedgerError as error:
        raise UsageError(f"not a transaction that the ledger takes: {error}") from error
    due = registry.next_nonce(driver.state, tx.kid, LANE)
    if (tx.lane, tx.nonce) != (LANE, due):
        raise UsageError(
            f"it has nonce {tx.nonce} in lane {tx.lane}, expected {due} in lane {LANE}; sign again"
        )
    others = [digest for digest in driver.queue.unanswered(tx.kid) if digest != tx.digest]
    if others:
        raise UsageError(_unanswered_text(others[0]))
    return tx


def _check_answered(driver: LedgerDriver, kid: bytes) -> None:
    waiting = driver.queue.unanswered(kid)
    if waiting:
        raise UsageError(_unanswered_text(waiting[0]))


def _unanswered_text(digest: bytes) -> str:
    return (
        f"an earlier transaction of this party ({digest.hex()[:16]}..) is not committed yet; once "
        "it is, see what it did before you send another"
    )


def _accepted(digest: bytes, outcome: Outcome) -> bytes:
    if outcome.effect == contracts.REPEAT:
        raise RefusedError(TOOK_ITS_NONCE)
    if outcome.effect != contracts.RECORDED:
        raise RefusedError(f"the ledger did not take it: {outcome.effect}")
    if outcome.verdict != classes.ACCEPTED:
        raise RefusedError(f"the ledger refused it: {refusal_words.told(outcome.verdict)}")
    return digest


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(COMMIT_DEADLINE_S):
            yield
    except TimeoutError as error:
        raise DeadlineError(
            f"not committed within {COMMIT_DEADLINE_S:.0f} s, but it may be yet; "
            "look at `wattle-gateway status`"
        ) from error


def _is_carried(driver: LedgerDriver) -> bool:
    """Whether others have to carry what this gateway signs."""
    return driver.author is None


def _is_current(driver: LedgerDriver) -> bool:
    """Whether the next nonce by the own state is that of the ledger, as far as anybody can know:
    own blocks are signed (without a vote there are none), and all is executed that others are
    believed to have."""
    signing = driver.author is None or driver.signing
    return signing and driver.head.index >= driver.synchronizer.reached
