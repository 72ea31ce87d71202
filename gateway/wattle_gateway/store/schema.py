"""The tables of the two databases.

ledger.db: the ledger and, in `pool`, what waits to enter it; an audit accounts for every byte of
it. operation.db: what the gateway remembers about its own work, which nobody's money hangs on.

Entry bytes stand once, in `entries`; a leaf is `[kind, verdict, author, round, entry]` and is put
together from there. There is no index by time: a meter's samples lie in the order of their seqs,
and scanning the small rows of `samples` is fast beside decoding what is found.
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

_LEDGER_TABLES = """
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger_id BLOB NOT NULL,
    edge BLOB NOT NULL              -- merkle.RightEdge over all leaves
) STRICT;

CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    round INTEGER NOT NULL,
    author INTEGER NOT NULL,
    digest BLOB NOT NULL,
    header BLOB NOT NULL,           -- COSE_Sign1, verbatim
    commit_index INTEGER,           -- NULL: no commit has taken it yet
    UNIQUE (epoch, round, author, digest)
) STRICT;
CREATE INDEX blocks_of_commit ON blocks (commit_index);

CREATE TABLE entries (
    id INTEGER PRIMARY KEY,         -- block * 4096 + position
    body BLOB NOT NULL
) STRICT;

CREATE TABLE leaves (
    leaf INTEGER PRIMARY KEY,       -- ledger index
    commit_index INTEGER NOT NULL,
    entry INTEGER,                  -- NULL: the leaf that ends the commit
    verdict INTEGER NOT NULL
) STRICT;

CREATE TABLE commits (
    commit_index INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    leaf INTEGER NOT NULL,
    body BLOB NOT NULL              -- the bytes of its leaf
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
    birth BLOB                      -- payload of its newest birth
) STRICT, WITHOUT ROWID;
"""

LEDGER = Schema("a ledger", 0x7774746C, 1, _LEDGER_TABLES)
OPERATION = Schema("a gateway's operation", 0x7774746F, 1, _OPERATION_TABLES)
