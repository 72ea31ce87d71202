"""The simulated disk: a power cut inside a COMMIT leaves all of it or none."""

import sqlite3
from pathlib import Path
from random import Random

import pytest
from wattle_testkit.simulation.disk import Disk, Image


def opened(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def numbers(folder: Path) -> list[int]:
    connection = opened(folder)
    found = [number for (number,) in connection.execute("SELECT number FROM t ORDER BY number")]
    connection.close()
    return found


def cut_in_third_commit(folder: Path, seed: int) -> Image:
    """Two rows are safe, a third one is being written when the power fails."""
    disk = Disk(folder, Random(seed))
    connection = opened(folder)
    connection.execute("CREATE TABLE t (number INTEGER)")
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    disk.watch(connection)
    assert not disk.writes_seen
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (3)")
    connection.execute("COMMIT")
    assert disk.writes_seen
    left = disk.cut()
    connection.close()
    disk.restore(left)
    return left


def test_a_cut_commit_is_there_or_not(tmp_path: Path) -> None:
    found = set()
    for seed in range(60):
        folder = tmp_path / str(seed)
        cut_in_third_commit(folder, seed)
        found.add(tuple(numbers(folder)))
    assert found == {(1, 2), (1, 2, 3)}


def test_a_cut_tears_the_log_at_any_byte(tmp_path: Path) -> None:
    sizes = {
        len(cut_in_third_commit(tmp_path / str(seed), seed)["ledger.db-wal"]) for seed in range(30)
    }
    assert len(sizes) > 10


def test_an_image_without_open_connections_is_the_disk(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk", Random(1))
    (disk.folder / "ledger.db").write_bytes(b"old")
    image = disk.image()
    (disk.folder / "ledger.db").write_bytes(b"new")
    (disk.folder / "ledger.db-shm").write_bytes(b"memory")
    disk.restore(image)
    assert disk.image() == {"ledger.db": b"old"}
    disk.wipe()
    assert not disk.folder.exists()


@pytest.mark.parametrize("after", [{}, {"ledger.db": b"new"}])
def test_a_log_folded_in_meanwhile_is_not_torn(tmp_path: Path, after: Image) -> None:
    disk = Disk(tmp_path / "disk", Random(1))
    assert disk._torn({"ledger.db": b"old", "ledger.db-wal": b"x"}, after)["ledger.db"] == b"old"
