"""Rows of a sealed ledger: nothing of them in the files, everything of them through the store."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.audit import ledger_audit
from wattle_gateway.audit.repair import repair
from wattle_gateway.errors import StorageKeyError, StoreError
from wattle_gateway.home import create, sealing
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.identity import load_genesis, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.genesis import GRID_COMPANY
from wattle_gateway.reports import samples as sample_report
from wattle_gateway.reports.samples import Wanted
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import row_seal, storage_key
from wattle_gateway.store import connection as database
from wattle_gateway.store import (
    ledger_rows,
    operation_rows,
    pool_rows,
    resealing,
    schema,
    sealed_file,
)
from wattle_gateway.store.operation_rows import Quarantined, Seen
from wattle_testkit import sealed_folder, sealing_bench
from wattle_testkit.alliance import GRID, Board, genesis_of, sample_entry
from wattle_testkit.archived_ledger import ArchivedLedger
from wattle_testkit.driven_ledger import DrivenLedger
from wattle_testkit.gateway_process import command

SAMPLES = 40


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[DrivenLedger]:
    """A sealed ledger with one meter and its samples; one more waits."""
    sealed_folder.make(tmp_path / "gw")
    made = DrivenLedger(tmp_path / "gw" / "ledger.db")
    yield made
    made.driver.close()


@pytest.fixture
def board(ledger: DrivenLedger) -> Board:
    made = Board("sealed", ledger.epoch)
    ledger.enrol(made)
    ledger.settle()
    for seq in range(1, SAMPLES + 1):
        ledger.add_samples(made.sample(seq))
    ledger.settle()
    ledger.add_samples(made.sample(SAMPLES + 1))
    return made


def reader_of(ledger: DrivenLedger) -> sqlite3.Connection:
    return database.open_reader(ledger.path, schema.LEDGER, ledger.epoch.ledger_id)


def secrets_of(ledger: DrivenLedger, board: Board) -> list[bytes]:
    """What a thief would look for: the meter, its signed bytes, the state's rows."""
    signed = [board.sample(1), board.sample(SAMPLES), board.sample(SAMPLES + 1)]
    state = ledger_rows.load_state(ledger.driver.connection)
    rows = [part for pair in state.items() for part in pair if len(part) >= 12]
    assert len(rows) > 5
    return [board.kid, board.eui64, *(one.raw for one in signed), *rows]


def test_nothing_of_a_sealed_ledger_stands_in_its_files(ledger: DrivenLedger, board: Board) -> None:
    known = secrets_of(ledger, board)
    names = {path.name for path in ledger.path.parent.iterdir()}
    assert {"ledger.db", "ledger.db-wal"} <= names
    assert sealed_folder.holding(ledger.path.parent, *known) == []
    ledger.driver.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert sealed_folder.holding(ledger.path.parent, *known) == []


def test_all_of_it_is_read_as_if_it_were_plain(ledger: DrivenLedger, board: Board) -> None:
    before = ledger_rows.load_state(ledger.driver.connection)
    ledger.reopen()
    assert ledger_rows.load_state(ledger.driver.connection) == before
    with closing(reader_of(ledger)) as reader:
        report = ledger_audit.audit_ledger(reader, genesis_of(), lambda done, total: None)
        assert report.differences == []
        assert report.counts.waiting == 1
        rows = list(sample_report.committed(reader, ledger.epoch.ledger_id, Wanted(board.kid)))
        assert [signed.sample.seq for _, signed in rows] == list(range(1, SAMPLES + 1))
        assert pool_rows.seqs(reader) == [(board.kid, SAMPLES + 1)]
        assert reader.execute("SELECT meter, samples FROM totals").fetchall() == [
            (board.kid, SAMPLES)
        ]


def test_a_meters_samples_are_found_by_the_index(ledger: DrivenLedger, board: Board) -> None:
    connection = ledger.driver.connection
    found = ledger_rows.find_sample(connection, board.kid, 7)
    assert found == sample_entry(board.sample(7))
    alias = row_seal.of(connection).alias(board.kid)
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT entries.body FROM main.samples AS samples "
        "JOIN leaves USING (leaf) JOIN entries ON entries.id = leaves.entry "
        "WHERE samples.meter = ? AND seq BETWEEN 3 AND 9",
        (alias,),
    ).fetchall()
    steps = " / ".join(row[3] for row in plan)
    assert "SCAN" not in steps
    assert "(meter=? AND seq>? AND seq<?)" in steps


def test_a_write_past_the_seal_is_an_error(ledger: DrivenLedger, board: Board) -> None:
    connection = ledger.driver.connection
    for table in ("entries", "state", "samples", "pool", "totals", "classes", "base_state"):
        with pytest.raises(sqlite3.OperationalError, match="because it is a view"):
            connection.execute(f"DELETE FROM {table}")


def tampered(ledger: DrivenLedger, statement: str) -> None:
    ledger.driver.close()
    with closing(ledger.reader()) as file:
        file.execute(statement)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE entries SET body = zeroblob(60) WHERE id = {}", "sealed under key 0"),
        (
            "UPDATE entries SET body = (SELECT body FROM entries WHERE id = {} + 1) WHERE id = {}",
            "does not open under key 1",
        ),
    ],
)
def test_an_audit_names_the_row_that_does_not_open(
    ledger: DrivenLedger, board: Board, statement: str, named: str
) -> None:
    connection = ledger.driver.connection
    (place,) = connection.execute(
        "SELECT id FROM main.entries WHERE id + 1 IN (SELECT id FROM main.entries)"
    ).fetchone()
    tampered(ledger, statement.format(place, place))
    with closing(reader_of(ledger)) as reader:
        report = ledger_audit.audit_ledger(reader, genesis_of(), lambda done, total: None)
    texts = [str(one) for one in report.differences]
    assert any(f"entries row {place}" in text and named in text for text in texts), texts


def test_a_state_row_in_another_ones_place_is_found(ledger: DrivenLedger, board: Board) -> None:
    tampered(ledger, "UPDATE state SET value = (SELECT value FROM state ORDER BY key LIMIT 1)")
    with (
        pytest.raises(StoreError, match=r"state row .* does not open under key 1"),
        database.store_errors_named("l"),
    ):
        ledger.driver.open()


def without_memory(ledger: DrivenLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process that has opened nothing yet."""
    ledger.driver.close()
    monkeypatch.setattr(rings, "_opened", {})


def test_without_its_key_file_nothing_opens(
    ledger: DrivenLedger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_memory(ledger, monkeypatch)
    key = ledger.path.parent.with_name("gw.key")
    key.unlink()
    with pytest.raises(StorageKeyError, match=r"gw\.key cannot be read: No such file"):
        reader_of(ledger)


def test_another_key_is_named(
    ledger: DrivenLedger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_memory(ledger, monkeypatch)
    ledger.path.parent.with_name("gw.key").write_bytes(bytes(32))
    with pytest.raises(StorageKeyError, match=r"does not open: file:.*gw.key is not the storage"):
        reader_of(ledger)


def test_a_ledger_without_its_keyring_is_not_taken_for_a_plain_one(
    ledger: DrivenLedger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_memory(ledger, monkeypatch)
    (ledger.path.parent / rings.NAME).unlink()
    with pytest.raises(StorageKeyError, match=r"there is no keyring\.json beside it"):
        reader_of(ledger)


def test_the_keyring_of_another_folder_is_named(
    ledger: DrivenLedger, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed_folder.make(tmp_path / "other")
    without_memory(ledger, monkeypatch)
    for name in (rings.NAME, "config.toml"):
        (ledger.path.parent / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(StorageKeyError, match="sealed with keyring"):
        reader_of(ledger)


def test_what_meters_showed_and_refused_messages_are_sealed(tmp_path: Path) -> None:
    sealed_folder.make(tmp_path / "gw")
    path = tmp_path / "gw" / "operation.db"
    database.create_operation(path, bytes(16))
    seen = Seen(b"meterkid", 5, "S", 2, 3, 1, 0, b"a birth record", 6, b"a health record", 0, None)
    refused = Quarantined(1000, 3, "wattle/1/home/6d657465726b6964/sample", b"a refused message")
    with closing(database.open_writer(path, schema.OPERATION, bytes(16))) as writer:
        operation_rows.save_seen(writer, [seen])
        operation_rows.add_quarantine(writer, [refused, refused, refused], 2, 10_000)
        known = [seen.meter, b"a birth record", b"a health record", refused.body]
        assert sealed_folder.holding(path.parent, *known, refused.topic.encode()) == []
    with closing(database.open_reader(path, schema.OPERATION, bytes(16))) as reader:
        assert operation_rows.load_seen(reader) == {seen.meter: seen}
        rows = reader.execute("SELECT at_ms, reason, topic, body FROM quarantine").fetchall()
        assert rows == [(1000, 3, refused.topic, refused.body)] * 2


def numbers_in(ledger: DrivenLedger) -> set[int]:
    """The data keys that rows are sealed under."""
    with closing(ledger.reader()) as file:
        rows = file.execute(
            "SELECT body FROM entries UNION ALL SELECT value FROM state "
            "UNION ALL SELECT body FROM pool"
        ).fetchall()
    return {row_seal.number_of(value) for (value,) in rows}


def test_rows_are_resealed_step_by_step_through_kills(ledger: DrivenLedger, board: Board) -> None:
    ring = rings.beside(ledger.path)
    assert ring is not None
    assert not resealing.step(ledger.driver.connection, schema.LEDGER)
    ring.rotate(5)
    seq = SAMPLES + 2
    steps = 0
    while resealing.step(ledger.driver.connection, schema.LEDGER, rows=7):
        steps += 1
        if steps % 3 == 0:
            ledger.reopen()
            ledger.add_samples(board.sample(seq))
            ledger.settle()
            seq += 1
        if steps == 10:
            ring.rotate(6)  # before the last walk has come to its end
    assert steps > 20
    mark = sealed_file.load(ledger.driver.connection)
    assert mark is not None
    assert (mark.oldest, mark.target) == (3, 0)
    assert numbers_in(ledger) == {3}
    assert ring.forget_before(mark.oldest) == 2
    ledger.reopen()
    with closing(reader_of(ledger)) as reader:
        report = ledger_audit.audit_ledger(reader, genesis_of(), lambda done, total: None)
    assert report.differences == []
    assert report.counts.samples == seq - 1


class PowerCutError(Exception):
    """Here the process ends."""


def founded(folder: Path) -> GatewayHome:
    made = create.create(
        folder,
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
    path, ledger_id = made.operation, load_genesis(made).ledger_id
    with closing(database.open_writer(path, schema.OPERATION, ledger_id)) as writer:
        operation_rows.save_seen(writer, [Seen(b"meterkid", birth=b"a birth record")])
        operation_rows.add_quarantine(
            writer, [Quarantined(1, 2, "topic", b"a refused message")], 9, 9999
        )
    return made


def test_a_power_cut_while_a_folder_is_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every change of a name in the folder: the folder opens, and sealing goes on from there."""
    home = founded(tmp_path / "gw")
    ledger_id = load_genesis(home).ledger_id
    storage_key.make_file(tmp_path / "key")
    source = f"file:{tmp_path / 'key'}"
    done_at: list[int] = []
    for cut in range(0, 120, 7):
        copy = tmp_path / f"gw{cut}"
        shutil.copytree(home.folder, copy)
        left = [cut]
        with monkeypatch.context() as patched:
            for owner, name in ((os, "link"), (Path, "replace"), (Path, "unlink")):
                patched.setattr(owner, name, _cutting(getattr(owner, name), left))
            try:
                sealing.seal_folder(GatewayHome(copy), source)
                done_at.append(cut)
            except PowerCutError:
                pass
        for again in range(2):
            with closing(
                database.open_reader(copy / "operation.db", schema.OPERATION, ledger_id)
            ) as reader:
                assert operation_rows.load_seen(reader)[b"meterkid"].birth == b"a birth record"
            load_identity(GatewayHome(copy))
            if again == 0:
                sealing.seal_folder(GatewayHome(copy), source)
        known = (b"a birth record", b"meterkid", b"a refused message", b"BEGIN PRIVATE KEY")
        assert sealed_folder.holding(copy, *known) == [], cut
        assert not [path for path in copy.rglob("*") if path.suffix in (".plain", ".sealing")]
        if done_at:
            break
    assert done_at
    assert done_at[0] > 15


def _cutting(function: Callable[..., object], left: list[int]) -> Callable[..., object]:
    def cut(*arguments: object, **named: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError
        return function(*arguments, **named)

    return cut


def test_a_sealed_sample_takes_forty_bytes_more_at_most(tmp_path: Path) -> None:
    """30 of its value, 8 of its alias, and what pages are not filled by."""
    board, signed = sealing_bench.samples(400)
    costs = [
        sealing_bench.measure(tmp_path / f"{sealed}", board, signed, sealed=sealed)
        for sealed in (False, True)
    ]
    assert 30 < costs[1].bytes - costs[0].bytes < 40


def test_a_reader_of_a_moment_before_the_rotation_reads_on(
    ledger: DrivenLedger, board: Board
) -> None:
    ring = rings.beside(ledger.path)
    assert ring is not None
    key = storage_key.read(f"file:{ledger.path.parent}.key", ledger.path.parent)
    elsewhere = rings.open_ring(ring.path, key).seal
    old = ledger.driver.connection.execute("SELECT id, body FROM main.entries LIMIT 1").fetchone()
    number = ring.rotate(5)
    while resealing.step(ledger.driver.connection, schema.LEDGER):
        pass
    assert ring.forget_before(number) == 1
    new = ledger.driver.connection.execute("SELECT id, body FROM main.entries LIMIT 1").fetchone()
    name = row_seal.row_name(old[0])
    assert elsewhere.open("entries", name, new[1]) == elsewhere.open("entries", name, old[1])
    assert row_seal.number_of(new[1]) != row_seal.number_of(old[1])


def test_a_sealed_ledger_is_repaired_and_stays_sealed(ledger: DrivenLedger, board: Board) -> None:
    """Of one member blocks cannot be lost: here a row of an index."""
    secret = secrets_of(ledger, board)
    tampered(ledger, "DELETE FROM samples WHERE seq = 3")
    saved, _ = repair(ledger.path, ledger.epoch, GRID.kid)
    assert saved.head.index > 0
    assert sealed_folder.holding(ledger.path.parent, *secret) == []
    ledger.driver.open()
    assert ledger_rows.find_sample(ledger.driver.connection, board.kid, 3) is not None
    with closing(reader_of(ledger)) as reader:
        report = ledger_audit.audit_ledger(reader, genesis_of(), lambda done, total: None)
    assert report.differences == []


def test_a_sealed_ledger_is_archived_and_read_through(tmp_path: Path) -> None:
    sealed_folder.make(tmp_path / "gw")
    lived = ArchivedLedger(tmp_path / "gw")
    lived.live(3, 4)
    assert lived.archive(1)
    (left,) = lived.driver.connection.execute("SELECT count(*) FROM main.samples").fetchone()
    assert 0 < left < 12
    lived.furnish(retention_days=1)
    sealing.set_source(lived.home.config, f"file:{tmp_path / 'gw.key'}")
    lived.driver.close()
    done = command("audit", lived.home.folder)
    assert done.returncode == 0, done.stdout
    assert "12 samples of 1 meters" in done.stdout
