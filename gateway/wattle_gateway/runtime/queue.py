"""Entries between ingest and commit: where each is, and which seqs this gateway holds.

pool (on disk) -> offered (the engine has it) -> carried (in a block of ours) -> settled. An entry
that execution held back returns to the pool and is offered again when its meter has moved.
"""

import sqlite3
from collections.abc import Iterable
from hashlib import sha256

from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.ledger import entry, evidence, signed_sample, transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.evidence import TwoSamples
from wattle_gateway.store import pool_rows
from wattle_gateway.store.pool_rows import PoolEntry


def entry_row(body: bytes, ledger_id: bytes) -> PoolEntry:
    """What the pool keeps beside an entry's bytes; LedgerError if they are no entry."""
    found = entry.decode(body)
    if found.kind == entry.SAMPLE:
        signed = signed_sample.parse(found.body, ledger_id)
        readings = signed.sample.readings
        first_ms, last_ms = readings[0].time_ms, readings[-1].time_ms
        seq = signed.sample.seq
        return PoolEntry(0, found.kind, signed.kid, seq, signed.digest, first_ms, last_ms, body)
    if found.kind == entry.EVIDENCE:
        shown = evidence.decode(found.body, ledger_id)
        digest = sha256(found.body).digest()
        if isinstance(shown, TwoSamples):
            seq = shown.low.sample.seq
            return PoolEntry(0, found.kind, shown.low.kid, seq, digest, 0, 0, body)
        return PoolEntry(0, found.kind, None, None, digest, 0, 0, body)
    digest = transaction.parse(found.body, ledger_id).digest
    return PoolEntry(0, found.kind, None, None, digest, 0, 0, body)


class EntryQueue:
    """The entries that are not settled. Rows are written inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, epoch: Epoch) -> None:
        self._connection = connection
        self._ledger_id = epoch.ledger_id
        self._offered: dict[bytes, PoolEntry] = {}
        self._carried: dict[bytes, PoolEntry] = {}
        self._held_back: dict[bytes, set[int]] = {}
        self._seqs: dict[bytes, set[int]] = {}
        for meter, seq in pool_rows.seqs(connection):
            self._seqs.setdefault(meter, set()).add(seq)
        self.size = pool_rows.size(connection)

    def insert(self, connection: sqlite3.Connection, row: PoolEntry) -> int:
        """Put an entry into the pool and give its id there."""
        self.size += 1
        self._hold(row)
        return pool_rows.insert(connection, row)

    def next_for(self, entries_max: int, bytes_max: int) -> tuple[list[bytes], list[bytes]]:
        """Entries to offer to the engine now, (urgent, others), within its room; they count as
        offered from now on."""
        taken = {row.id for row in self._offered.values()}.union(*self._held_back.values())
        urgent: list[bytes] = []
        others: list[bytes] = []
        if entries_max == 0 or self.size <= len(taken):
            return urgent, others
        for row in pool_rows.next_entries(self._connection, entries_max, taken):
            bytes_max -= len(row.body)
            if bytes_max < 0:
                break
            self._offered[row.body] = row
            (others if row.kind == entry.SAMPLE else urgent).append(row.body)
        return urgent, others

    def took(self, connection: sqlite3.Connection, bodies: Iterable[bytes]) -> None:
        """A block carries these entries: they leave the pool."""
        rows = [self._offered.pop(body) for body in bodies]
        pool_rows.delete(connection, [row.id for row in rows])
        self.size -= len(rows)
        self._carried.update((row.body, row) for row in rows)

    def carried(self, bodies: Iterable[bytes]) -> None:
        """A stored block, not committed yet, carries these entries (at start)."""
        for body in bodies:
            row = entry_row(body, self._ledger_id)
            self._carried[body] = row
            self._hold(row)

    def settle(self, connection: sqlite3.Connection, body: bytes, outcome: Outcome) -> PoolEntry:
        """Execution has spoken: forget the entry, or take it back into the pool."""
        row = self._carried.pop(body, None) or entry_row(body, self._ledger_id)
        # A sample waits for its meter's chain to move, a transaction for the lanes to.
        waits_for = row.meter or b""
        if outcome.effect == contracts.RECORDED:
            self._held_back.pop(waits_for, None)
        if outcome.effect == contracts.HELD:
            place = pool_rows.insert(connection, row)
            self.size += 1
            self._held_back.setdefault(waits_for, set()).add(place)
        elif row.kind == entry.SAMPLE and row.meter is not None and row.seq is not None:
            seqs = self._seqs.get(row.meter, set())
            seqs.discard(row.seq)
            if not seqs:
                self._seqs.pop(row.meter, None)
        return row

    def held(self, meter: bytes) -> list[tuple[int, int]]:
        """The seqs of a meter on our disk that are not committed, as ranges."""
        return [(seq, seq) for seq in sorted(self._seqs.get(meter, ()))]

    def held_count(self, meter: bytes) -> int:
        """How many samples of a meter wait."""
        return len(self._seqs.get(meter, ()))

    def holds(self, meter: bytes, seq: int) -> bool:
        """Whether this sample is on our disk and not committed."""
        return seq in self._seqs.get(meter, ())

    def find(self, kind: int, meter: bytes, seq: int) -> PoolEntry | None:
        """The waiting entry of a kind for a meter and seq, wherever it is."""
        row = pool_rows.find(self._connection, kind, meter, seq)
        if row is not None:
            return row
        for row in self._carried.values():
            if (row.kind, row.meter, row.seq) == (kind, meter, seq):
                return row
        return None

    def _hold(self, row: PoolEntry) -> None:
        if row.kind == entry.SAMPLE and row.meter is not None and row.seq is not None:
            self._seqs.setdefault(row.meter, set()).add(row.seq)
