"""From a fault on record to the bytes that show it: what `dr profile` names, found in the store.

The state keeps a digest and a commit (`contracts.reputation.fault_record`); here they become a
ledger index, and the bytes to check the digest against.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.fault_record import FaultRecord, Shown
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import entry, leaf, signed_sample, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.store import base_rows, block_rows, ledger_rows
from wattle_gateway.store.archived import archive_of

# An entry is an array of two, its kind first (SPEC section 10): its first two bytes tell the kind.
# From a statement's commit back to the event's `publish`, from the others' through one commit.
_QUERY = """
SELECT leaves.leaf, entries.body FROM leaves JOIN entries ON entries.id = leaves.entry
WHERE leaves.leaf >= ? AND leaves.leaf < ? AND substr(entries.body, 1, 2) = ?
ORDER BY leaves.leaf DESC
"""
_KINDS: Mapping[int, int] = {
    fault_record.TRANSACTION: entry.TRANSACTION,
    fault_record.EVENT: entry.TRANSACTION,
    fault_record.SAMPLE: entry.SAMPLE,
    fault_record.EVIDENCE: entry.EVIDENCE,
}


@dataclass(frozen=True)
class Ground:
    """A fault of class `name`, and where it is seen: `index` in the ledger of what shows it, None
    for a block, which has no leaf; `raw` its bytes (entry, block header, or leaf of a commit), None
    if this store does not have them."""

    name: str
    record: FaultRecord
    index: int | None
    raw: bytes | None

    def as_json(self) -> dict[str, Any]:
        """The shape of an item of `shown_by` in `dr profile --format json`."""
        shown = self.record.shown
        return {
            "fault": self.name,
            "count": self.record.count,
            "last_ms": self.record.time_ms,
            "what": fault_record.NAMES[shown.what],
            "digest": shown.digest.hex(),
            "commit": shown.commit,
            "ledger_index": self.index,
            "bytes": None if self.raw is None else self.raw.hex(),
        }


def grounds(
    connection: sqlite3.Connection, ledger_id: bytes, records: Mapping[str, FaultRecord]
) -> list[Ground]:
    """What shows the newest of each class of faults, by rising name. StoreError for a damaged
    entry."""
    found = []
    for name in sorted(records):
        index, raw = _find(connection, ledger_id, records[name].shown) or (None, None)
        found.append(Ground(name, records[name], index, raw))
    return found


def _find(
    connection: sqlite3.Connection, ledger_id: bytes, shown: Shown
) -> tuple[int | None, bytes] | None:
    """(ledger index, bytes) of what has this digest, None if it is not stored here."""
    if shown.what == fault_record.BLOCK:
        return _block(connection, ledger_id, shown)
    at = _leaf_of(connection, shown.commit)
    if at is None:
        return None
    if shown.what == fault_record.COMMIT:
        return _commit(connection, shown)
    kind = _KINDS[shown.what]
    # An event's `publish` stands anywhere before its statement.
    before = None if shown.what == fault_record.EVENT else _leaf_of(connection, shown.commit - 1)
    first = base_rows.leaves_before(connection) if before is None else before + 1
    for index, raw in _entries(connection, kind, first, at):
        if _digest(index, raw, kind, ledger_id) == shown.digest:
            return index, raw
    return None


def _entries(
    connection: sqlite3.Connection, kind: int, first: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """(ledger index, bytes) of the entries of a kind, newest first, then those that have left for
    the archive: of these there are samples alone."""
    yield from connection.execute(_QUERY, (first, end, bytes((0x82, kind))))
    archive = archive_of(connection)
    if archive is not None and kind == entry.SAMPLE:
        for index, found in archive.leaves(first, end).items():
            told = leaf.decode(found.leaf_bytes)
            if isinstance(told, EntryLeaf) and told.kind == kind:
                yield index, told.entry


def _digest(index: int, raw: bytes, kind: int, ledger_id: bytes) -> bytes:
    try:
        body = entry.decode(raw).body
        parsed: Mapping[int, Callable[[], bytes]] = {
            entry.TRANSACTION: lambda: transaction.parse(body, ledger_id).digest,
            entry.SAMPLE: lambda: signed_sample.parse(body, ledger_id).digest,
            entry.EVIDENCE: lambda: sha256(raw).digest(),
        }
        return parsed[kind]()
    except LedgerError as error:
        raise StoreError(f"leaf {index} is damaged ({error}); run the audit") from error


def _leaf_of(connection: sqlite3.Connection, commit: int) -> int | None:
    row = connection.execute(
        "SELECT leaf FROM commits WHERE commit_index = ?", (commit,)
    ).fetchone()
    return None if row is None else int(row[0])


def _commit(connection: sqlite3.Connection, shown: Shown) -> tuple[int, bytes] | None:
    index, raw = connection.execute(
        "SELECT leaf, body FROM commits WHERE commit_index = ?", (shown.commit,)
    ).fetchone()
    return (int(index), raw) if leaf.commit_digest(raw) == shown.digest else None


def _block(
    connection: sqlite3.Connection, ledger_id: bytes, shown: Shown
) -> tuple[None, bytes] | None:
    stored = ledger_rows.load_commit(connection, shown.commit)
    if stored is None:
        return None
    archive = archive_of(connection)
    left = {} if archive is None else archive.blocks_of(shown.commit)
    headers = [block.header for block in left.values()]
    headers += block_rows.load_headers(
        connection, [one for one in stored.blocks if one not in left]
    )
    for header in headers:
        try:
            found = block_format.parse(header, ledger_id)
        except LedgerError as error:
            raise StoreError(f"a block of commit {shown.commit} is damaged ({error})") from error
        if found.digest == shown.digest:
            return None, header
    return None
