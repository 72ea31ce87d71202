"""Whoever changes a byte of the ledger's database is found out, and the audit says where."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.audit.findings import AuditReport
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_testkit.alliance import CREATED_MS, Board, genesis_of, reading, sample_entry
from wattle_testkit.driven_ledger import DrivenLedger

# `own` is missing: what a gateway signed last is its own word.
TABLES = (
    "ledger",
    "blocks",
    "entries",
    "leaves",
    "commits",
    "state",
    "samples",
    "totals",
    "classes",
    "pool",
)


@pytest.fixture(scope="module")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ledger with something in every table."""
    ledger = DrivenLedger(tmp_path_factory.mktemp("audit") / "ledger.db")
    board = Board("tampered", ledger.epoch)
    ledger.enrol(board)
    first = board.sample(1, [reading(CREATED_MS + 1000, ei=5)])
    second = board.sample(2, [reading(CREATED_MS + 2000, ei=6, p=-12)], prev=first.digest)
    late = board.sample(9, [reading(CREATED_MS + 3000, ei=4)], clock="U", gaps=[(4, 6, 1)])
    ledger.add_samples(first, second, late)
    ledger.settle()
    fork = board.sample(2, [reading(CREATED_MS + 2000, ei=7)])
    ledger.add(sample_entry(board.sample(10, [reading(CREATED_MS + 4000, ei=8)])))
    ledger.settle()
    ledger.add_samples(board.sample(12), fork)
    ledger.driver.close()
    return ledger.path


@pytest.fixture
def tampered(ledger_file: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of it, open for whatever the test does to it."""
    copy = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    with closing(sqlite3.connect(ledger_file)) as original:
        original.backup(copy)
    yield copy
    copy.close()


def audited(connection: sqlite3.Connection) -> AuditReport:
    return audit_ledger(connection, genesis_of(), lambda done, total: None)


def test_an_untouched_ledger_is_sound(tampered: sqlite3.Connection) -> None:
    report = audited(tampered)
    assert report.ok, report.differences
    assert report.counts.samples == 4
    assert report.counts.waiting == 2
    assert all(tampered.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)


def flips(value: Any) -> list[Any]:
    """The value with one bit changed, at several places."""
    if isinstance(value, int):
        return [value ^ 1]
    if isinstance(value, bytes):
        places = {0, len(value) // 2, len(value) - 1}
        return [
            value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
            for place in sorted(places)
        ]
    return [7]  # NULL


@pytest.mark.parametrize("table", TABLES)
def test_a_flipped_bit_anywhere_is_found(tampered: sqlite3.Connection, table: str) -> None:
    columns = [row[1] for row in tampered.execute(f"PRAGMA table_info({table})")]
    keys = [row[1] for row in tampered.execute(f"PRAGMA table_info({table})") if row[5]]
    rows = tampered.execute(f"SELECT * FROM {table}").fetchall()
    tried = 0
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        where = " AND ".join(f"{key} = :key_{key}" for key in keys)
        for column in columns:
            if table == "ledger" and column == "only":
                continue  # its CHECK holds it
            if table == "pool" and column == "id":
                continue  # a place in the queue says nothing
            for flipped in flips(values[column]):
                parameters = {f"key_{key}": values[key] for key in keys} | {"value": flipped}
                tampered.execute("SAVEPOINT untouched")
                try:
                    tampered.execute(
                        f"UPDATE {table} SET {column} = :value WHERE {where}", parameters
                    )
                    report = audited(tampered)
                except sqlite3.IntegrityError:
                    continue  # the table itself refuses it
                finally:
                    tampered.execute("ROLLBACK TO untouched")
                    tampered.execute("RELEASE untouched")
                assert not report.ok, (table, column, values, flipped)
                tried += 1
    assert tried > 0


# What waits may go: its meter still has it.
@pytest.mark.parametrize("table", [table for table in TABLES if table != "pool"])
def test_a_row_that_vanished_is_found(tampered: sqlite3.Connection, table: str) -> None:
    first = tampered.execute(f"SELECT * FROM {table} LIMIT 1")
    columns, row = [column[0] for column in first.description], first.fetchone()
    where = " AND ".join(f"{column} IS ?" for column in columns)
    assert tampered.execute(f"DELETE FROM {table} WHERE {where}", row).rowcount == 1
    assert not audited(tampered).ok


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO state VALUES (x'01', x'02')",
        "INSERT INTO samples VALUES (x'0102030405060708', 1, 1, 1, 1)",
        "INSERT INTO classes VALUES (x'0102030405060708', 1, 1)",
        "INSERT INTO totals VALUES (x'0102030405060708', 1, 1, 1)",
        "INSERT INTO entries VALUES (1, x'00')",
        "INSERT INTO leaves VALUES (1000, 1, 4096, 0)",
        "INSERT INTO commits VALUES (1000, 1, 1, x'00', x'00')",
        "INSERT INTO tiles VALUES (0, x'00')",
        "CREATE TABLE extra (a)",
        "CREATE TRIGGER extra AFTER INSERT ON blocks BEGIN DELETE FROM pool; END",
    ],
)
def test_something_added_is_found(tampered: sqlite3.Connection, statement: str) -> None:
    tampered.execute(statement)
    assert not audited(tampered).ok


def test_the_first_difference_is_named(tampered: sqlite3.Connection) -> None:
    leaf, block = tampered.execute(
        "SELECT leaves.leaf, entries.id / 4096 FROM leaves JOIN entries ON entries.id = entry "
        "WHERE leaf = (SELECT min(leaf) FROM samples)"
    ).fetchone()
    (round_number,) = tampered.execute("SELECT round FROM blocks WHERE id = ?", (block,)).fetchone()
    tampered.execute("UPDATE leaves SET verdict = 1 WHERE leaf >= ?", (leaf,))
    (difference,) = audited(tampered).differences[:1]
    assert (difference.table, difference.leaf) == ("leaves", leaf)
    tampered.execute("UPDATE entries SET body = x'00' WHERE id / 4096 = ?", (block,))
    (difference,) = audited(tampered).differences[:1]
    assert difference.block == f"{round_number}/0"
