"""Answers to what peers ask of the archive: the same that the ledger's thread gives of what is
here, with what has left read beside it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.archive import arrow
from wattle_gateway.archive.reader import ArchiveReader
from wattle_gateway.archive.shelf import ArchiveShelf
from wattle_gateway.archive.target import Target
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.store import archive_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.archive_rows import Part
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import serving
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.parcels import ArchiveRequest, Parcel

# Blocks are given in their order, and each log more takes some 27 MiB (a part of 16,000 samples).
LOGS_KEPT = 1


@dataclass(frozen=True)
class Known:
    """What the driver knows of the ledger at one moment: all `epochs` so far, the newest commit."""

    epochs: Sequence[Epoch]
    head: CommitHead


class Answers:
    """A reader of ledger.db with the archive beside it, kept from one answer to the next, for the
    next one is mostly out of the same part. From one thread at a time."""

    def __init__(self, path: Path, target: Callable[[], Target], known: Known) -> None:
        """`path` of ledger.db; `target` opens the archive. Raises StoreError."""
        self._path = path
        self._target = target
        self._connection = database.open_reader(path, schema.LEDGER, known.epochs[0].ledger_id)
        self._parts: list[Part] = []
        self._archive = ArchiveReader(self._connection, [], target)

    def answer(self, request: ArchiveRequest, known: Known) -> Parcel:
        """Raises ArchiveError, StoreError, PeerMessageError for a request that is none."""
        with store_errors_named(self._path), database.snapshot(self._connection):
            shelf = ArchiveShelf(
                self._connection, self._archive_now(self._connection), known.epochs, known.head
            )
            message = request.message
            if isinstance(message, m.Fetch):
                raw = serving.answer_fetch(shelf, message).encode()
                return Parcel(request.kid, raw, m.BLOCKS)
            intake = Intake(known.epochs[-1], crypto.verify)
            raw = serving.answer_commits(shelf, message, intake).encode()
            return Parcel(request.kid, raw, m.HISTORY)

    @property
    def parts_read(self) -> int:
        """How many parts were fetched for the answers so far."""
        return self._archive.parts_read

    def close(self) -> None:
        """Give back what is open and in memory."""
        self._connection.close()
        arrow.release()

    def _archive_now(self, connection: sqlite3.Connection) -> ArchiveReader:
        """More leaves while this is open."""
        parts = [part for part in archive_rows.load(connection) if part.begun]
        if parts != self._parts:
            self._parts = parts
            self._archive = ArchiveReader(connection, parts, self._target, LOGS_KEPT)
        return self._archive
