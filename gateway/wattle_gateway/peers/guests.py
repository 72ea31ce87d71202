"""Invitations: tokens by which a gateway that is no member yet may follow the ledger.

A token is for one gateway, the first that comes with it, until its time is over. What is stored
is its hash: a copy of the database lets nobody in.
"""

import secrets
import sqlite3
from hashlib import sha256

from wattle_gateway.errors import PeerError
from wattle_gateway.store.operation_file import OperationFile

TOKEN_BYTES = 32
# Each guest is served like a member; an alliance takes in a handful at a time.
GUESTS_MAX = 4
# Open invitations; expired ones make room.
INVITATIONS_MAX = 64


def new_token() -> bytes:
    """A token nobody can guess."""
    return secrets.token_bytes(TOKEN_BYTES)


class GuestList:
    """The invitations of one gateway, in its operation.db."""

    def __init__(self, operation: OperationFile) -> None:
        self._operation = operation

    def invite(self, token: bytes, until_ms: int, now_ms: int) -> None:
        """Let one gateway in by this token until then (Unix ms).

        PeerError if too many invitations are open.
        """

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM invitations WHERE until_ms <= ?", (now_ms,))
            (count,) = connection.execute("SELECT count(*) FROM invitations").fetchone()
            if count >= INVITATIONS_MAX:
                raise PeerError(f"{count} invitations are open, expected at most {INVITATIONS_MAX}")
            connection.execute(
                "INSERT INTO invitations VALUES (?, ?, NULL)", (sha256(token).digest(), until_ms)
            )

        self._operation.write(write)

    def admit(self, token: bytes, guest: bytes, now_ms: int, *, is_member: bool) -> None:
        """Let the gateway `guest` (kid) in, and from now on nobody else by this token.

        A member comes as a guest only while it has not seen that it is one, so by a token that it
        used before: nobody can claim a member's kid by a fresh one. PeerError if the token is
        unknown, expired or another's.
        """

        def write(connection: sqlite3.Connection) -> None:
            name = sha256(token).digest()
            row = connection.execute(
                "SELECT until_ms, guest FROM invitations WHERE token_hash = ?", (name,)
            ).fetchone()
            if row is None:
                raise PeerError("its token is none of ours")
            if row[0] <= now_ms:
                raise PeerError("its token has expired; ask for a new invitation")
            if row[1] is None and not is_member:
                connection.execute(
                    "UPDATE invitations SET guest = ? WHERE token_hash = ?", (guest, name)
                )
            elif row[1] != guest:
                raise PeerError("its token was used by another gateway")

        self._operation.write(write)
