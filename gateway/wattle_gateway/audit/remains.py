"""What the replay did not touch: rows too many, the state, the tree, the pool, the file itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from wattle_wire import cbor, topics
from wattle_wire.errors import WireError

from wattle_gateway.audit.executions import Replayed
from wattle_gateway.audit.findings import Counts, Difference
from wattle_gateway.contracts import registry
from wattle_gateway.ledger import crypto, entry, evidence, signed_sample
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.evidence import TwoSamples
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import archive_rows, base_rows, schema
from wattle_gateway.store.pool_rows import PoolEntry


def check_file(connection: sqlite3.Connection) -> Iterator[Difference]:
    """The database's own structure: pages and indexes agree, tables are ours and no others."""
    for (text,) in connection.execute("PRAGMA integrity_check(1)"):
        if text != "ok":
            yield Difference(f"the database file is damaged: {text}")
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(schema.LEDGER.tables)
        expected = fresh.execute(query).fetchall()
    if connection.execute(query).fetchall() != expected:
        yield Difference("tables, indexes or triggers are not those of this version")


def check_totals(
    connection: sqlite3.Connection, ledger_id: bytes, replayed: Replayed, counts: Counts
) -> Iterator[Difference]:
    """No table has a row that the blocks do not call for; what has left was read where it is."""
    gone = archive_rows.gone(connection)
    expected = {
        "own": 1,
        "blocks": counts.blocks - gone.blocks,
        "entries": counts.entries - gone.entries,
        "checkpoints": counts.checkpoints,
        "commits": counts.commits,
        "leaves": replayed.entry_leaves - gone.leaves,
        "samples": replayed.samples - gone.samples,
    }
    if base_rows.load(connection) is None:
        expected.update(base_leaves=0, base_parts=0, base_state=0)
    for table, count in expected.items():
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        if found != count:
            yield Difference(f"{found} rows, expected {count}", table)
    tiles = connection.execute("SELECT tile, root FROM tiles ORDER BY tile").fetchall()
    if tiles != list(enumerate(replayed.tiles, replayed.first_tile)):
        yield Difference("they are not the roots over 256 leaves each", "tiles")
    rows = connection.execute("SELECT ledger_id, edge FROM ledger").fetchall()
    if rows != [(ledger_id, replayed.edge.encode())]:
        yield Difference("the ledger's id or the tree's edge is not what it should be", "ledger")


def check_state(connection: sqlite3.Connection, replayed: Replayed) -> Iterator[Difference]:
    """The stored state is the one that execution left."""
    stored = dict(connection.execute("SELECT key, value FROM state"))
    for key in sorted(stored.keys() | replayed.state.keys()):
        if stored.get(key) != replayed.state.get(key):
            yield Difference(f"{key_text(key)} is not what execution left", "state")
    totals = {row[0]: row[1:] for row in connection.execute("SELECT * FROM totals")}
    for meter in sorted(totals.keys() | replayed.totals.keys()):
        if totals.get(meter) != replayed.totals.get(meter):
            yield Difference(
                f"the row says {totals.get(meter)}, expected {replayed.totals.get(meter)}",
                "totals",
                meter=meter.hex(),
            )
    classes = {(row[0], row[1]): row[2] for row in connection.execute("SELECT * FROM classes")}
    for pair in sorted(classes.keys() | replayed.classes.keys()):
        if classes.get(pair) != replayed.classes.get(pair):
            yield Difference(
                f"class {pair[1]} is counted {classes.get(pair)} times, "
                f"expected {replayed.classes.get(pair)}",
                "classes",
                meter=pair[0].hex(),
            )


def check_pool(
    connection: sqlite3.Connection, ledger_id: bytes, replayed: Replayed, counts: Counts
) -> Iterator[Difference]:
    """What waits is sound: its columns are those of its bytes, samples are signed."""
    for row in connection.execute(
        "SELECT id, kind, meter, seq, digest, first_ms, last_ms, body FROM pool ORDER BY id"
    ):
        stored = PoolEntry(*row)
        counts.waiting += 1
        try:
            sound = entry_row(stored.body, ledger_id)
            if (0, *row[1:]) != tuple(vars(sound).values()):
                raise LedgerError("the columns are not those of the bytes")
            _verify(stored, ledger_id, replayed)
        except LedgerError as error:
            yield Difference(
                f"entry {stored.id}: {error}",
                "pool",
                meter=None if stored.meter is None else stored.meter.hex(),
                seq=stored.seq,
            )


def _verify(stored: PoolEntry, ledger_id: bytes, replayed: Replayed) -> None:
    body = entry.decode(stored.body).body
    if stored.kind == entry.SAMPLE:
        samples = [signed_sample.parse(body, ledger_id)]
    elif stored.kind == entry.EVIDENCE:
        shown = evidence.decode(body, ledger_id)
        if not isinstance(shown, TwoSamples):
            return  # about a member: execution judges it
        samples = [shown.low, shown.high]
    else:
        return  # a transaction: execution judges it
    for signed in samples:
        meter = registry.meter(replayed.state, signed.kid)
        if meter is None:
            raise LedgerError(f"meter {topics.meter_id(signed.kid)} is not enrolled")
        crypto.verify(meter.signing_key, signed.digest, signed.signature)


def key_text(key: bytes) -> str:
    """A state key as people read it."""
    try:
        parts = cbor.decode(key)
    except WireError:
        return f"key {key.hex()}"
    if not isinstance(parts, list):
        return f"key {key.hex()}"
    return " ".join(part.hex() if isinstance(part, bytes) else str(part) for part in parts)
