"""What this gateway signed last: the one thing that must never be forgotten (rules 12, 31, 32)."""

import sqlite3
from dataclasses import dataclass

from wattle_gateway.errors import StoreError


@dataclass(frozen=True)
class OwnMark:
    """The newest own block ever signed: `epoch` and `round` (0: none).

    `lost`: this ledger was made for keys that had one before, put together again from parts, or
    is an older copy: what the keys signed is not known. `silent_epoch`: the epoch that the others
    were in when they were asked, in which, and in all before it, it signs nothing; None until
    then. `stopped`: why this ledger must not go on, None if it may.
    """

    epoch: int
    round: int
    lost: bool
    silent_epoch: int | None
    stopped: str | None

    def highest_in(self, epoch: int) -> int:
        """The highest round signed in an epoch, 0 for none."""
        return self.round if self.epoch == epoch else 0


def load(connection: sqlite3.Connection) -> OwnMark:
    """The mark."""
    epoch, round_number, lost, silent_epoch, stopped = connection.execute(
        "SELECT epoch, round, lost, silent_epoch, stopped FROM own"
    ).fetchone()
    return OwnMark(epoch, round_number, bool(lost), silent_epoch, stopped)


def sign(connection: sqlite3.Connection, epoch: int, round_number: int) -> None:
    """A block of this round is about to leave the machine, and so this must be on disk first.

    Raises StoreError if one of this or a later round may have left it before.
    """
    done = connection.execute(
        "UPDATE own SET epoch = :epoch, round = :round "
        "WHERE epoch < :epoch OR epoch = :epoch AND round < :round",
        {"epoch": epoch, "round": round_number},
    )
    if done.rowcount != 1:
        raise StoreError(
            f"a second own block of round {round_number} of epoch {epoch} was about to be stored"
        )


def raise_to(connection: sqlite3.Connection, epoch: int, round_number: int) -> None:
    """Others have a block of ours that we do not remember: never sign at or below it."""
    connection.execute(
        "UPDATE own SET epoch = :epoch, round = :round "
        "WHERE epoch < :epoch OR epoch = :epoch AND round < :round",
        {"epoch": epoch, "round": round_number},
    )


def save_silence(connection: sqlite3.Connection, epoch: int) -> None:
    """The others are in this epoch, and the keys may have signed there what nobody recalls."""
    connection.execute("UPDATE own SET silent_epoch = ? WHERE lost", (epoch,))


def forget(connection: sqlite3.Connection) -> None:
    """An older copy takes the place of the ledger: what the keys signed since is not known. What
    was found out about an earlier loss says nothing about this one."""
    connection.execute("UPDATE own SET lost = 1, silent_epoch = NULL")


def stop(connection: sqlite3.Connection, why: str) -> None:
    """This ledger is not to be opened again as it is."""
    connection.execute("UPDATE own SET stopped = ?", (why,))
