"""The snapshot that a ledger began with, read from its store: as what consensus goes on from, as
the snapshot that it was, and proved once more."""

import sqlite3

from wattle_wire import cbor

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import proving
from wattle_gateway.snapshot.horizon import Horizon
from wattle_gateway.snapshot.proving import ProvedBase, RowsSeen
from wattle_gateway.store import base_rows
from wattle_gateway.store.base_rows import Base


def snapshot_of(connection: sqlite3.Connection, base: Base) -> Snapshot:
    """The snapshot, without its rows (`base_rows.state_rows`). SnapshotError if it is damaged."""
    parts = base_rows.load_parts(connection)
    links, leaves = _counts(base.header)
    kept = base_rows.load_leaves(connection, base.index - leaves, base.index)
    whole = [*parts[: 2 * links], *kept, *parts[2 * links :]]
    return snapshot_format.with_trail(base.header, iter(whole))


def horizon(connection: sqlite3.Connection, base: Base, epoch: Epoch, first_index: int) -> Horizon:
    """What consensus goes on from after the base, in the `epoch` in force there, whose first
    commit is `first_index`. SnapshotError if it is damaged."""
    trail = snapshot_of(connection, base).trail
    assert trail is not None
    end = base.index
    leaves = dict(zip(range(end - len(trail.leaves), end), trail.leaves, strict=True))
    return proving.find_horizon(base, epoch, first_index, leaves, trail.blocks, None)


def first_index_of(connection: sqlite3.Connection, number: int) -> int:
    """The first commit of epoch `number`, in force after the base, by the base's state."""
    wanted = key("epoch", number)
    rows = {row: value for row, value in base_rows.state_rows(connection) if row == wanted}
    found = alliance.epoch_row(rows, number)
    return 1 if found is None else found.commit_index + 1


def prove_again_if_any(connection: sqlite3.Connection, first: Epoch) -> ProvedBase | None:
    """`prove_again`, None for a ledger that has all its history."""
    base = base_rows.load(connection)
    return None if base is None else prove_again(connection, base, first)


def prove_again(connection: sqlite3.Connection, base: Base, first: Epoch) -> ProvedBase:
    """Prove the base from its rows, as when the ledger was begun; `first` is epoch 0.

    Raises SnapshotError, also for rows that are not those of the snapshot.
    """
    seen = RowsSeen()
    for _ in seen.watch(base_rows.state_rows(connection)):
        pass
    snapshot = snapshot_of(connection, base)
    proved = proving.prove(snapshot, seen, first)
    if proved.base != base:
        raise SnapshotError("the rows of the base do not say what its snapshot does")
    expected = [raw for _, raw in proved.leaves] + [base.body]
    if base_rows.load_leaves(connection, 0, base.index + 1) != expected:
        raise SnapshotError("the leaves of the base are not those of its snapshot")
    if base_rows.load_parts(connection) != trail_parts(snapshot):
        raise SnapshotError("the base has parts that are not those of its snapshot")
    return proved


def trail_parts(snapshot: Snapshot) -> list[bytes]:
    """The parts of a snapshot's trail that `base_rows.insert` takes."""
    assert snapshot.trail is not None
    trail = snapshot.trail
    links = [part for link in trail.epochs for part in link.parts()]
    return [*links, *trail.blocks]


def _counts(header: bytes) -> tuple[int, int]:
    """How many links and leaves a header counts; it was read before it was stored."""
    try:
        said = cbor.decode(header)
        links, leaves, _ = said[10]  # type: ignore[index]
        return int(links), int(leaves)
    except (ValueError, TypeError, IndexError) as error:
        raise SnapshotError(f"the header of the base is damaged: {error}") from error
