"""Snapshots: the whole state after a commit, with what proves it (SPEC section 18).

At every commit whose index is a multiple of `state_root_every` the state digest holds a root over
the whole state. So the rows of such a commit, the digest before it and the root of its changes
give the state digest in its leaf; and the leaf stands in the log, which members sign.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import state as state_rows
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.checkpoint import NOTE_BYTES_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.genesis import LEDGER_ID_BYTES
from wattle_gateway.ledger.leaf import CommitLeaf

MAGIC = "wattle/1/snapshot"
_LENGTH_BYTES = 4
_HASH_BYTES = 32
# A commit leaf has some 150 bytes, a row is one CBOR item; the decoder bounds both again.
LEAF_BYTES_MAX = 1024


@dataclass(frozen=True)
class Snapshot:
    """A state that belongs to the commit in `leaf` (the leaf's bytes, number `at` of the log).

    `before` the state digest of the commit before, `changes_root` the root of what this one
    changed. `note` a checkpoint (C2SP note) of a log that includes the leaf by `proof`, b"" for
    none. Make one with `decode`, or believe it only after `check`.
    """

    ledger_id: bytes
    leaf: bytes
    at: int
    before: bytes
    changes_root: bytes
    note: bytes
    proof: tuple[bytes, ...]
    state: Mapping[bytes, bytes]

    def encode(self) -> bytes:
        """The bytes of a snapshot file."""
        header: list[object] = [
            MAGIC,
            self.ledger_id,
            self.leaf,
            self.at,
            self.before,
            self.changes_root,
            self.note,
            list(self.proof),
        ]
        rows = ([row, self.state[row]] for row in sorted(self.state))
        return b"".join(_part(cbor.encode(item)) for item in (header, *rows))


def decode(raw: bytes) -> Snapshot:
    """The snapshot in a file's bytes, whose state is that of its commit.

    Raises SnapshotError if it is not well-formed, or if rows and leaf do not belong together.
    Whether the leaf is one of a ledger's log is not known here.
    """
    parts = _parts(raw)
    if not parts:
        raise SnapshotError("a snapshot of 0 bytes")
    try:
        snapshot = _snapshot(parts)
    except (WireError, FormatError) as error:
        raise SnapshotError(f"not a snapshot: {error}") from error
    check(snapshot)
    return snapshot


def check(snapshot: Snapshot) -> CommitLeaf:
    """The commit that a snapshot is of; SnapshotError if its state is not that commit's."""
    try:
        commit = leaf_format.decode(snapshot.leaf)
    except FormatError as error:
        raise SnapshotError(f"not a snapshot: {error}") from error
    if not isinstance(commit, CommitLeaf):
        raise SnapshotError("its leaf is not that of a commit")
    root = State(snapshot.state).root()
    if state_rows.joined(snapshot.before, snapshot.changes_root, root) != commit.state_digest:
        raise SnapshotError(f"its rows are not the state of commit {commit.index}")
    return commit


def _snapshot(parts: list[bytes]) -> Snapshot:
    row = structure.array(cbor.decode(parts[0]), 8, "header")
    if row[0] != MAGIC:
        raise FormatError(f"it begins with {row[0]!r}, expected {MAGIC!r}")
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
        _rows(parts[1:]),
    )


def _rows(parts: list[bytes]) -> dict[bytes, bytes]:
    state: dict[bytes, bytes] = {}
    last: bytes | None = None
    for part in parts:
        row, value = structure.array(cbor.decode(part), 2, "row")
        if not isinstance(row, bytes) or not isinstance(value, bytes):
            raise FormatError("a row whose key or value is no byte string")
        if last is not None and row <= last:
            raise FormatError("rows are not sorted by key, each once")
        state[row] = value
        last = row
    return state


def _part(raw: bytes) -> bytes:
    return len(raw).to_bytes(_LENGTH_BYTES, "big") + raw


def _parts(raw: bytes) -> list[bytes]:
    parts = []
    place = 0
    while place < len(raw):
        begin = place + _LENGTH_BYTES
        end = begin + int.from_bytes(raw[place:begin], "big")
        if end > len(raw):
            raise SnapshotError(f"it ends at {len(raw)} bytes, expected at least {end}")
        parts.append(raw[begin:end])
        place = end
    return parts
