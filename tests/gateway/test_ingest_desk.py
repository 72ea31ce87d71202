"""Counters and quarantine: bounded, and written whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.store import connection as database
from wattle_gateway.store import operation_rows, schema
from wattle_gateway.store.operation_file import OperationFile
from wattle_gateway.store.operation_rows import Seen
from wattle_wire import downlink

METER = b"\x01" * 8


@pytest.fixture
def file(tmp_path: Path) -> Iterator[OperationFile]:
    database.create_operation(tmp_path / "operation.db", bytes(16))
    with closing(OperationFile(tmp_path / "operation.db", bytes(16))) as made:
        yield made


def desk(entries_max: int = 10, bytes_max: int = 1000) -> Desk:
    return Desk({}, {}, entries_max, bytes_max)


def flush(desk: Desk, file: OperationFile) -> None:
    write = desk.flush()
    assert write is not None
    file.write(write)


def reading(tmp_path: Path) -> sqlite3.Connection:
    return database.open_reader(tmp_path / "operation.db", schema.OPERATION, bytes(16))


def kept(tmp_path: Path) -> list[bytes]:
    with closing(reading(tmp_path)) as reader:
        return [row[0] for row in reader.execute("SELECT body FROM quarantine ORDER BY id")]


def test_counters_and_meters_survive(tmp_path: Path, file: OperationFile) -> None:
    one = desk()
    one.count("stored", 3)
    one.note(Seen(METER, at_ms=5, clock="S", boot=2))
    flush(one, file)
    one.count("stored")
    flush(one, file)
    file.close()
    with closing(OperationFile(tmp_path / "operation.db", bytes(16))) as again:
        counters, seen = again.counters(), again.seen()
    assert counters == {"stored": 4}
    assert seen == {METER: Seen(METER, at_ms=5, clock="S", boot=2)}


def test_nothing_new_is_nothing_to_write(file: OperationFile) -> None:
    one = desk()
    assert one.flush() is None
    one.count("stored")
    flush(one, file)
    assert one.flush() is None


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, file: OperationFile) -> None:
    one = desk(entries_max=3)
    for number in range(5):
        one.refuse(downlink.MALFORMED, 1, "t", bytes([number]))
    flush(one, file)
    assert kept(tmp_path) == [b"\x02", b"\x03", b"\x04"]
    one.refuse(downlink.MALFORMED, 1, "t", b"new")
    flush(one, file)
    assert kept(tmp_path) == [b"\x03", b"\x04", b"new"]
    assert file.counters() == {"refused.malformed": 6}


def test_the_oldest_go_when_they_are_too_large(tmp_path: Path, file: OperationFile) -> None:
    one = desk(bytes_max=100)
    for number in range(4):
        one.refuse(downlink.MALFORMED, 1, "t", bytes([number]) * 40)
    flush(one, file)
    assert kept(tmp_path) == [bytes([2]) * 40, bytes([3]) * 40]
    one.refuse(downlink.MALFORMED, 1, "t", bytes(101))
    flush(one, file)
    assert len(kept(tmp_path)) == 2, "larger than the whole quarantine"
    with closing(reading(tmp_path)) as reader:
        assert operation_rows.quarantine_fill(reader)[1] <= 100


def test_busy_is_counted_and_not_kept(tmp_path: Path, file: OperationFile) -> None:
    one = desk()
    one.refuse(downlink.BUSY, 1, "t", b"comes again")
    flush(one, file)
    assert kept(tmp_path) == []
    assert file.counters() == {"refused.busy": 1}


def test_no_quarantine_at_all(tmp_path: Path, file: OperationFile) -> None:
    one = desk(entries_max=0)
    one.refuse(downlink.MALFORMED, 1, "t", b"x")
    flush(one, file)
    assert kept(tmp_path) == []


def test_a_meter_that_comes_again_and_again_is_flapping() -> None:
    one = desk()
    one.connected(METER, 1, None)
    one.connected(METER, 2, 60_000)
    one.connected(METER, 3, 500)
    assert (one.of(METER).connections, one.of(METER).flaps) == (3, 1)
    assert one.counters == {"connections.flapped": 1}
