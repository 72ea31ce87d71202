"""What proves a voucher's readings to a stranger: leaves, their paths, and a signed head.

A leaf holds the meter's signed sample verbatim, so it shows who read what and when; its path
(RFC 6962 section 2.1.1) leads to the root of a checkpoint (SPEC section 16) that q members signed.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import checkpoint, merkle
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports import checkpoints, voucher_document
from wattle_gateway.reports.voucher import Voucher
from wattle_gateway.store import checkpoint_rows, tree_rows

Json = dict[str, Any]


def collect(connection: sqlite3.Connection, voucher: Voucher) -> Json:
    """The part `proofs` of a document: the newest checkpoint, or null, and each leaf with its
    path to it; a path is null where the checkpoint does not reach the leaf yet."""
    newest = checkpoint_rows.newest(connection)
    size = 0
    if newest is not None:
        size = checkpoint.parse_note(newest[1]).checkpoint.size
    return {
        "checkpoint": None if newest is None else newest[1].decode(),
        "leaves": [_leaf(connection, leaf, size) for leaf in leaves_of(voucher)],
    }


def leaves_of(voucher: Voucher) -> list[int]:
    """The ledger indexes of all that a voucher rests on, rising: readings, enrolments, handovers
    of points."""
    indexes = {one.leaf for _, one in voucher_document.readings(voucher)}
    for section in voucher.sections:
        indexes.update(section.handover_leaves)
        if section.enrolled_leaf is not None:
            indexes.add(section.enrolled_leaf)
    return sorted(indexes)


def check(connection: sqlite3.Connection, first: Epoch, voucher: Voucher, proofs: object) -> None:
    """Hold a document's `proofs` against this ledger; `first` is epoch 0.

    Raises UsageError for the first thing that is wrong: a leaf that is another one here, one that
    is missing, a path that does not lead to the checkpoint, a checkpoint that is not signed.
    """
    note = _note(connection, first, proofs)
    rows = proofs.get("leaves") if isinstance(proofs, dict) else None
    if not isinstance(rows, list):
        raise UsageError("proofs.leaves: expected a list")
    expected = leaves_of(voucher)
    if len(rows) != len(expected):
        raise UsageError(f"proofs.leaves: {len(rows)} of them, {len(expected)} by the ledger")
    for at, (row, index) in enumerate(zip(rows, expected, strict=True)):
        where = f"proofs.leaves[{at}]"
        if not isinstance(row, dict) or row.get("ledger_index") != index:
            raise UsageError(f"{where}: expected the leaf {index}")
        (raw,) = tree_rows.leaves(connection, index, index + 1)
        if row.get("leaf") != raw.hex():
            raise UsageError(f"{where}.leaf: other bytes than leaf {index} of this ledger")
        if note is not None and index < note.size:
            _check_path(where, row, raw, index, note)


def _check_path(
    where: str, row: Mapping[str, Any], raw: bytes, index: int, note: checkpoint.Checkpoint
) -> None:
    try:
        path = [bytes.fromhex(step) for step in row["path"]]
        merkle.verify_inclusion(merkle.leaf_hash(raw), index, note.size, path, note.root)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}.path: expected a list of hashes in hex") from error
    except LedgerError as error:
        raise UsageError(f"{where}.path: {error}") from error


def _note(
    connection: sqlite3.Connection, first: Epoch, proofs: object
) -> checkpoint.Checkpoint | None:
    """The checkpoint of a document, once its signatures are verified and it is our log's."""
    text = proofs.get("checkpoint") if isinstance(proofs, dict) else 0
    if text is None:
        return None
    if not isinstance(text, str):
        raise UsageError("proofs.checkpoint: expected a note or null")
    try:
        note = checkpoint.parse_note(text.encode(errors="replace"))
    except LedgerError as error:
        raise UsageError(f"proofs.checkpoint: {error}") from error
    found = checkpoints.verify(connection, first, note)
    if found.wrong:
        raise UsageError(f"proofs.checkpoint: {found.wrong[0]}")
    return note.checkpoint


def _leaf(connection: sqlite3.Connection, index: int, size: int) -> Json:
    (raw,) = tree_rows.leaves(connection, index, index + 1)
    path = None
    if index < size:
        stretches = merkle.inclusion_stretches(index, size)
        path = [tree_rows.root(connection, begin, end).hex() for begin, end in stretches]
    return {"ledger_index": index, "leaf": raw.hex(), "path": path}
