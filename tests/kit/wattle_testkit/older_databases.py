"""The tables of older versions of a gateway's databases, as those versions made them.

Each text is the one of the release; it never changes again. Whoever appends a step to
`store/migration.py` appends here the tables that it starts from.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from wattle_gateway.store.schema import Schema

LEDGER_2 = """
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL,
    edge BLOB NOT NULL              -- merkle.RightEdge over all leaves
) STRICT;

CREATE TABLE own (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    epoch INTEGER NOT NULL,         -- of the newest block that this gateway signed
    round INTEGER NOT NULL,         -- its round; 0: none
    lost INTEGER NOT NULL CHECK (lost IN (0, 1)),  -- 1: what it signed is not known
    silent_epoch INTEGER,           -- where that was found out: it signs nothing up to here
    stopped TEXT                    -- why the ledger must not go on
) STRICT;

CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    round INTEGER NOT NULL,
    author INTEGER NOT NULL,
    header BLOB NOT NULL            -- COSE_Sign1, verbatim
) STRICT;
CREATE INDEX blocks_of_author ON blocks (epoch, author, round);

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,         -- block * 4096 + position
    body BLOB NOT NULL
) STRICT;

CREATE TABLE commits (
    commit_index INTEGER PRIMARY KEY,
    leaf INTEGER NOT NULL,          -- ledger index of its own leaf, the last of the commit
    time_ms INTEGER NOT NULL,
    blocks BLOB NOT NULL,           -- ids of the blocks that it took, in its order: CBOR array
    body BLOB NOT NULL              -- the bytes of its leaf
) STRICT;

CREATE TABLE leaves (               -- those of entries
    leaf INTEGER PRIMARY KEY,       -- ledger index
    commit_index INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    verdict INTEGER NOT NULL
) STRICT;

CREATE TABLE tiles (
    tile INTEGER PRIMARY KEY,
    root BLOB NOT NULL              -- over the leaves tile * 256 .. tile * 256 + 255
) STRICT;

CREATE TABLE checkpoints (
    commit_index INTEGER PRIMARY KEY,
    note BLOB NOT NULL              -- the C2SP note with the signatures of q members
) STRICT;

CREATE TABLE state (
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
    meter BLOB NOT NULL,
    seq INTEGER NOT NULL,
    leaf INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (meter, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE totals (
    meter BLOB PRIMARY KEY,
    samples INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_ms INTEGER NOT NULL        -- newest reading
) STRICT, WITHOUT ROWID;

CREATE TABLE classes (
    meter BLOB NOT NULL,
    class INTEGER NOT NULL,         -- bit of the verdict; 0: valid
    count INTEGER NOT NULL,
    PRIMARY KEY (meter, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE pool (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    meter BLOB,                     -- of samples and evidence
    seq INTEGER,
    digest BLOB NOT NULL,           -- of the sample or transaction; of evidence: of its body
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    body BLOB NOT NULL              -- the entry
) STRICT;
CREATE UNIQUE INDEX pool_of_meter ON pool (meter, seq, kind);
"""

OPERATION_1 = """
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL
) STRICT;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE seen (
    meter BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL,         -- newest message of the meter
    clock TEXT NOT NULL,            -- of its newest sample
    boot INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    flaps INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    birth BLOB                      -- payload of its newest birth
) STRICT, WITHOUT ROWID;
"""

OPERATION_2 = """
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL
) STRICT;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE seen (
    meter BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL,         -- newest message of the meter
    clock TEXT NOT NULL,            -- of its newest sample
    boot INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    flaps INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    birth BLOB                      -- payload of its newest birth
) STRICT, WITHOUT ROWID;

CREATE TABLE cards (
    kid BLOB PRIMARY KEY,           -- of the gateway that signed it
    version INTEGER NOT NULL,
    raw BLOB NOT NULL               -- its newest peer card, COSE_Sign1
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    token_hash BLOB PRIMARY KEY,    -- SHA-256: the token itself is with the invited
    until_ms INTEGER NOT NULL,
    guest BLOB                      -- kid of the one gateway that came with it
) STRICT, WITHOUT ROWID;
"""

OPERATION_3 = """
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL
) STRICT;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    topic TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE seen (
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
) STRICT, WITHOUT ROWID;

CREATE TABLE cards (
    kid BLOB PRIMARY KEY,           -- of the gateway that signed it
    version INTEGER NOT NULL,
    raw BLOB NOT NULL               -- its newest peer card, COSE_Sign1
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    token_hash BLOB PRIMARY KEY,    -- SHA-256: the token itself is with the invited
    until_ms INTEGER NOT NULL,
    guest BLOB                      -- kid of the one gateway that came with it
) STRICT, WITHOUT ROWID;
"""

# A ledger may begin with a snapshot.
LEDGER_3 = (
    LEDGER_2
    + """
CREATE TABLE base (                 -- the commit that this ledger begins with
    only INTEGER PRIMARY KEY CHECK (only = 1),
    commit_index INTEGER NOT NULL,
    leaf INTEGER NOT NULL,          -- ledger index of its leaf
    edge BLOB NOT NULL,             -- merkle.RightEdge over all leaves up to it
    header BLOB NOT NULL            -- first part of the snapshot, verbatim
) STRICT;

CREATE TABLE base_leaves (          -- of commits up to it, as far as they are known
    commit_index INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE base_parts (           -- of the snapshot's trail, without its leaves
    place INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE base_state (           -- the state after it
    key BLOB PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
)

# Old payloads may leave for an archive.
LEDGER_4 = (
    LEDGER_3
    + """
CREATE TABLE archive_parts (        -- what has left, or is about to
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
) STRICT;

CREATE TABLE archive_files (
    part INTEGER NOT NULL,
    dataset TEXT NOT NULL,
    name TEXT NOT NULL,             -- below the archive's target
    bytes INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (part, dataset)
) STRICT, WITHOUT ROWID;
"""
)

# What the gateway's folder has come to, for a forecast.
OPERATION_4 = (
    OPERATION_3
    + """
CREATE TABLE disk_history (
    at_ms INTEGER PRIMARY KEY,      -- Unix ms by the gateway's clock
    used INTEGER NOT NULL,          -- bytes of the gateway's folder
    free INTEGER NOT NULL           -- bytes free on its file system
) STRICT;
"""
)

# A file may be sealed.
_SEAL = """
CREATE TABLE seal (                 -- no row: nothing in this file is sealed
    only INTEGER PRIMARY KEY CHECK (only = 1),
    keyring BLOB NOT NULL,          -- id of the keyring that opens the rows
    oldest INTEGER NOT NULL,        -- no row is sealed under a data key with a lower number
    target INTEGER NOT NULL,        -- up to which rows are being resealed; 0: none are
    in_table TEXT NOT NULL,         -- how far that has come: the table,
    after ANY                       -- and the key of its last row that is done; NULL: none yet
) STRICT;
"""
LEDGER_5 = LEDGER_4 + _SEAL
OPERATION_5 = OPERATION_4 + _SEAL

# By application id and version. The newest of each is what this program makes today.
TABLES = {
    0x7774746C: {2: LEDGER_2, 3: LEDGER_3, 4: LEDGER_4, 5: LEDGER_5},
    0x7774746F: {1: OPERATION_1, 2: OPERATION_2, 3: OPERATION_3, 4: OPERATION_4, 5: OPERATION_5},
}


def make(path: Path, kind: Schema, version: int, rows: str) -> None:
    """Make the database at `path` as the program of that version did; `rows` is SQL that fills
    it, with the row of its table `ledger`."""
    with closing(sqlite3.connect(path)) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {kind.application_id}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.executescript(f"BEGIN; {TABLES[kind.application_id][version]} {rows} COMMIT;")
