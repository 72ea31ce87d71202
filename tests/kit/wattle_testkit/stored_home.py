"""A gateway's folder with the ledger of a `CommitChain`, for commands that read what is stored."""

import sqlite3
from pathlib import Path

from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.genesis import Genesis

from wattle_testkit.commit_chain import CommitChain
from wattle_testkit.stored_chain import stored


def write(folder: Path, genesis: Genesis, chain: CommitChain) -> Path:
    """Genesis, log and state of a chain that began with this genesis; the folder."""
    home = GatewayHome(folder)
    folder.mkdir()
    home.genesis.write_bytes(genesis.raw)
    stored(home.database, chain).close()
    edge = merkle.edge_of(merkle.leaf_hash(raw) for raw in chain.leaves)
    with sqlite3.connect(home.database) as writer:
        writer.executemany("INSERT INTO state VALUES (?, ?)", chain.state.items())
        writer.execute("UPDATE ledger SET edge = ?", (edge.encode(),))
    writer.close()
    return folder
