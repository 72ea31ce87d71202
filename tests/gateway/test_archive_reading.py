"""What has left is read through: samples, proofs, readings of vouchers, audit; damage is named."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.archive.attachment import whole
from wattle_gateway.audit import repair
from wattle_gateway.cli import main
from wattle_gateway.errors import ArchiveError, StoreError
from wattle_gateway.ledger import merkle
from wattle_gateway.reports.voucher_readings import PointReadings
from wattle_gateway.store import archive_rows, schema, tree_rows
from wattle_gateway.store import connection as database
from wattle_gateway.store.archived import archive_of
from wattle_testkit.alliance import GRID
from wattle_testkit.archived_ledger import DAY_MS, ArchivedLedger

DAYS = 4
SAMPLES_A_DAY = 30


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> ArchivedLedger:
    """Days of samples, all of them in ledger.db."""
    made = ArchivedLedger(tmp_path_factory.mktemp("lived"))
    made.live(DAYS, SAMPLES_A_DAY)
    made.furnish()
    made.driver.close()
    return made


@pytest.fixture
def archived(lived: ArchivedLedger, tmp_path: Path) -> ArchivedLedger:
    """The same; all but the last day have left."""
    shutil.copytree(lived.home.folder, tmp_path / "gw")
    made = ArchivedLedger(tmp_path / "gw")
    made.unix_ms, made.samples = lived.unix_ms, lived.samples
    made.archive(1)
    return made


@contextmanager
def reading(ledger: ArchivedLedger) -> Iterator[sqlite3.Connection]:
    reader = database.open_reader(ledger.path, schema.LEDGER, ledger.epoch.ledger_id)
    with closing(reader), whole(ledger.home, reader), database.snapshot(reader):
        yield reader


def said(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    assert main([*map(str, words), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def a_file(ledger: ArchivedLedger, dataset: str, day: str) -> Path:
    (found,) = ledger.target_folder.glob(f"*/*/{dataset}/day={day}/*.parquet")
    return found


def test_samples_are_the_same_wherever_they_lie(
    lived: ArchivedLedger, archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = said(capsys, "samples", lived.home.folder, "--raw")
    assert len(everything) == 2 * DAYS * SAMPLES_A_DAY
    assert said(capsys, "samples", archived.home.folder, "--raw") == everything
    meter, begin_ms = archived.board.kid.hex(), everything[10]["time_ms"]
    span = ("--meter", meter, "--from", begin_ms, "--to", begin_ms + 2 * DAY_MS)
    for words in (("--meter", meter), span):
        expected = said(capsys, "samples", lived.home.folder, *words)
        assert said(capsys, "samples", archived.home.folder, *words) == expected


def test_only_the_days_that_are_asked_for_are_fetched(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    a_file(archived, "log", "2023-11-14").unlink()
    last_ms = archived.samples[-1].sample.readings[0].time_ms
    rows = said(capsys, "samples", archived.home.folder, "--from", last_ms - DAY_MS)
    assert 0 < len(rows) < 2 * DAYS * SAMPLES_A_DAY


def test_the_audit_replays_everything(
    lived: ArchivedLedger, archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(capsys, "audit", lived.home.folder)
    after = said(capsys, "audit", archived.home.folder)
    assert after["ok"]
    for report in (before, after):
        del report["seconds"]
    assert after == before


def test_an_archived_sample_is_proved_to_a_stranger(
    lived: ArchivedLedger, archived: ArchivedLedger
) -> None:
    with reading(lived) as one, reading(archived) as other:
        (raw_edge,) = one.execute("SELECT edge FROM ledger").fetchone()
        edge = merkle.decode_right_edge(raw_edge)
        for leaf in (1, 5, 100, 255, 256):
            (raw,) = tree_rows.leaves(other, leaf, leaf + 1)
            stretches = merkle.inclusion_stretches(leaf, edge.size)
            path = [tree_rows.root(other, begin, end) for begin, end in stretches]
            merkle.verify_inclusion(merkle.leaf_hash(raw), leaf, edge.size, path, edge.root())
            assert [raw] == list(tree_rows.leaves(one, leaf, leaf + 1))


def test_without_the_archive_beside_it_a_leaf_is_said_to_have_left(
    lived: ArchivedLedger, archived: ArchivedLedger
) -> None:
    with lived.opened() as reader:
        (leaf,) = reader.execute("SELECT min(leaf) FROM samples").fetchone()
    with archived.opened() as reader, pytest.raises(StoreError, match="has left for the archive"):
        list(tree_rows.leaves(reader, leaf, leaf + 1))


def test_a_commit_that_has_left_tells_its_story(
    lived: ArchivedLedger, archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    with archived.opened() as reader:
        last = archive_rows.gone_through(reader)
    for index in (1, 5, last - 1, last, last + 1):
        words = ("commit", "show")
        stories = []
        for ledger in (lived, archived):
            assert main([*words, str(ledger.home.folder), str(index), "--format", "json"]) == 0
            stories.append(json.loads(capsys.readouterr().out))
        assert stories[0] == stories[1]


def test_a_voucher_finds_its_readings(lived: ArchivedLedger, archived: ArchivedLedger) -> None:
    """Inside the archive, over its edge, and the next one far away."""
    first_ms = lived.samples[0].sample.readings[0].time_ms
    for begin, end in ((0.2, 0.4), (2.0, 3.5), (3.2, 3.4), (40.0, 41.0), (-9.0, -8.0)):
        span = (first_ms + int(begin * DAY_MS), first_ms + int(end * DAY_MS))
        found = []
        for ledger in (lived, archived):
            with reading(ledger) as reader:
                point = (ledger.board.kid, 1)
                of = PointReadings(reader, ledger.epoch.ledger_id, point, span, 10_000)
                found.append([of.before(span[0]), of.after(span[1]), of.commonest_ms])
        assert found[0] == found[1]
        assert found[0] != [None, None, None]


def test_two_ledgers_are_compared_through_the_archive(
    lived: ArchivedLedger, archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    report = said(capsys, "audit", lived.home.folder, "--compare", archived.home.folder)
    assert report["comparison"]["difference"] is None


def test_repair_does_not_put_together_what_it_cannot_see(archived: ArchivedLedger) -> None:
    before = archived.path.read_bytes()
    with pytest.raises(ArchiveError, match="part of it has left, expected an archive beside"):
        repair.repair(archived.path, archived.epoch, GRID.kid)
    assert archived.path.read_bytes() == before


def test_a_sealed_ledger_archives_and_reads_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ArchivedLedger.sealed(tmp_path / "gw")
    ledger.furnish()
    ledger.live(2, samples_a_day=12)
    before = said(capsys, "samples", ledger.home.folder, "--raw")
    assert len(before) == 48
    ledger.archive(1)
    with ledger.opened() as reader:
        assert reader.execute("SELECT count(*) FROM samples").fetchone() == (12,)
    assert said(capsys, "samples", ledger.home.folder, "--raw") == before
    assert said(capsys, "audit", ledger.home.folder)["ok"]
    assert said(capsys, "archive", "verify", ledger.home.folder)["ok"]
    with reading(ledger) as reader:
        archive = archive_of(reader)
        assert archive is not None
        archive.reach(None, None, None)
        kid = ledger.board.kid
        rows = "SELECT meter, body FROM {} ORDER BY leaf"
        told = reader.execute(rows.format("temp.archived_samples")).fetchall()
        on_disk = reader.execute(rows.format("spill.archived_samples")).fetchall()
        assert len(told) == len(on_disk) == 12
        for (_, body), (meter, sealed) in zip(told, on_disk, strict=True):
            assert kid in body
            assert kid not in sealed
            assert meter != kid
        (folder,) = {row[2] for row in reader.execute("PRAGMA database_list") if row[1] == "spill"}
        assert not Path(folder).exists(), "it has no name any more"


@pytest.mark.parametrize("dataset", ["log", "blocks"])
def test_an_altered_file_is_named(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str], dataset: str
) -> None:
    path = a_file(archived, dataset, "2023-11-15")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    name = str(path.relative_to(archived.target_folder))
    assert main(["audit", str(archived.home.folder)]) == 1
    assert f"{name}: altered in the archive" in capsys.readouterr().out
    if dataset == "log":
        assert main(["samples", str(archived.home.folder), "--format", "csv"]) == 18
        assert f"{name}: altered in the archive" in capsys.readouterr().err
    assert main(["archive", "verify", str(archived.home.folder)]) == 1
    assert f"part 2 of 2023-11-15: {name}: altered" in capsys.readouterr().out


def test_a_missing_file_is_named(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_file(archived, "log", "2023-11-14")
    path.unlink()
    assert main(["audit", str(archived.home.folder)]) == 1
    assert f"{path}: missing from the archive" in capsys.readouterr().out
    assert main(["samples", str(archived.home.folder), "--format", "csv"]) == 18
    assert f"{path}: missing from the archive" in capsys.readouterr().err
    shutil.rmtree(archived.target_folder)
    assert main(["samples", str(archived.home.folder), "--format", "csv"]) == 18
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE archive_parts SET samples = 1 WHERE part = 1", "other entries than its row"),
        ("UPDATE archive_parts SET last_ms = last_ms + 1 WHERE part = 2", "other times than"),
        ("UPDATE archive_parts SET blocks = 1 WHERE part = 2", "other blocks than its row"),
        ("UPDATE archive_parts SET gone_leaves = 1", "table leaves: "),
        ("UPDATE archive_files SET sha256 = zeroblob(32) WHERE dataset = 'log'", "altered in the"),
        ("DELETE FROM archive_files", "has no file of blocks"),
    ],
)
def test_the_audit_believes_no_row_about_the_archive(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str], statement: str, says: str
) -> None:
    archived.driver.connection.execute(statement)
    assert main(["audit", str(archived.home.folder)]) == 1
    assert says in capsys.readouterr().out


def test_a_row_in_a_file_that_is_not_the_trees_is_found(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody altered file and row about the file alike: the tree tells."""
    archived.driver.connection.execute(
        "UPDATE archive_files SET (sha256, name) = (SELECT sha256, name FROM archive_files AS b "
        "WHERE b.part = 2 AND b.dataset = 'log') WHERE part = 1 AND dataset = 'log'"
    )
    assert main(["archive", "verify", str(archived.home.folder)]) == 1
    assert "DIFFERENCE    part 1 of 2023-11-14: " in capsys.readouterr().out


def test_verify_and_status_say_what_there_is(
    archived: ArchivedLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = archived.home.folder
    report = said(capsys, "archive", "verify", folder)
    assert (report["ok"], report["parts"], report["wrong"]) == (True, 3, [])
    assert report["samples"] == 3 * SAMPLES_A_DAY
    status = said(capsys, "archive", "status", folder)
    assert (status["first_day"], status["last_day"]) == ("2023-11-14", "2023-11-16")
    assert status["archived_bytes"] == sum(
        path.stat().st_size for path in archived.target_folder.rglob("*.parquet")
    )
    assert main(["archive", "status", str(folder)]) == 0
    assert "2023-11-14 to 2023-11-16, 3 parts, 90 samples" in capsys.readouterr().out
    assert main(["archive", "verify", str(folder)]) == 0
    assert "every leaf is that of the ledger's tree" in capsys.readouterr().out


def test_a_stopped_gateway_moves_what_is_old(
    lived: ArchivedLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the host's clock all of it is; what a restart reads stays."""
    shutil.copytree(lived.home.folder, tmp_path / "gw")
    ledger = ArchivedLedger(tmp_path / "gw")
    ledger.driver.close()
    status = said(capsys, "archive", "now", ledger.home.folder)
    assert status["last_day"] == "2023-11-17"
    assert not status["under_way"]
    assert said(capsys, "archive", "now", ledger.home.folder)["steps"] == 0
    assert said(capsys, "audit", ledger.home.folder)["ok"]
    ledger.reopen()


def test_where_no_target_is_named_the_command_says_so(
    lived: ArchivedLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(lived.home.folder, tmp_path / "gw")
    ledger = ArchivedLedger(tmp_path / "gw")
    ledger.unix_ms = lived.unix_ms
    ledger.configure()
    assert main(["archive", "now", str(tmp_path / "gw")]) == 18
    assert 'archive.target is "", expected where the archive is' in capsys.readouterr().err
    assert said(capsys, "archive", "status", tmp_path / "gw")["parts"] == 0
    ledger.archive(1)
    assert main(["samples", str(tmp_path / "gw"), "--format", "csv"]) == 18
    assert "expected where the archive is" in capsys.readouterr().err
