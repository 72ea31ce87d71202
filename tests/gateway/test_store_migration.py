"""Databases of older versions get today's tables and lose nothing; newer ones are refused."""

import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.errors import SchemaVersionError, StoreError
from wattle_gateway.home import create
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.genesis import GRID_COMPANY
from wattle_gateway.reports import doctor_folder
from wattle_gateway.reports.doctor_finding import OK, PROBLEM
from wattle_gateway.store import connection as database
from wattle_gateway.store import migration, operation_rows, schema
from wattle_gateway.store.operation_rows import Quarantined, Seen
from wattle_gateway.store.schema import Schema
from wattle_testkit import older_databases

LEDGER_ID = bytes(range(16))
KINDS = {kind.application_id: kind for kind in (schema.LEDGER, schema.OPERATION)}
OLDER = [
    pytest.param(KINDS[application], version, id=f"{KINDS[application].what} {version}")
    for application, versions in older_databases.TABLES.items()
    for version in versions
]
METER = b"\x0a" * 8
EDGE = "x'820080'"
ROWS = {
    schema.LEDGER.application_id: f"""
        INSERT INTO ledger VALUES (1, x'{LEDGER_ID.hex()}', {EDGE});
        INSERT INTO own VALUES (1, 3, 17, 0, NULL, NULL);
        INSERT INTO blocks VALUES (5, 3, 17, 0, x'aa');
        INSERT INTO entries VALUES (20480, x'bb'), (20481, x'cc');
        INSERT INTO leaves VALUES (0, 1, 20480, 0);
        INSERT INTO commits VALUES (1, 1, 1000, x'8105', x'dd');
        INSERT INTO state VALUES (x'01', x'02');
        INSERT INTO samples VALUES (x'{METER.hex()}', 7, 0, 10, 20);
        INSERT INTO totals VALUES (x'{METER.hex()}', 1, 7, 20);
        INSERT INTO classes VALUES (x'{METER.hex()}', 0, 1);
        INSERT INTO pool VALUES (9, 1, x'{METER.hex()}', 8, x'ee', 30, 40, x'ff');
    """,
    schema.OPERATION.application_id: f"""
        INSERT INTO ledger VALUES (1, x'{LEDGER_ID.hex()}');
        INSERT INTO counters VALUES ('refused', 4);
        INSERT INTO quarantine VALUES (2, 1000, 3, 'a/topic', x'0102');
        INSERT INTO seen (meter, at_ms, clock, boot, connections, flaps, repeats, birth%s)
            VALUES (x'{METER.hex()}', 5, 'S', 2, 3, 1, 0, x'0b'%s);
    """,
}


def make_older(path: Path, kind: Schema, version: int) -> Path:
    """A database with data in it, as a program of that version left it."""
    rows = ROWS[kind.application_id]
    if kind is schema.OPERATION:
        rows %= (", health_ms, before_ms", ", 0, 0") if version >= 3 else ("", "")
    older_databases.make(path, kind, version, rows)
    return path


def tables(connection: sqlite3.Connection) -> dict[str, str]:
    """The text of every table and index, without comments and line ends."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(re.sub(r"--.*", "", sql).split()) for name, sql in found}


def tables_today(path: Path, kind: Schema) -> dict[str, str]:
    make = {schema.LEDGER: database.create_ledger, schema.OPERATION: database.create_operation}
    make[kind](path, LEDGER_ID)
    with closing(database.open_reader(path, kind, LEDGER_ID)) as reader:
        return tables(reader)


def content(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    return {
        name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }


@pytest.mark.parametrize(("kind", "version"), OLDER)
def test_every_older_version_gets_exactly_the_tables_of_a_new_database(
    tmp_path: Path, kind: Schema, version: int
) -> None:
    path = make_older(tmp_path / "older.db", kind, version)
    with closing(database.open_writer(path, kind, LEDGER_ID)) as writer:
        assert tables(writer) == tables_today(tmp_path / "new.db", kind)
        assert writer.execute("PRAGMA user_version").fetchone() == (kind.version,)
        assert writer.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.what)
def test_steps_follow_one_another_up_to_this_version_and_all_they_start_from_is_frozen(
    kind: Schema,
) -> None:
    frozen = sorted(older_databases.TABLES[kind.application_id])
    assert frozen == list(range(frozen[0], kind.version + 1))
    steps = migration.STEPS[kind.application_id]
    assert [step.version for step in steps] == frozen[1:]


@pytest.mark.parametrize(("kind", "version"), OLDER)
def test_no_row_is_lost(tmp_path: Path, kind: Schema, version: int) -> None:
    path = make_older(tmp_path / "older.db", kind, version)
    with closing(sqlite3.connect(path)) as older:
        before = content(older)
    with closing(database.open_writer(path, kind, LEDGER_ID)) as writer:
        after = content(writer)
    for name, rows in before.items():
        assert [row[: len(old)] for row, old in zip(after[name], rows, strict=True)] == rows, name


@pytest.mark.parametrize("version", older_databases.TABLES[schema.OPERATION.application_id])
def test_what_was_remembered_is_read_as_before(tmp_path: Path, version: int) -> None:
    path = make_older(tmp_path / "operation.db", schema.OPERATION, version)
    with closing(database.open_writer(path, schema.OPERATION, LEDGER_ID)) as writer:
        assert operation_rows.load_counters(writer) == {"refused": 4}
        assert operation_rows.quarantine_fill(writer) == (1, len("a/topic") + 2)
        assert operation_rows.load_seen(writer) == {
            METER: Seen(METER, at_ms=5, clock="S", boot=2, connections=3, flaps=1, birth=b"\x0b")
        }
        operation_rows.save_seen(writer, [Seen(METER, health_ms=1, health=b"h")])
        operation_rows.add_quarantine(writer, [Quarantined(1, 2, "t", b"b")], 10, 1000)


class Interrupted(sqlite3.Connection):
    """A connection on which the `left`-th statement from now is not executed any more."""

    left: int | None = None
    strike: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
        if Interrupted.left is not None:
            if Interrupted.left == 0:
                Interrupted.strike()
            Interrupted.left -= 1
        return super().execute(sql, *arguments)  # type: ignore[arg-type]


def strike_after(path: Path, statements: int) -> None:
    """In a process of its own: open the database, and die by SIGKILL at that statement."""
    child = os.fork()
    if child == 0:
        Interrupted.left = statements
        Interrupted.strike = staticmethod(lambda: os.kill(os.getpid(), signal.SIGKILL))
        database.open_writer(path, schema.OPERATION, LEDGER_ID, Interrupted).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or statements > 10


def test_a_power_cut_at_any_statement_leaves_the_old_tables_or_the_new(tmp_path: Path) -> None:
    made = make_older(tmp_path / "made.db", schema.OPERATION, 1)
    today = tables_today(tmp_path / "today.db", schema.OPERATION)
    found = set()
    for statements in range(22):
        path = tmp_path / f"{statements}.db"
        shutil.copy(made, path)
        strike_after(path, statements)
        with closing(sqlite3.connect(path)) as left:
            (version,) = left.execute("PRAGMA user_version").fetchone()
            whole = tables(left)
        found.add(version)
        assert (version == 1) == ("seen_before" not in whole and "cards" not in whole), statements
        if version != 1:
            assert whole == today
        with closing(database.open_writer(path, schema.OPERATION, LEDGER_ID)) as writer:
            assert tables(writer) == today
            assert operation_rows.load_counters(writer) == {"refused": 4}
    assert found == {1, schema.OPERATION.version}


def test_two_that_come_at_once_take_each_step_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_older(tmp_path / "o.db", schema.OPERATION, 1)
    check_room = migration._check_room

    def overtaken(where: Path, found: migration.Plan) -> None:
        monkeypatch.setattr(migration, "_check_room", check_room)
        database.open_writer(path, schema.OPERATION, LEDGER_ID).close()

    monkeypatch.setattr(migration, "_check_room", overtaken)
    database.open_writer(path, schema.OPERATION, LEDGER_ID).close()
    database.open_reader(path, schema.OPERATION, LEDGER_ID).close()


def test_without_room_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_older(tmp_path / "o.db", schema.OPERATION, 2)
    before = path.read_bytes()
    usage = shutil.disk_usage(tmp_path)._replace(free=migration.ROOM_LEFT_BYTES - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StoreError, match="takes 32 MiB on its disk, 31 MiB are free"):
        database.open_writer(path, schema.OPERATION, LEDGER_ID)
    assert path.read_bytes() == before
    database.create_operation(tmp_path / "new.db", LEDGER_ID)
    database.open_writer(tmp_path / "new.db", schema.OPERATION, LEDGER_ID).close()


def test_a_reader_of_an_older_version_says_what_to_do(tmp_path: Path) -> None:
    path = make_older(tmp_path / "o.db", schema.OPERATION, 2)
    with pytest.raises(SchemaVersionError, match=r"version 2, .*older.*`wattle-gateway upgrade`"):
        database.open_reader(path, schema.OPERATION, LEDGER_ID)


@pytest.mark.parametrize("opening", [database.open_reader, database.open_writer])
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.what)
def test_a_newer_version_is_refused(
    tmp_path: Path, kind: Schema, opening: Callable[[Path, Schema, bytes], sqlite3.Connection]
) -> None:
    path = make_older(tmp_path / "n.db", kind, kind.version)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute(f"PRAGMA user_version = {kind.version + 1}")
    with pytest.raises(SchemaVersionError, match="made by a newer wattle-gateway; install"):
        opening(path, kind, LEDGER_ID)


def test_a_version_before_the_first_release_is_refused(tmp_path: Path) -> None:
    path = make_older(tmp_path / "l.db", schema.LEDGER, 2)
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA user_version = 1")
    with pytest.raises(SchemaVersionError, match="too old for this"):
        database.open_writer(path, schema.LEDGER, LEDGER_ID)


@pytest.fixture
def home(tmp_path: Path) -> GatewayHome:
    """The folder of a gateway whose operation.db a program of version 2 has made."""
    made = create.create(
        tmp_path / "gw",
        NewGateway(
            name="ann",
            site="home",
            role=GRID_COMPANY,
            hosts=["127.0.0.1"],
            listen="127.0.0.1",
            port=8883,
        ),
        1_700_000_000_000,
    )
    ledger_id = load_genesis(made).ledger_id
    made.operation.unlink()
    rows = f"INSERT INTO ledger VALUES (1, x'{ledger_id.hex()}');"
    older_databases.make(made.operation, schema.OPERATION, 2, rows)
    return made


def test_upgrade_says_what_it_would_do_and_does_it(
    home: GatewayHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upgrade", "--dry-run", str(home.folder)]) == 0
    said = capsys.readouterr().out
    assert f"would go from schema version 2 to {schema.OPERATION.version}" in said
    assert "3: health records of meters" in said
    assert main(["upgrade", str(home.folder)]) == 0
    assert "went from schema version 2" in capsys.readouterr().out
    assert main(["upgrade", str(home.folder)]) == 0
    assert capsys.readouterr().out.count("which is this program's") == 2


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as writer:
        writer.execute(f"PRAGMA user_version = {version}")


def test_upgrade_of_one_that_is_newer_changes_nothing(
    home: GatewayHome, capsys: pytest.CaptureFixture[str]
) -> None:
    set_version(home.database, 99)
    assert main(["upgrade", str(home.folder)]) == 9
    assert "schema version 99" in capsys.readouterr().err
    with closing(sqlite3.connect(home.operation)) as reader:
        assert reader.execute("PRAGMA user_version").fetchone() == (2,)


def test_repair_does_not_mend_what_only_a_newer_program_understands(
    home: GatewayHome, capsys: pytest.CaptureFixture[str]
) -> None:
    set_version(home.database, 99)
    before = home.database.read_bytes()
    assert main(["repair", str(home.folder)]) == 9
    assert "made by a newer" in capsys.readouterr().err
    assert home.database.read_bytes() == before


def test_the_doctor_says_what_to_do(home: GatewayHome) -> None:
    ledger_id = load_genesis(home).ledger_id
    found = {one.check: one for one in doctor_folder.databases(home, ledger_id)}
    assert found["ledger.db"].level == OK
    assert found["operation.db"].level == PROBLEM
    assert "upgrade" in found["operation.db"].found
