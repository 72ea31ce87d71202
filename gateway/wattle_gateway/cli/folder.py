"""Opening a gateway's folder for reading."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wattle_gateway.archive.attachment import whole
from wattle_gateway.errors import UsageError
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.sealing import ring as rings
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_gateway.store.connection import store_errors_named


@contextmanager
def opened_ledger(home: GatewayHome) -> Iterator[tuple[Genesis, sqlite3.Connection]]:
    """Genesis and ledger.db of one moment; what has left for the archive is read there. Raises
    HomeError, StoreError, and while reading ArchiveError."""
    first = load_genesis(home)
    with ledger_reader(home, first.ledger_id) as reader:
        yield first, reader


@contextmanager
def ledger_reader(home: GatewayHome, ledger_id: bytes) -> Iterator[sqlite3.Connection]:
    """ledger.db of one moment, as `opened_ledger` gives it. Raises StoreError, and while reading
    ArchiveError."""
    reader = database.open_reader(home.database, schema.LEDGER, ledger_id)
    with (
        closing(reader),
        store_errors_named(home.database),
        whole(home, reader),
        database.snapshot(reader),
    ):
        yield reader


@contextmanager
def opened_operation(home: GatewayHome, ledger_id: bytes) -> Iterator[sqlite3.Connection]:
    """operation.db. Raises StoreError."""
    with closing(database.open_reader(home.operation, schema.OPERATION, ledger_id)) as reader:
        yield reader


def home_of(folder: Path) -> GatewayHome:
    """The gateway's folder; HomeError if it is none."""
    home = GatewayHome(folder)
    home.check()
    return home


def check_outside(home: GatewayHome, path: Path) -> None:
    """UsageError if a file in the clear is to be written into a folder that is sealed."""
    sealed = (home.folder / rings.NAME).exists()
    folder, target = home.folder.resolve(), path.resolve()
    if sealed and (target == folder or folder in target.parents):
        raise UsageError(
            f"{path}: lies in the gateway's folder, which is sealed, and this would be in the "
            "clear; expected another place"
        )
