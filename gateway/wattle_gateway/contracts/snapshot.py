"""Snapshots: the whole state after a commit, with what proves it (SPEC section 18).

At every commit whose index is a multiple of `state_root_every` the state digest holds a root over
the whole state. So the rows of such a commit, the digest before it and the root of its changes
give the state digest in its leaf; and the leaf stands in the log, which members sign.

A snapshot of form 1 is there to be read. One of form 2 has a `Trail` beside it: what proves it to
somebody who knows the genesis alone, and what a ledger needs to go on from there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import state as state_rows
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot_trail import (
    LEAF_BYTES_MAX,
    Trail,
    part,
    parts_in,
    trail_head,
    trail_in,
)
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.checkpoint import NOTE_BYTES_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.genesis import LEDGER_ID_BYTES
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.merkle import RightEdge

MAGIC = "wattle/1/snapshot"
MAGIC_WITH_TRAIL = "wattle/2/snapshot"
_HASH_BYTES = 32


@dataclass(frozen=True)
class Snapshot:
    """A state that belongs to the commit in `leaf` (the leaf's bytes, number `at` of the log).

    `before` the state digest of the commit before, `changes_root` the root of what this one
    changed. `note` a checkpoint (C2SP note) of a log that includes the leaf by `proof`, b"" for
    none. `trail` None in form 1. Make one with `decode`, or believe it only after `check`.
    """

    ledger_id: bytes
    leaf: bytes
    at: int
    before: bytes
    changes_root: bytes
    note: bytes
    proof: tuple[bytes, ...]
    state: Mapping[bytes, bytes]
    trail: Trail | None = None

    def encode(self) -> bytes:
        """The bytes of a snapshot file."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """The bytes of a snapshot file, piece by piece."""
        yield part(self.header())
        if self.trail is not None:
            yield from map(part, self.trail.parts())
        for row in sorted(self.state):
            yield part(cbor.encode([row, self.state[row]]))

    def header(self) -> bytes:
        """The bytes of the first part."""
        said: list[object] = [
            MAGIC if self.trail is None else MAGIC_WITH_TRAIL,
            self.ledger_id,
            self.leaf,
            self.at,
            self.before,
            self.changes_root,
            self.note,
            list(self.proof),
        ]
        if self.trail is not None:
            said += trail_head(self.trail)
        return cbor.encode(said)


def decode(raw: bytes) -> Snapshot:
    """The snapshot in a file's bytes, whose state is that of its commit.

    Raises SnapshotError if it is not well-formed, or if rows and leaf do not belong together.
    Whether the leaf is one of a ledger's log is not known here.
    """
    file = BytesIO(raw)
    snapshot = read_beginning(file)
    snapshot = replace(snapshot, state=dict(read_rows(file)))
    check(snapshot)
    return snapshot


def read_beginning(file: BinaryIO) -> Snapshot:
    """The snapshot at the head of a file, without its rows: `read_rows` goes on from there.

    Raises SnapshotError if it is not well-formed; nothing in it is believed yet.
    """
    parts = parts_in(file)
    header = next(parts, None)
    if header is None:
        raise SnapshotError("a snapshot of 0 bytes")
    return with_trail(header, parts)


def with_trail(header: bytes, parts: Iterator[bytes]) -> Snapshot:
    """The snapshot of a first part and of those behind it, as far as they are of its trail.
    SnapshotError as `read_beginning`."""
    try:
        return _beginning(header, parts)
    except (WireError, FormatError) as error:
        raise SnapshotError(f"not a snapshot: {error}") from error


def read_rows(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the rows that follow the head of a file, by rising key. SnapshotError."""
    last: bytes | None = None
    for raw in parts_in(file):
        try:
            row, value = structure.array(cbor.decode(raw), 2, "row")
        except WireError as error:
            raise SnapshotError(f"not a snapshot: {error}") from error
        if not isinstance(row, bytes) or not isinstance(value, bytes):
            raise SnapshotError("not a snapshot: a row whose key or value is no byte string")
        if last is not None and row <= last:
            raise SnapshotError("not a snapshot: rows are not sorted by key, each once")
        yield row, value
        last = row


class RowsRoot:
    """The RFC 6962 root over rows that go by one by one."""

    def __init__(self) -> None:
        self._edge = RightEdge()

    @property
    def count(self) -> int:
        """How many rows there were."""
        return self._edge.size

    def add(self, row: bytes, value: bytes) -> None:
        """The next row by rising key."""
        self._edge = self._edge.append(merkle.leaf_hash(cbor.encode([row, value])))

    def root(self) -> bytes:
        """The root (32 bytes) over all rows so far."""
        return self._edge.root()


def check(snapshot: Snapshot) -> CommitLeaf:
    """The commit that a snapshot is of; SnapshotError if its state is not that commit's."""
    return commit_with(snapshot, state_rows.State(snapshot.state).root())


def commit_with(snapshot: Snapshot, root: bytes) -> CommitLeaf:
    """The commit that a snapshot is of, whose rows have this root; SnapshotError if the leaf is
    that of another state."""
    try:
        commit = leaf_format.decode(snapshot.leaf)
    except FormatError as error:
        raise SnapshotError(f"not a snapshot: {error}") from error
    if not isinstance(commit, CommitLeaf):
        raise SnapshotError("its leaf is not that of a commit")
    if state_rows.joined(snapshot.before, snapshot.changes_root, root) != commit.state_digest:
        raise SnapshotError(f"its rows are not the state of commit {commit.index}")
    return commit


def _beginning(header: bytes, parts: Iterator[bytes]) -> Snapshot:
    said = cbor.decode(header)
    if not isinstance(said, list) or not said or said[0] not in (MAGIC, MAGIC_WITH_TRAIL):
        begin = said[0] if isinstance(said, list) and said else said
        raise FormatError(f"it begins with {begin!r:.80}, expected {MAGIC!r}")
    row = structure.array(said, 8 if said[0] == MAGIC else 11, "header")
    leaf, note = row[2], row[6]
    if not isinstance(leaf, bytes) or len(leaf) > LEAF_BYTES_MAX:
        raise FormatError(f"leaf is not a byte string of at most {LEAF_BYTES_MAX}")
    if not isinstance(note, bytes) or len(note) > NOTE_BYTES_MAX:
        raise FormatError(f"checkpoint is not a byte string of at most {NOTE_BYTES_MAX}")
    proof = structure.items(row[7], merkle.PROOF_HASHES_MAX, "proof")
    return Snapshot(
        structure.octets(row[1], LEDGER_ID_BYTES, "ledger id"),
        leaf,
        structure.uint(row[3], "leaf index"),
        structure.octets(row[4], _HASH_BYTES, "state digest before"),
        structure.octets(row[5], _HASH_BYTES, "changes root"),
        note,
        tuple(structure.octets(node, _HASH_BYTES, "proof") for node in proof),
        {},
        None if len(row) == 8 else trail_in(row[8:], parts),
    )
