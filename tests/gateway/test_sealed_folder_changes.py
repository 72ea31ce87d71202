"""What happens to a sealed folder with an archive: older tables, a newer program's, keys that
change between any two steps of the archive, what lay beside its databases, its backup."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway import config
from wattle_gateway.archive import mover
from wattle_gateway.archive.mover import Mover
from wattle_gateway.archive.sealed_target import open_target
from wattle_gateway.errors import BackupError
from wattle_gateway.home import backup
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing.ring import Ring
from wattle_gateway.store import archive_rows, resealing, schema, sealed_file, sealing_copy
from wattle_gateway.store.schema import Schema
from wattle_testkit import older_databases, sealed_folder
from wattle_testkit.archived_ledger import DAY_MS, ArchivedLedger
from wattle_testkit.gateway_process import command
from wattle_testkit.old_gateway import OldGateway

NEWER = 99
SAMPLES_A_DAY = 4


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> OldGateway:
    """A plain folder whose archive is in it; nothing has left yet."""
    return OldGateway(tmp_path_factory.mktemp("lived") / "gw", target="archive")


@pytest.fixture
def home(lived: OldGateway, tmp_path: Path) -> GatewayHome:
    """A copy of it, and a storage key in `key` beside it."""
    assert command("keys", "make", tmp_path / "key").returncode == 0
    return GatewayHome(Path(shutil.copytree(lived.home.folder, tmp_path / "gw")))


def seal(home: GatewayHome) -> str:
    """Seal the folder; what went wrong, "" if nothing did."""
    key = home.folder.with_name("key")
    done = command("keys", "seal", home.folder, "--storage-key", f"file:{key}")
    assert (done.returncode == 0) == (not done.stderr)
    return done.stderr


def samples(home: GatewayHome) -> str:
    done = command("samples", home.folder, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return done.stdout


def ring_of(home: GatewayHome) -> Ring:
    found = rings.beside(home.config)
    assert found is not None
    return found


def made_older(path: Path, kind: Schema, version: int) -> None:
    """The tables of an older version in the place of today's."""
    draft = path.with_name("older")
    older_databases.make(draft, kind, version, "")
    with closing(sqlite3.connect(draft, isolation_level=None)) as older:
        older.execute("ATTACH ? AS newer", (str(path),))
        query = "SELECT name FROM main.sqlite_master WHERE type = 'table'"
        for (name,) in older.execute(query).fetchall():
            columns = ", ".join(row[1] for row in older.execute(f"PRAGMA main.table_info({name})"))
            older.execute(f"DELETE FROM main.{name}")
            older.execute(f"INSERT INTO main.{name} SELECT {columns} FROM newer.{name}")
        older.execute("DETACH newer")
        older.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    draft.replace(path)


def test_an_older_plain_folder_is_sealed_and_archives(home: GatewayHome, lived: OldGateway) -> None:
    before = samples(home)
    made_older(home.database, schema.LEDGER, 2)
    made_older(home.operation, schema.OPERATION, 2)
    assert "schema version 2, expected" in command("status", home.folder).stderr
    assert seal(home) == ""
    assert samples(home) == before
    assert command("archive", "now", home.folder).returncode == 0
    assert samples(home) == before
    assert command("audit", home.folder).returncode == 0
    assert "which is this program's" in command("upgrade", home.folder).stdout
    secret = [one.raw for one in lived.samples]
    assert sealed_folder.holding(home.folder, *secret) == []


def test_a_sealed_folder_of_a_newer_program_stays_as_it_is(home: GatewayHome) -> None:
    assert seal(home) == ""
    assert command("archive", "now", home.folder).returncode == 0
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWER}")
    keyring = (home.folder / rings.NAME).read_bytes()
    for words in (("keys", "rotate"), ("upgrade",), ("archive", "reseal"), ("archive", "now")):
        done = command(*words, home.folder)
        assert done.returncode == 9, words
        assert f"schema version {NEWER}" in done.stderr
    assert (home.folder / rings.NAME).read_bytes() == keyring
    said = command("doctor", home.folder).stdout
    assert f"ledger.db               {home.database}: schema version {NEWER}" in said
    assert "then `repair`" not in said


def test_a_plain_folder_of_a_newer_program_is_not_half_sealed(home: GatewayHome) -> None:
    with closing(sqlite3.connect(home.database)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWER}")
    text = home.config.read_text()
    assert f"schema version {NEWER}" in seal(home)
    assert not (home.folder / rings.NAME).exists()
    assert home.config.read_text() == text


def test_a_power_cut_at_the_very_end_leaves_no_plain_key_unseen(
    home: GatewayHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(BaseException):
        pass

    def cut(path: Path) -> None:
        if path.name == "peer.pem.plain" and path.exists():
            raise PowerCutError
        wipe(path)

    wipe = sealing_copy.wipe
    with monkeypatch.context() as patched:
        patched.setattr(sealing_copy, "wipe", cut)
        with pytest.raises(PowerCutError):
            seal(home)
    assert (home.keys / "peer.pem.plain").exists()
    said = command("doctor", home.folder).stdout
    assert "sealed, but peer.pem.plain are not encrypted" in said
    assert seal(home) == ""
    assert not list(home.keys.glob("*.plain"))
    assert "sealed; data key 1" in command("doctor", home.folder).stdout


def test_nothing_plain_stays_beside_the_databases(home: GatewayHome, lived: OldGateway) -> None:
    secret = [one.raw for one in lived.samples]
    for name in ("ledger.db.begin", "ledger.db.repair", "operation.db.new", "ledger.db.damaged1"):
        shutil.copy(home.database, home.folder / name)
    aside = home.folder / "ledger.db.damaged1"
    assert f"{aside}: set aside by an earlier repair" in seal(home)
    assert not (home.folder / rings.NAME).exists()
    log = Path(f"{aside}-wal")
    aside.replace(log)
    assert f"{log}: set aside" in seal(home)
    log.unlink()
    assert seal(home) == ""
    assert sealed_folder.holding(home.folder, *secret) == []
    # What is set aside later is sealed.
    shutil.copy(home.database, aside)
    assert seal(home) == ""


def test_a_backup_takes_the_archive_in_the_folder_along(
    home: GatewayHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seal(home) == ""
    assert command("archive", "now", home.folder).returncode == 0
    before = samples(home)
    done = command("backup", home.folder, "--output", tmp_path / "tar")
    assert "NOT IN IT" not in done.stdout
    shutil.rmtree(home.folder)
    assert command("restore", tmp_path / "tar", home.folder, "--alone").returncode == 0
    assert samples(home) == before
    assert command("archive", "verify", home.folder).returncode == 0
    # A file that changes between being hashed and being taken, and a key that is made meanwhile.
    hashed = backup._hashed

    def rewritten(name: str, path: Path) -> object:
        found = hashed(name, path)
        if name.endswith(".sealed"):
            path.write_bytes(bytes(path.stat().st_size))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(backup, "_hashed", rewritten)
        with pytest.raises(BackupError, match=r"sealed was changed meanwhile; try again"):
            backup.back_up(home, tmp_path / "second", 1)

    def keyed(name: str, path: Path) -> object:
        ring_of(home).archive_key(1)
        return hashed(name, path)

    monkeypatch.setattr(backup, "_hashed", keyed)
    with pytest.raises(BackupError, match=r"a key was made or removed meanwhile"):
        backup.back_up(home, tmp_path / "third", 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gw", "key", "tar"]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchivedLedger]:
    """A sealed ledger of some days; nothing has left yet."""
    monkeypatch.setattr(mover, "COMMITS_KEPT", SAMPLES_A_DAY)
    made = ArchivedLedger.sealed(tmp_path / "gw")
    made.live(3, samples_a_day=SAMPLES_A_DAY)
    made.furnish()
    yield made
    made.driver.close()


def test_keys_change_between_any_two_steps_of_the_archive(ledger: ArchivedLedger) -> None:
    """Power is cut after every step, too: the driver, the mover and the keyring begin anew."""
    before = samples(ledger.home)
    ring = ring_of(ledger.home)
    done = rotations = 0
    mark = None
    while True:
        step = mover_of(ledger).step(ledger.unix_ms - DAY_MS)
        if step is None:
            break
        done += 1
        if done % 2:
            ring.rotate(1)
            rotations += 1
        for _ in range(2):
            resealing.step(ledger.driver.connection, schema.LEDGER, rows=9)
        ledger.reopen()
        mark = sealed_file.load(ledger.driver.connection)
        assert mark is not None
        assert samples(ledger.home) == before
    assert (done, rotations) == (6, 3)
    assert mark is not None
    assert mark.oldest == 1  # some rows wait still
    assert [key.number for key in ring.keyring.keys] == [1, 2, 3, 4]
    while resealing.step(ledger.driver.connection, schema.LEDGER):
        pass
    assert ring.forget_before(4) == 3
    assert len(ring.keyring.archive) > 1
    assert samples(ledger.home) == before
    assert command("audit", ledger.home.folder).returncode == 0
    with ledger.opened() as reader:
        assert archive_rows.gone(reader).samples == 2 * SAMPLES_A_DAY
    assert command("archive", "reseal", ledger.home.folder).returncode == 0
    assert [key.number for key in ring_of(ledger.home).keyring.archive] == [4]
    assert samples(ledger.home) == before


def mover_of(ledger: ArchivedLedger) -> Mover:
    target = open_target(config.load(ledger.home.config).archive, ledger.home)
    return ledger.mover(target)
