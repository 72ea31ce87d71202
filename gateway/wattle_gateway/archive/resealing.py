"""Archived files of an older form put into the form of today: sealed under the newest archive key,
or in the clear where `archive.plain` says so.

A file keeps the name and the bytes that ledger.db notes, so each is done for itself, and as often
as somebody likes. When all are done no older archive key is needed.
"""

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.archive import fetching
from wattle_gateway.archive.sealed_target import SealedTarget
from wattle_gateway.archive.target import Target
from wattle_gateway.errors import UsageError
from wattle_gateway.store import archive_rows


@dataclass(frozen=True)
class Resealed:
    """What was done of a part: `files` of its `of` were written anew, all are under archive key
    `least` or a newer one; `following` is the next part. None: that was the last, and `forgotten`
    older keys have left the keyring."""

    files: int
    of: int
    least: int
    following: int | None
    forgotten: int = 0

    def as_json(self) -> dict[str, Any]:
        """As the admin channel carries it."""
        return asdict(self)


def reseal(
    connection: sqlite3.Connection, target: Target, part: int = 1, least: int | None = None
) -> Resealed:
    """Put the files of stored part `part`, or of the first one behind it, into their form. Begin
    with part 1 and `least` None, then pass on what the answer before says.

    Each is read and checked by its SHA-256 before it is written. Raises ArchiveError that names
    what is missing or altered, which stays as it is; UsageError if the folder is not sealed.
    """
    if not isinstance(target, SealedTarget):
        raise UsageError("this folder is not sealed, and neither is its archive")
    number = target.newest() if least is None else least
    stored = [one.number for one in archive_rows.load(connection) if one.contents is not None]
    ahead = [one for one in stored if one >= part]
    if not ahead:
        return Resealed(0, 0, number, None, target.forget_before(number))
    files = archive_rows.files_of(connection, ahead[0]).values()
    written = 0
    for file in files:
        if not target.is_as_put(file.name, number):
            target.put(file.name, fetching.fetch(target, file))
            written += 1
    if len(ahead) > 1:
        return Resealed(written, len(files), number, ahead[1])
    return Resealed(written, len(files), number, None, target.forget_before(number))
