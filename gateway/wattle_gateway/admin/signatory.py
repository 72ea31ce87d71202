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
# A transaction left in the pool by a crash may take the nonce that ours was built with.
ATTEMPTS_MAX = 3
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
        self._waiting: dict[bytes, asyncio.Future[Outcome]] = {}

    @property
    def ledger_id(self) -> bytes:
        """Of the ledger that it signs for."""
        return self._identity.genesis.ledger_id

    def follow(self, progress: Progress) -> None:
        """Transactions were executed."""
        for digest, outcome in progress.transactions.items():
            future = self._waiting.get(digest)
            if future is not None and not future.done():
                future.set_result(outcome)

    async def commit(self, kind: int, body: list[object]) -> bytes:
        """Have a transaction of this kind committed; gives its digest (32 bytes).

        Raises RefusedError with the ledger's verdict, DeadlineError if it is not committed in
        time (it may be yet), UsageError if this gateway has no vote (its entries get into no
        block) or it fits into no entry, StoreError.
        """
        async with self._one_at_a_time:
            for _ in range(ATTEMPTS_MAX):
                digest, outcome = await self._submit(kind, body)
                if outcome.effect == contracts.RECORDED:
                    if outcome.verdict != classes.ACCEPTED:
                        name = classes.REFUSAL_NAMES[outcome.verdict]
                        raise RefusedError(f"the ledger refused it: {name}")
                    return digest
        raise RefusedError("the ledger did not take it: its nonce was used")

    async def _submit(self, kind: int, body: list[object]) -> tuple[bytes, Outcome]:
        try:
            digest, outcome = await self._ledger.step(
                lambda driver, at: self._sign_and_add(driver, at, kind, body)
            )
        except LedgerError as error:
            raise UsageError(f"it cannot be written to the ledger: {error}") from error
        if outcome is not None:
            return digest, outcome
        # Nothing ran in this loop since the step ended, so no outcome was missed.
        self._waiting[digest] = asyncio.get_running_loop().create_future()
        try:
            return digest, await asyncio.wait_for(self._waiting[digest], COMMIT_DEADLINE_S)
        except TimeoutError as error:
            raise DeadlineError(
                f"not committed within {COMMIT_DEADLINE_S:.0f} s; look at `wattle-gateway status`"
            ) from error
        finally:
            del self._waiting[digest]

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
