"""The log of a `CommitChain` in a database, for what reads a gateway's store."""

import sqlite3
from pathlib import Path

from wattle_gateway.ledger import entry, leaf, merkle, signed_sample
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_wire import cbor

from wattle_testkit.commit_chain import CommitChain


def stored(path: Path, chain: CommitChain) -> sqlite3.Connection:
    """A reader of a new database at `path` with the chain's leaves, samples and commits; blocks
    and state are left out."""
    ledger_id = chain.epoch.ledger_id
    database.create_ledger(path, ledger_id)
    with sqlite3.connect(path) as writer:
        waiting: list[tuple[int, leaf.EntryLeaf]] = []
        for place, raw in enumerate(chain.leaves):
            found = leaf.decode(raw)
            if isinstance(found, CommitLeaf):
                _write_commit(writer, place, found, raw, waiting, ledger_id)
                waiting = []
            else:
                waiting.append((place, found))
    writer.close()
    return database.open_reader(path, schema.LEDGER, ledger_id)


def as_folder(folder: Path, first: Genesis, chain: CommitChain) -> None:
    """A new gateway's folder as far as commands read the ledger in it: genesis, log and state of a
    chain; blocks are left out."""
    (folder / "genesis.cbor").write_bytes(first.raw)
    path = folder / "ledger.db"
    stored(path, chain).close()
    edge = merkle.edge_of(map(merkle.leaf_hash, chain.leaves))
    with sqlite3.connect(path) as writer:
        writer.executemany("INSERT INTO state VALUES (?, ?)", chain.state.items())
        writer.execute("UPDATE ledger SET edge = ?", (edge.encode(),))
    writer.close()


def _write_commit(
    writer: sqlite3.Connection,
    place: int,
    commit: CommitLeaf,
    raw: bytes,
    entries: list[tuple[int, leaf.EntryLeaf]],
    ledger_id: bytes,
) -> None:
    row = (commit.index, place, commit.time_ms, cbor.encode([]), raw)
    writer.execute("INSERT INTO commits VALUES (?, ?, ?, ?, ?)", row)
    for at, one in entries:
        writer.execute("INSERT INTO entries VALUES (?, ?)", (at, one.entry))
        writer.execute(
            "INSERT INTO leaves VALUES (?, ?, ?, ?)", (at, commit.index, at, one.verdict)
        )
        if one.kind == entry.SAMPLE:
            signed = signed_sample.parse(entry.decode(one.entry).body, ledger_id)
            times = [reading.time_ms for reading in signed.sample.readings]
            writer.execute(
                "INSERT INTO samples VALUES (?, ?, ?, ?, ?)",
                (signed.kid, signed.sample.seq, at, min(times), max(times)),
            )
            writer.execute(
                "INSERT INTO totals VALUES (?, 1, ?, ?) ON CONFLICT (meter) DO UPDATE SET "
                "samples = samples + 1, last_seq = max(last_seq, excluded.last_seq), "
                "last_ms = max(last_ms, excluded.last_ms)",
                (signed.kid, signed.sample.seq, max(times)),
            )
