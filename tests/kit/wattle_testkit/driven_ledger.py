"""A real database under a real driver, with the clocks in the test's hand and no network."""

import sqlite3
from pathlib import Path

from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS, Now
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import connection as database

from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    epoch_of,
    sample_entry,
    transaction_entry,
)


class DrivenLedger:
    """The ledger of GRID alone at `path`, opened; made if the file does not exist."""

    def __init__(self, path: Path, epoch: Epoch | None = None) -> None:
        self.path = path
        self.epoch = epoch or epoch_of()
        self.unix_ms = CREATED_MS + 10_000
        self.steady_ms = 1_000_000
        if not path.exists():
            database.create_ledger(path, self.epoch.ledger_id)
        self.driver = LedgerDriver(path, self.epoch, GRID.kid, GRID.sign)
        self.driver.open()

    @property
    def now(self) -> Now:
        """Both clocks."""
        return Now(self.unix_ms, self.steady_ms)

    def pass_ms(self, duration_ms: int) -> None:
        """Let time pass on both clocks."""
        self.unix_ms += duration_ms
        self.steady_ms += duration_ms

    def add(self, *bodies: bytes) -> Progress:
        """Store entries durably."""
        return self.driver.add([entry_row(body, self.epoch.ledger_id) for body in bodies], self.now)

    def add_samples(self, *samples: SignedSample) -> Progress:
        """Store samples durably."""
        return self.add(*(sample_entry(signed) for signed in samples))

    def settle(self) -> Progress:
        """Let the next round carry what waits; gives what its commit moved."""
        self.pass_ms(SAMPLE_ROUND_MS)
        return self.driver.tick(self.now)

    def enrol(self, board: Board) -> Progress:
        """Enrol a board."""
        body = transaction.enrol_body(board.enrol())
        return self.transact(transaction.ENROL, body)

    def revoke(self, board: Board, last_seq: int) -> Progress:
        """Revoke a board."""
        body = transaction.revoke_body(transaction.Revoke(board.kid, last_seq))
        return self.transact(transaction.REVOKE, body)

    def transact(self, kind: int, body: list[object]) -> Progress:
        """A transaction of the member, and what its step made of it."""
        self.pass_ms(SAMPLE_ROUND_MS)
        nonce = self.driver.next_nonce(0)
        return self.add(transaction_entry(self.epoch, GRID, kind, body, nonce=nonce))

    def reopen(self) -> None:
        """Forget everything in memory and begin again from the file, as after kill -9."""
        self.driver.close()
        self.driver = LedgerDriver(self.path, self.epoch, GRID.kid, GRID.sign)
        self.driver.open()

    def reader(self) -> sqlite3.Connection:
        """A plain connection to the file, for tests that tamper."""
        return sqlite3.connect(self.path, isolation_level=None)
