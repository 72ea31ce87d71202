"""The tables of the two databases.

ledger.db: the ledger and, in `pool`, what waits to enter it; an audit accounts for every byte of
it. operation.db: what the gateway remembers about its own work, which nobody's money hangs on.

Entry bytes stand once, in `entries`; a leaf is `[kind, verdict, author, round, entry]` and is put
together from there. Headers are most of what an idle alliance writes, so a block's row is little
more than its header, and is never touched again: which blocks a commit took stands at the commit,
a digest is computed from the header. There is no index by time: a meter's samples lie in the order
of their seqs, and scanning the small rows of `samples` is fast beside decoding what is found.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schema:
    """A kind of database: PRAGMA application_id, PRAGMA user_version, tables.

    Each has a table `ledger` of one row whose `ledger_id` says what it belongs to.
    """

    what: str
    application_id: int
    version: int
    tables: str


# Entries of block b have the ids b * 4096 ..: one CBOR array holds at most 4,096 items, and
# no index from block to entries is needed.
ENTRIES_A_BLOCK = 4096

# Leaves of a tile: any proof is put together from tile roots and the leaves of a few tiles, so
# that it costs no walk over the whole log, for an eighth of a byte a leaf.
TILE_LEAVES = 256

_LEDGER_TABLES = """
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

CREATE TABLE seal (                 -- no row: nothing in this file is sealed
    only INTEGER PRIMARY KEY CHECK (only = 1),
    keyring BLOB NOT NULL,          -- id of the keyring that opens the rows
    oldest INTEGER NOT NULL,        -- no row is sealed under a data key with a lower number
    target INTEGER NOT NULL,        -- up to which rows are being resealed; 0: none are
    in_table TEXT NOT NULL,         -- how far that has come: the table,
    after ANY                       -- and the key of its last row that is done; NULL: none yet
) STRICT;
"""

_OPERATION_TABLES = """
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

CREATE TABLE disk_history (
    at_ms INTEGER PRIMARY KEY,      -- Unix ms by the gateway's clock
    used INTEGER NOT NULL,          -- bytes of the gateway's folder
    free INTEGER NOT NULL           -- bytes free on its file system
) STRICT;

CREATE TABLE seal (                 -- no row: nothing in this file is sealed
    only INTEGER PRIMARY KEY CHECK (only = 1),
    keyring BLOB NOT NULL,          -- id of the keyring that opens the rows
    oldest INTEGER NOT NULL,        -- no row is sealed under a data key with a lower number
    target INTEGER NOT NULL,        -- up to which rows are being resealed; 0: none are
    in_table TEXT NOT NULL,         -- how far that has come: the table,
    after ANY                       -- and the key of its last row that is done; NULL: none yet
) STRICT;
"""

LEDGER = Schema("a ledger", 0x7774746C, 5, _LEDGER_TABLES)
OPERATION = Schema("a gateway's operation", 0x7774746F, 5, _OPERATION_TABLES)
