"""Where in the ledger the grounds of a statement stand (D41): by digest and by time, as indexes."""

import sqlite3
from collections.abc import Collection, Iterator

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.measurement.interval import begin_of
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import entry, settlement_bodies, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.settlement_bodies import Answer, Decide
from wattle_gateway.ledger.transaction import Transaction
from wattle_gateway.reports.samples import Wanted, committed

# What the bytes of an entry that is a transaction begin with: an array of two, and its kind.
_TRANSACTION = b"\x82" + bytes([entry.TRANSACTION])
_QUERY = """
SELECT leaves.leaf, entries.body, verdict FROM leaves JOIN entries ON entries.id = leaves.entry
WHERE substr(entries.body, 1, 2) = ? ORDER BY leaves.leaf
"""
_ABOUT_DISPUTES = (transaction.ANSWER, transaction.DECIDE)

Span = tuple[int, int]
"""(first, last) ledger index."""


def transactions(
    connection: sqlite3.Connection, ledger_id: bytes, wanted: Collection[bytes]
) -> dict[bytes, int]:
    """The ledger index of each transaction of these digests (32 bytes) that the store still has.
    Reads every transaction. Raises StoreError for a damaged entry."""
    missing = set(wanted)
    found: dict[bytes, int] = {}
    for leaf, tx, _ in _all(connection, ledger_id):
        if tx.digest in missing:
            found[tx.digest] = leaf
            missing.discard(tx.digest)
            if not missing:
                break
    return found


def about_disputes(
    connection: sqlite3.Connection, ledger_id: bytes, disputes: Collection[bytes]
) -> dict[tuple[int, bytes], int]:
    """(ANSWER or DECIDE, digest of the dispute) -> ledger index of the transaction that the ledger
    accepted, of these disputes. Reads every transaction. Raises StoreError for a damaged entry."""
    if not disputes:
        return {}
    found: dict[tuple[int, bytes], int] = {}
    for leaf, tx, verdict in _all(connection, ledger_id):
        if tx.kind in _ABOUT_DISPUTES and verdict == classes.ACCEPTED:
            body = settlement_bodies.PARSERS[tx.kind](tx.body)
            assert isinstance(body, Answer | Decide)
            if body.dispute in disputes:
                found[tx.kind, body.dispute] = leaf
    return found


def samples(
    connection: sqlite3.Connection,
    ledger_id: bytes,
    meter: bytes,
    device: int,
    window_ms: Span,
    interval_ms: int,
    commit: int,
    after: int = 0,
) -> dict[int, Span]:
    """Beginning of an interval -> first and last sample with readings of the point in it or, for
    its boundary, half an interval beside it; of those committed after commit `after`, up to
    `commit`. `window_ms`: beginning and end of the event. Raises StoreError for a damaged entry."""
    begin_ms, end_ms = window_ms
    beside_ms = interval_ms // 2
    found: dict[int, Span] = {}
    wide = Wanted(meter, begin_ms - beside_ms, end_ms + beside_ms + 1)
    for place, signed in committed(connection, ledger_id, wide):
        if not after < place.commit_index <= commit:
            continue
        for reading in signed.sample.readings:
            if reading.device != device:
                continue
            # The interval that it lies in, and the one whose boundary is near.
            inside_ms = begin_of(reading.time_ms, interval_ms)
            near_ms = begin_of(reading.time_ms + beside_ms, interval_ms)
            for at_ms in {inside_ms, near_ms, near_ms - interval_ms}:
                if begin_ms <= at_ms < end_ms:
                    first, last = found.get(at_ms, (place.leaf, place.leaf))
                    found[at_ms] = (min(first, place.leaf), max(last, place.leaf))
    return found


def _all(
    connection: sqlite3.Connection, ledger_id: bytes
) -> Iterator[tuple[int, Transaction, int]]:
    """(ledger index, transaction, verdict) of all of them."""
    for leaf, body, verdict in connection.execute(_QUERY, (_TRANSACTION,)):
        try:
            yield leaf, transaction.parse(entry.decode(body).body, ledger_id), verdict
        except LedgerError as error:
            raise StoreError(f"leaf {leaf} is damaged ({error}); run the audit") from error
