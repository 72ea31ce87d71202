"""The archive of a gateway's folder, beside a reader of its ledger.db."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from wattle_gateway import config as configuration
from wattle_gateway.archive.sealed_target import open_target
from wattle_gateway.archive.target import Target
from wattle_gateway.errors import ArchiveError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.store import archive_rows
from wattle_gateway.store.archived import attached


@contextmanager
def whole(home: GatewayHome, connection: sqlite3.Connection) -> Iterator[None]:
    """Inside the block reading over `connection` reads on in the archive where rows have left.
    Of a ledger of which nothing has left nothing changes; no file is asked for before it is needed.
    """
    parts = [part for part in archive_rows.load(connection) if part.begun]
    if not parts:
        yield
        return
    # Arrow comes with it, and most ledgers have no archive.
    from wattle_gateway.archive.reader import ArchiveReader

    with attached(connection, ArchiveReader(connection, parts, lambda: target_of(home))):
        yield


def target_of(home: GatewayHome) -> Target:
    """The target that the folder's configuration names. Raises ArchiveError if it names none,
    ConfigError."""
    config = configuration.load(home.config).archive
    if not config.target:
        raise ArchiveError(f'{home.config}: archive.target is "", expected where the archive is')
    return open_target(config, home)
