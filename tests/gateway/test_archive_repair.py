"""A damaged ledger of which part has left: put together out of what is here and what is there, and
what is wrong in the archive is named with what to do about it."""

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.archive import parquet_files
from wattle_gateway.archive.rows import PartRows
from wattle_gateway.cli import main
from wattle_testkit.archived_ledger import ArchivedLedger

DAYS = 4
SAMPLES_A_DAY = 12


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> ArchivedLedger:
    """Days of samples, all but the last of which have left."""
    made = ArchivedLedger(tmp_path_factory.mktemp("lived"))
    made.live(DAYS, SAMPLES_A_DAY)
    made.furnish()
    made.archive(1)
    made.driver.close()
    return made


@pytest.fixture
def home(lived: ArchivedLedger, tmp_path: Path) -> Path:
    """A copy of its folder."""
    shutil.copytree(lived.home.folder, tmp_path / "gw")
    return tmp_path / "gw"


def alter(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0


def said(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    assert main([*map(str, words), "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def files(home: Path) -> dict[str, bytes]:
    """The archive."""
    return {str(path): path.read_bytes() for path in (home / "archive").rglob("*.parquet")}


def a_file(home: Path, dataset: str, day: str) -> Path:
    (found,) = home.glob(f"archive/*/*/{dataset}/day={day}/*.parquet")
    return found


def told(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What audit and status say of a sound ledger, without what a repair may change."""
    report = said(capsys, "audit", home)
    del report["seconds"]
    del report["counts"]["waiting"]  # once more in the pool is a repeat
    status = said(capsys, "archive", "status", home)
    words = ("parts", "last_commit", "archived_samples", "archived_bytes", "gone")
    return {"audit": report, "status": {word: status[word] for word in words}}


_told: dict[Path, dict[str, Any]] = {}


def check_as_before(lived: ArchivedLedger, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Head, root and counts are those of the undamaged ledger, and as much has left."""
    folder = lived.home.folder
    if folder not in _told:
        _told[folder] = told(folder, capsys)
    assert told(home, capsys) == _told[folder]
    assert said(capsys, "archive", "verify", home)["ok"]


ALTERED = {
    "what execution wrote": (
        "UPDATE leaves SET verdict = 7",
        "DELETE FROM state",
        "DELETE FROM commits WHERE commit_index = 9",
        "INSERT INTO tiles VALUES (0, zeroblob(32))",
        # Of blocks that stayed.
        "UPDATE blocks SET header = x'00' WHERE id = (SELECT min(id) FROM blocks)",
        "DELETE FROM entries WHERE id = (SELECT min(id) FROM entries)",
    ),
    "rows about parts": (
        "UPDATE archive_parts SET last_commit = 7, gone_commit = 0 WHERE part = 1",
        "DELETE FROM archive_parts WHERE part = 2",
        "UPDATE archive_parts SET gone_commit = 99999 WHERE part = 3",
        "UPDATE archive_files SET part = 9 WHERE part = 3",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_local_rows_are_mended_out_of_the_archive(
    lived: ArchivedLedger, home: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    alter(home, *ALTERED[what])
    assert main(["audit", str(home)]) == 1
    capsys.readouterr()
    before = files(home)
    row = said(capsys, "repair", home)
    assert (row["left_out"], row["lost"], row["archive_parts"]) == (0, False, DAYS - 1)
    assert row["made_again"] == []
    assert files(home) == before
    check_as_before(lived, home, capsys)


def test_readings_are_made_again(
    lived: ArchivedLedger, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They follow from the log; nothing else is wrong, and no audit reads them."""
    before = files(home)
    path = a_file(home, "readings", "2023-11-15")
    path.unlink()
    assert said(capsys, "audit", home)["ok"]
    row = said(capsys, "repair", home)
    assert row["made_again"] == [str(path.relative_to(home / "archive"))]
    assert files(home) == before
    check_as_before(lived, home, capsys)
    assert main(["repair", str(home)]) == 0
    assert capsys.readouterr().out == "nothing is wrong with it\n"


def test_what_is_wrong_in_the_archive_is_named_and_nothing_is_changed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, altered = a_file(home, "log", "2023-11-15"), a_file(home, "blocks", "2023-11-16")
    missing.unlink()
    altered.write_bytes(altered.read_bytes()[:-1])
    before = (home / "ledger.db").read_bytes()
    assert main(["repair", str(home)]) == 18
    error = capsys.readouterr().err
    assert f"part 2: {missing}: missing from the archive" in error
    assert f"part 3: {altered.relative_to(home / 'archive')}: altered in the archive" in error
    assert "Put back a copy" in error
    assert "`repair --refetch`" in error
    assert main(["repair", str(home), "--refetch"]) == 9
    assert "blocks are lost and nobody else has them (part 2: " in capsys.readouterr().err
    (home / "archive").rename(home / "elsewhere")
    for words in ((), ("--refetch",)):
        assert main(["repair", str(home), *words]) == 18, "it does not answer"
        assert "no such folder" in capsys.readouterr().err
    assert (home / "ledger.db").read_bytes() == before
    assert not list(home.glob("ledger.db.*"))


def test_a_part_that_execution_does_not_bear_out_is_not_taken_over(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody wrote another verdict into a file, and its hash into ledger.db."""
    path = a_file(home, "log", "2023-11-15")
    rows = parquet_files.log_rows(path.read_bytes())
    first = next(row for row in rows if row.meter is not None)
    rows[rows.index(first)] = first._replace(verdict=8)
    path.write_bytes(parquet_files.encode_one("log", PartRows(rows, [], [])))
    digest = sha256(path.read_bytes()).hexdigest()
    alter(home, f"UPDATE archive_files SET sha256 = x'{digest}' WHERE part = 2 AND dataset = 'log'")
    assert main(["repair", str(home)]) == 18
    assert "part 2: " in (error := capsys.readouterr().err)
    assert "hold other rows than follow from the blocks" in error


def test_a_sealed_ledger_is_mended_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ArchivedLedger.sealed(tmp_path / "gw")
    ledger.furnish()
    ledger.live(2, samples_a_day=12)
    assert main(["archive", "now", str(ledger.home.folder), "--days", "0"]) == 0
    ledger.driver.close()
    capsys.readouterr()
    before = said(capsys, "audit", ledger.home.folder)
    alter(ledger.home.folder, "UPDATE leaves SET verdict = 7", "DELETE FROM archive_parts")
    assert said(capsys, "repair", ledger.home.folder)["archive_parts"] == 2
    after = said(capsys, "audit", ledger.home.folder)
    assert after["ok"]
    assert (after["root"], after["counts"]) == (before["root"], before["counts"])
