"""Entries between ingest and commit: where each is, and which seqs this gateway holds.

pool (on disk) -> offered (the engine has it) -> carried (in a block of ours) -> settled. An entry
that execution held back returns to the pool and is offered again when its meter has moved; so
does one whose block is void (rule 29) or fell below the floor (rule 24). What another gateway's
block has brought into the ledger leaves the pool.
"""

import sqlite3
from collections.abc import Iterable
from hashlib import sha256

from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts import registry
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.ledger import entry, evidence, signed_sample, transaction
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
    """The entries that are not settled; `connection` is the writer's, inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, ledger_id: bytes) -> None:
        self._connection = connection
        self._ledger_id = ledger_id
        self._offered: dict[bytes, PoolEntry] = {}
        self._carried: dict[bytes, PoolEntry] = {}
        self._held_back: dict[bytes, set[int]] = {}
        self._seqs: dict[bytes, set[int]] = {}
        for meter, seq in pool_rows.seqs(connection):
            self._seqs.setdefault(meter, set()).add(seq)
        self.size = pool_rows.size(connection)

    def insert(self, row: PoolEntry) -> int:
        """Put an entry into the pool and give its id there."""
        self.size += 1
        self._hold(row)
        return pool_rows.insert(self._connection, row)

    def carry(self, bodies: Iterable[bytes], state: Rows) -> None:
        """Transactions of members that have no blocks of their own, as entries. One that is not the
        next of its lane is left, and while one of a party waits no other: nobody fills our disk."""
        for body in bodies:
            tx = transaction.parse(entry.decode(body).body, self._ledger_id)
            due = registry.next_nonce(state, tx.kid, tx.lane)
            if tx.nonce == due and not self.unanswered(tx.kid):
                self.insert(entry_row(body, self._ledger_id))

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
            (urgent if entry.is_urgent(row.body) else others).append(row.body)
        return urgent, others

    def took(self, bodies: Iterable[bytes]) -> None:
        """A block carries these entries: they leave the pool."""
        rows = [self._offered.pop(body) for body in bodies]
        pool_rows.delete(self._connection, [row.id for row in rows])
        self.size -= len(rows)
        self._carried.update((row.body, row) for row in rows)

    def carried(self, bodies: Iterable[bytes]) -> None:
        """A block of ours that we did not make just now carries these entries: one of an earlier
        run, not committed yet."""
        for body in bodies:
            row = entry_row(body, self._ledger_id)
            if self._waits(row):
                continue  # it waits in the pool besides: that one counts
            self._carried[body] = row
            self._hold(row)

    def give_back(self, bodies: Iterable[bytes]) -> None:
        """No commit will take the block that carries these entries: they wait again."""
        for body in bodies:
            row = self._carried.pop(body, None)
            if row is None or (row.kind == entry.SAMPLE and not self._holds(row)):
                continue  # another gateway's block has brought it in
            if row.kind != entry.SAMPLE and self._waits(row):
                continue  # it came a second way
            pool_rows.insert(self._connection, row)
            self.size += 1

    def begin_again(self) -> None:
        """The engine was replaced, all its blocks are void: everything waits again."""
        self._offered.clear()
        self._held_back.clear()
        self.give_back(list(self._carried))

    def settle(self, body: bytes, outcome: Outcome) -> None:
        """Execution has spoken on an entry of a block of ours: forget it, or take it back."""
        row = self._carried.pop(body, None)
        if outcome.effect != contracts.HELD:
            self._moved(outcome)
        elif row is not None:  # else it waits in the pool besides: that one counts
            place = pool_rows.insert(self._connection, row)
            self.size += 1
            self._held_back.setdefault(_turn_of(row.kind, row.meter), set()).add(place)

    def settle_foreign(self, outcome: Outcome) -> None:
        """Execution has spoken on an entry of another member's block."""
        if outcome.effect not in (contracts.RECORDED, contracts.REPEAT):
            return
        if outcome.kind == entry.SAMPLE and outcome.meter is not None and outcome.seq is not None:
            self._drop(outcome.meter, outcome.seq, outcome.digest)
        self._moved(outcome)

    def _moved(self, outcome: Outcome) -> None:
        if outcome.effect == contracts.RECORDED:
            self._held_back.pop(_turn_of(outcome.kind, outcome.meter), None)
        if outcome.kind != entry.SAMPLE or outcome.meter is None or outcome.seq is None:
            return
        seqs = self._seqs.get(outcome.meter, set())
        seqs.discard(outcome.seq)
        if not seqs:
            self._seqs.pop(outcome.meter, None)

    def _drop(self, meter: bytes, seq: int, digest: bytes | None) -> None:
        """A waiting copy of a sample that is in the ledger; one that the engine has already is
        carried and executed as a repeat, and one that differs shows a fork when it is."""
        if not self.holds(meter, seq):
            return
        row = pool_rows.find(self._connection, entry.SAMPLE, meter, seq)
        if row is not None and row.digest == digest and row.body not in self._offered:
            pool_rows.delete(self._connection, [row.id])
            self.size -= 1

    def held(self, meter: bytes) -> list[tuple[int, int]]:
        """The seqs of a meter on our disk that are not committed, as ranges."""
        return [(seq, seq) for seq in sorted(self._seqs.get(meter, ()))]

    def held_count(self, meter: bytes) -> int:
        """How many samples of a meter wait."""
        return len(self._seqs.get(meter, ()))

    def holds(self, meter: bytes, seq: int) -> bool:
        """Whether this sample is on our disk and not committed."""
        return seq in self._seqs.get(meter, ())

    def waits(self, digest: bytes) -> bool:
        """Whether an entry without a meter (SHA-256 of its body or digest of its transaction)
        waits or is carried."""
        if any(row.digest == digest for row in self._carried.values()):
            return True
        return pool_rows.has_digest(self._connection, digest)

    def unanswered(self, kid: bytes) -> list[bytes]:
        """Digests of the transactions of a party that wait or are carried: all that are here and
        that the ledger has not answered yet."""
        carried = [row for row in self._carried.values() if row.kind == entry.TRANSACTION]
        rows = [*pool_rows.transactions(self._connection), *carried]
        found = [transaction.parse(entry.decode(row.body).body, self._ledger_id) for row in rows]
        return [tx.digest for tx in found if tx.kid == kid]

    def find(self, kind: int, meter: bytes, seq: int) -> PoolEntry | None:
        """The waiting entry of a kind for a meter and seq, wherever it is."""
        row = pool_rows.find(self._connection, kind, meter, seq)
        if row is not None:
            return row
        for row in self._carried.values():
            if (row.kind, row.meter, row.seq) == (kind, meter, seq):
                return row
        return None

    def _waits(self, row: PoolEntry) -> bool:
        """Whether the pool has this entry: a second copy could be put into one block with it."""
        if row.kind == entry.SAMPLE:
            return self._holds(row)
        if row.meter is not None and row.seq is not None:
            return pool_rows.find(self._connection, row.kind, row.meter, row.seq) is not None
        return pool_rows.has_digest(self._connection, row.digest)

    def _hold(self, row: PoolEntry) -> None:
        if row.kind == entry.SAMPLE and row.meter is not None and row.seq is not None:
            self._seqs.setdefault(row.meter, set()).add(row.seq)

    def _holds(self, row: PoolEntry) -> bool:
        assert row.meter is not None
        assert row.seq is not None
        return self.holds(row.meter, row.seq)


def _turn_of(kind: int, meter: bytes | None) -> bytes:
    """What an entry that is held back waits for: a sample for its meter's chain to move, a
    transaction for any lane, whatever meter the one that moves it is about."""
    return b"" if kind == entry.TRANSACTION or meter is None else meter
