"""The ledger's driver: does what consensus says, with one database, in one thread.

Owns engine, state and database of a gateway. Every method is one step: whatever it made durable
is durable when it returns, and what it gives back says what moved. It knows no network and no
timers; `wattle_gateway.runtime.ledger_thread` runs it beside the event loop.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts import registry
from wattle_gateway.contracts.chain import AckView, ack_view
from wattle_gateway.contracts.execute import Executed, Outcome
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import entry
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.ingest_memory import IngestMemory
from wattle_gateway.runtime.queue import EntryQueue
from wattle_gateway.store import block_rows, ledger_rows, own_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.pool_rows import PoolEntry


@dataclass
class Progress:
    """What a step moved.

    `acks` where each meter stands whose samples were stored or committed; `transactions` the
    outcomes by transaction digest; `registry_changed`: a transaction was executed, meters may
    have been enrolled or revoked; `next_tick_ms` of the steady clock.
    """

    head: CommitHead
    next_tick_ms: int
    acks: dict[bytes, AckView] = field(default_factory=dict)
    transactions: dict[bytes, Outcome] = field(default_factory=dict)
    registry_changed: bool = False


class LedgerDriver:
    """One gateway's ledger. Call `open` first, `close` last; use it from one thread only."""

    def __init__(self, path: Path, epoch: Epoch, author: int, sign: Sign) -> None:
        self._path = path
        self._epoch = epoch
        self._author = author
        self._sign = sign
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Read the ledger and take up where it stands; also after an error (disk full ...)."""
        self.close()
        self._database = database.open_writer(self._path, schema.LEDGER, self._epoch.ledger_id)
        try:
            self._take_up(self._database)
        except BaseException:
            self.close()
            raise
        self._next_tick_ms = 0

    def _take_up(self, connection: sqlite3.Connection) -> None:
        with store_errors_named(self._path):
            stored = ledger_rows.load_head(connection, first_head(self._epoch))
            self.state = ledger_rows.load_state(connection)
            self.head = stored.commit
            self._edge = stored.edge
            self.memory = IngestMemory()
            self.queue = EntryQueue(connection, self._epoch)
            self._uncommitted: dict[BlockRef, StoredBlock] = {}
            self._engine = self._recover(stored.leader)

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's connection."""
        assert self._database is not None
        return self._database

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable write: on disk when the block is left, or none of it."""
        with store_errors_named(self._path), database.transaction(self.connection) as connection:
            yield connection

    def add(self, entries: Sequence[PoolEntry], now: Now) -> Progress:
        """Store entries durably, then let blocks carry them."""
        with self.transaction() as connection:
            for row in entries:
                self.queue.insert(connection, row)
        progress = self._progress()
        for meter in sorted({row.meter for row in entries if row.meter is not None}):
            self._report(progress, meter)
        return self._offer(now, progress)

    def tick(self, now: Now) -> Progress:
        """Time has passed."""
        progress = self._progress()
        self._carry_out(self._engine.tick(now), now, progress)
        return self._offer(now, progress)

    def stands(self, meter: bytes) -> AckView | None:
        """Where a meter stands, None if it is not enrolled."""
        found = registry.meter(self.state, meter)
        if found is None:
            return None
        chain = registry.chain(self.state, meter, found.first_seq)
        return ack_view(chain, self.queue.held(meter))

    def meters(self) -> dict[bytes, Meter]:
        """Every meter of the registry by kid."""
        return {found.kid: found for found in registry.meters(self.state)}

    def next_nonce(self, lane: int) -> int:
        """The nonce of this member's next transaction in a lane."""
        return registry.next_nonce(self.state, self._epoch.members[self._author].kid, lane)

    def _progress(self) -> Progress:
        return Progress(self.head, self._next_tick_ms)

    def _report(self, progress: Progress, meter: bytes) -> None:
        view = self.stands(meter)
        if view is not None:
            progress.acks[meter] = view

    def _offer(self, now: Now, progress: Progress) -> Progress:
        """Hand waiting entries to the engine while it has room."""
        while True:
            urgent, others = self.queue.next_for(*self._engine.room)
            if urgent:
                self._carry_out(self._engine.propose(urgent, now, urgent=True), now, progress)
            if others:
                self._carry_out(self._engine.propose(others, now), now, progress)
            if not urgent and not others:
                break
        progress.head = self.head
        progress.next_tick_ms = self._next_tick_ms
        return progress

    def _carry_out(self, output: Output, now: Now, progress: Progress) -> None:
        """The engine's duties: blocks first, then commits, all in one durable write.

        There is nobody to send to: a committee of one has no peers.
        """
        if not output.to_persist and not output.commits:
            self._next_tick_ms = output.next_tick_ms
            return
        moved: set[bytes] = set()
        with self.transaction() as connection:
            waiting = [output]
            while waiting:
                output = waiting.pop()
                for made in output.to_persist:
                    self._persist(connection, made)
                for commit in output.commits:
                    executed = self._execute(connection, commit)
                    self._note(executed, progress)
                    moved.update(executed.meters)
                    moved.update(found.meter for found in executed.outcomes if found.meter)
                    waiting.append(self._engine.executed(executed.head, now))
                self._next_tick_ms = output.next_tick_ms
        for meter in sorted(moved):
            self._report(progress, meter)

    def _persist(self, connection: sqlite3.Connection, made: VerifiedBlock) -> None:
        own_rows.sign(connection, made.block.epoch, made.block.round)
        self.queue.took(connection, made.entries)
        place = block_rows.insert(connection, made)
        self._uncommitted[made.block.ref] = StoredBlock(place, made.block, made.entries)

    def _execute(self, connection: sqlite3.Connection, commit: Commit) -> Executed:
        stored = [self._uncommitted.pop(header.ref) for header in commit.blocks]
        executed = contracts.execute(
            self.state,
            self.head,
            commit,
            [block.verified() for block in stored],
            self._epoch,
            self.memory.verify,
            self._digest_of,
            self.memory.parse,
        )
        by_ref = {block.block.ref: block for block in stored}
        times = {}
        for outcome in executed.outcomes:
            body = by_ref[outcome.block].entries[outcome.position]
            row = self.queue.settle(connection, body, outcome)
            if outcome.leaf is not None and outcome.kind == entry.SAMPLE:
                times[row.digest] = ledger_rows.SampleTimes(row.first_ms, row.last_ms)
            self.memory.forget(row.digest)
        ids = {ref: block.id for ref, block in by_ref.items()}
        self._edge = ledger_rows.insert_executed(
            connection, commit, executed, self._edge, ids, times
        )
        for key, value in executed.changes:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.head = executed.head
        return executed

    @staticmethod
    def _note(executed: Executed, progress: Progress) -> None:
        for outcome in executed.outcomes:
            if outcome.kind == entry.TRANSACTION and outcome.digest is not None:
                progress.transactions[outcome.digest] = outcome
                progress.registry_changed = True

    def _recover(self, leader: BlockRef | None) -> Engine:
        floor = 0 if leader is None else max(0, leader.round - self._epoch.constants.gc_depth)
        number = self._epoch.number
        taken = ledger_rows.taken_above(self.connection, number, floor)
        committed: list[Block] = []
        uncommitted: list[VerifiedBlock] = []
        for stored in block_rows.load_above(self.connection, self._epoch.ledger_id, number, floor):
            if stored.id in taken:
                committed.append(stored.block)
            else:
                uncommitted.append(
                    block_format.check(
                        stored.block, stored.entries, self._epoch, self.memory.verify
                    )
                )
                self._uncommitted[stored.block.ref] = stored
                self.queue.carried(stored.entries)
        recovered = Recovered(
            self.head, leader=leader, committed=tuple(committed), uncommitted=tuple(uncommitted)
        )
        return Engine(self._epoch, self._author, self._sign, recovered)

    def _digest_of(self, index: int) -> bytes | None:
        if index == 0:
            return first_head(self._epoch).digest
        return ledger_rows.load_commit_digest(self.connection, index)
