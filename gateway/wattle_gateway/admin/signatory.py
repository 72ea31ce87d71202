"""Transactions of this member: signed, put into the pool, followed to their commit."""

import asyncio

from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import classes
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.errors import DeadlineError, RefusedError, UsageError
from wattle_gateway.home.identity import Identity
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.errors import LedgerError
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

    async def commit(self, kind: int, body: list[object]) -> bytes:
        """Have a transaction of this kind committed; gives its digest (32 bytes).

        Raises RefusedError with the ledger's verdict, DeadlineError if it is not committed in
        time (it may be yet), UsageError if this gateway has no vote (its entries get into no
        block) or it fits into no entry, StoreError.
        """
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(COMMIT_DEADLINE_S):
                    return await self._commit(kind, body)
            except TimeoutError as error:
                raise DeadlineError(
                    f"not committed within {COMMIT_DEADLINE_S:.0f} s, but it may be yet; "
                    "look at `wattle-gateway status`"
                ) from error

    async def _commit(self, kind: int, body: list[object]) -> bytes:
        await self._await_current()
        while True:
            digest, outcome = await self._submit(kind, body)
            # A transaction that the ledger calls a repeat had no effect and never will: its nonce
            # was used by one of ours that we had not seen. Any other answer is the last word.
            if outcome.effect == contracts.RECORDED:
                if outcome.verdict != classes.ACCEPTED:
                    name = classes.REFUSAL_NAMES[outcome.verdict]
                    raise RefusedError(f"the ledger refused it: {name}")
                return digest
            if outcome.effect != contracts.REPEAT:
                raise RefusedError(f"the ledger did not take it: {outcome.effect}")

    async def _await_current(self) -> None:
        """Wait until the own state is what others say that they have, for some time."""
        try:
            async with asyncio.timeout(CURRENT_WITHIN_S):
                while not await self._ledger.read(_is_current):
                    await self._moved.wait()
                    self._moved.clear()
        except TimeoutError:
            return  # the nonce may be an old one; then the ledger says so, and we sign again

    async def _submit(self, kind: int, body: list[object]) -> tuple[bytes, Outcome]:
        try:
            digest, outcome = await self._ledger.step(
                lambda driver, at: self._sign_and_add(driver, at, kind, body)
            )
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

    def _sign_and_add(
        self, driver: LedgerDriver, at: Now, kind: int, body: list[object]
    ) -> tuple[tuple[bytes, Outcome | None], Progress]:
        """In the ledger's thread, so that no other step takes the nonce in between."""
        epoch = driver.epoch
        if driver.author is None:
            raise UsageError(NO_VOTE)
        raw = transaction.build(
            epoch.ledger_id,
            self._identity.kid,
            crypto.signer(self._identity.block_key),
            lane=LANE,
            nonce=driver.next_nonce(LANE),
            until_ms=at.unix_ms + VALID_MS,
            kind=kind,
            body=body,
        )
        digest = transaction.parse(raw, epoch.ledger_id).digest
        wrapped = entry.encode(entry.TRANSACTION, raw, epoch.constants.entry_bytes_max)
        row = PoolEntry(0, entry.TRANSACTION, None, None, digest, 0, 0, wrapped)
        progress = driver.add([row], at)
        return (digest, progress.transactions.get(digest)), progress


def _is_current(driver: LedgerDriver) -> bool:
    """Whether the next nonce by the own state is that of the ledger, as far as anybody can know:
    own blocks are signed, and all is executed that others are believed to have. Without a vote
    there is nothing to wait for."""
    if driver.author is None:
        return True
    return driver.signing and driver.head.index >= driver.synchronizer.reached
