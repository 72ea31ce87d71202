"""From the tables of an older version of this program to those of this one.

A database states its version in PRAGMA user_version. Who opens it to write takes the steps from
there to `Schema.version` in one transaction: after a power cut it has the old tables or the new
ones. A newer one is refused, not guessed at: what its tables mean is not known here, and a gateway
that reads its own mark wrongly may sign a round twice.

A step is frozen once it is released. It is written out, not taken from `schema`, whose tables go
on changing; `tests/gateway/test_store_migration.py` holds that all steps together lead to exactly
the tables of a new database, from the tables of every older version.
"""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.errors import SchemaVersionError, StoreError
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store.schema import Schema

_log = Log("store")

# Left free beside what a migration takes: the broker and the system write while it runs.
ROOM_LEFT_BYTES = 32 << 20


@dataclass(frozen=True)
class Step:
    """To `version` from the one before it.

    `what` it does, for an operator; `statements` of SQL, one each; `rewrites`: it writes anew
    what may be most of the file, so that it needs room for that.
    """

    version: int
    what: str
    statements: tuple[str, ...]
    rewrites: bool = False


# Version 5 of both.
_SEAL_TABLE = """CREATE TABLE seal (                 -- no row: nothing in this file is sealed
    only INTEGER PRIMARY KEY CHECK (only = 1),
    keyring BLOB NOT NULL,          -- id of the keyring that opens the rows
    oldest INTEGER NOT NULL,        -- no row is sealed under a data key with a lower number
    target INTEGER NOT NULL,        -- up to which rows are being resealed; 0: none are
    in_table TEXT NOT NULL,         -- how far that has come: the table,
    after ANY                       -- and the key of its last row that is done; NULL: none yet
) STRICT"""

# Schema 1 of a ledger was that of gateways without peers, and was never released.
LEDGER_STEPS: tuple[Step, ...] = (
    Step(
        3,
        "what a ledger that begins with a snapshot begins with",
        (
            """CREATE TABLE base (                 -- the commit that this ledger begins with
    only INTEGER PRIMARY KEY CHECK (only = 1),
    commit_index INTEGER NOT NULL,
    leaf INTEGER NOT NULL,          -- ledger index of its leaf
    edge BLOB NOT NULL,             -- merkle.RightEdge over all leaves up to it
    header BLOB NOT NULL            -- first part of the snapshot, verbatim
) STRICT""",
            """CREATE TABLE base_leaves (          -- of commits up to it, as far as they are known
    commit_index INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT""",
            """CREATE TABLE base_parts (           -- of the snapshot's trail, without its leaves
    place INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT""",
            """CREATE TABLE base_state (           -- the state after it
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID""",
        ),
    ),
    Step(
        4,
        "what has left for the archive",
        (
            """CREATE TABLE archive_parts (        -- what has left, or is about to
    part INTEGER PRIMARY KEY,       -- 1, 2 .. in the ledger's order
    day TEXT NOT NULL,              -- UTC day of its commits
    first_commit INTEGER NOT NULL,
    last_commit INTEGER NOT NULL,
    stored INTEGER NOT NULL CHECK (stored IN (0, 1)),  -- 1: its files were read back and checked
    first_leaf INTEGER NOT NULL,
    end_leaf INTEGER NOT NULL,      -- the one behind its last
    edge BLOB,                      -- merkle.RightEdge of the log before that one; NULL: not stored
    epoch INTEGER NOT NULL,
    first_round INTEGER NOT NULL,   -- lowest of its blocks
    first_ms INTEGER,               -- oldest and newest reading; NULL: none
    last_ms INTEGER,
    blocks INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    gone_commit INTEGER NOT NULL,   -- rows of commits up to here are not here any more
    gone_blocks INTEGER NOT NULL,   -- how many rows that was, table by table
    gone_entries INTEGER NOT NULL,
    gone_leaves INTEGER NOT NULL,
    gone_samples INTEGER NOT NULL
) STRICT""",
            """CREATE TABLE archive_files (
    part INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    name TEXT NOT NULL,             -- below the archive's target
    bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (part, dataset)
) STRICT, WITHOUT ROWID""",
        ),
    ),
    Step(
        5,
        "how the file is sealed",
        (_SEAL_TABLE,),
    ),
)

OPERATION_STEPS = (
    Step(
        2,
        "peer cards and invitations",
        (
            """CREATE TABLE cards (
    kid BLOB PRIMARY KEY,           -- of the gateway that signed it
    version INTEGER NOT NULL,
    raw BLOB NOT NULL               -- its newest peer card, COSE_Sign1
) STRICT, WITHOUT ROWID""",
            """CREATE TABLE invitations (
    token_hash BLOB PRIMARY KEY,    -- SHA-256: the token itself is with the invited
    until_ms INTEGER NOT NULL,
    guest BLOB                      -- kid of the one gateway that came with it
) STRICT, WITHOUT ROWID""",
        ),
    ),
    Step(
        3,
        "health records of meters",
        (
            "ALTER TABLE seen RENAME TO seen_before",
            """CREATE TABLE seen (
    meter BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL,         -- newest message of the meter
    clock TEXT NOT NULL,            -- of its newest sample
    boot INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    flaps INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    birth BLOB,                     -- payload of its newest birth
    health_ms INTEGER NOT NULL,     -- when its newest health record came
    health BLOB,                    -- that record, encoded
    before_ms INTEGER NOT NULL,     -- when the one came that it is compared with
    health_before BLOB
) STRICT, WITHOUT ROWID""",
            "INSERT INTO seen SELECT meter, at_ms, clock, boot, connections, flaps, repeats, "
            "birth, 0, NULL, 0, NULL FROM seen_before",
            "DROP TABLE seen_before",
        ),
    ),
    Step(
        4,
        "history of the disk",
        (
            """CREATE TABLE disk_history (
    at_ms INTEGER PRIMARY KEY,      -- Unix ms by the gateway's clock
    used INTEGER NOT NULL,          -- bytes of the gateway's folder
    free INTEGER NOT NULL           -- bytes free on its file system
) STRICT""",
        ),
    ),
    Step(
        5,
        "how the file is sealed",
        (_SEAL_TABLE,),
    ),
)

# By application id.
STEPS: dict[int, tuple[Step, ...]] = {0x7774746C: LEDGER_STEPS, 0x7774746F: OPERATION_STEPS}


@dataclass(frozen=True)
class Plan:
    """What stands between a database of `version` and the newest tables; `needed_bytes` on its
    disk while the steps are taken."""

    version: int
    steps: tuple[Step, ...]
    needed_bytes: int


def plan(connection: sqlite3.Connection, path: Path, kind: Schema) -> Plan:
    """What migrating the database at `path` takes; no steps if it is of this version.

    Raises SchemaVersionError for one that is newer than this program, or older than its first step.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    steps = STEPS[kind.application_id]
    oldest = steps[0].version - 1 if steps else kind.version
    if version > kind.version:
        raise SchemaVersionError(
            f"{path}: schema version {version}, expected at most {kind.version}: made by a newer "
            "wattle-gateway; install that one, or restore a backup from before the upgrade"
        )
    if version < oldest:
        raise SchemaVersionError(
            f"{path}: schema version {version}, expected at least {oldest}: too old for this "
            "wattle-gateway; run an earlier release once, which migrates it"
        )
    ahead = tuple(step for step in steps if step.version > version)
    return Plan(version, ahead, _needed_bytes(connection, ahead))


def _needed_bytes(connection: sqlite3.Connection, steps: tuple[Step, ...]) -> int:
    if not steps:
        return 0
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    # One transaction: all of it stands in the log first, then in the file beside the old rows.
    copies = 2 if any(step.rewrites for step in steps) else 0
    return int(copies * pages * page_bytes) + ROOM_LEFT_BYTES


def check_version(connection: sqlite3.Connection, path: Path, kind: Schema) -> None:
    """For a reader, which cannot migrate: SchemaVersionError unless the version is this one."""
    found = plan(connection, path, kind)
    if found.steps:
        raise SchemaVersionError(
            f"{path}: schema version {found.version}, expected {kind.version}: made by an older "
            "wattle-gateway; the next start of the gateway migrates it, or `wattle-gateway upgrade`"
        )


def migrate(connection: sqlite3.Connection, path: Path, kind: Schema) -> Plan:
    """Bring the database to the tables of this version, whole or not at all; what was done.

    `connection` writes, and no transaction is open. Raises SchemaVersionError as `plan`, and
    StoreError if there is no room for it.
    """
    found = plan(connection, path, kind)
    if not found.steps:
        return found
    _check_room(path, found)
    connection.execute("PRAGMA synchronous = FULL")
    # IMMEDIATE: of two that come at once, the second finds it done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = plan(connection, path, kind)
        for step in found.steps:
            for statement in step.statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {kind.version}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    _log.info("schema migrated", file=path, found=found.version, now=kind.version)
    return found


def _check_room(path: Path, found: Plan) -> None:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise StoreError(f"{path.parent}: {error.strerror}") from error
    if free < found.needed_bytes:
        raise StoreError(
            f"{path}: migrating it from schema version {found.version} takes "
            f"{found.needed_bytes >> 20} MiB on its disk, {free >> 20} MiB are free; free some, or "
            "go on with the wattle-gateway that made it"
        )
