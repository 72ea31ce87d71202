"""The driver on a real database: durable steps, recovery, what is offered when."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS, Engine
from wattle_gateway.contracts import registry
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import crypto, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime import recovery
from wattle_gateway.store import connection as database
from wattle_gateway.store import ledger_rows, pool_rows, schema
from wattle_testkit.alliance import CREATED_MS, GRID, Board, epoch_of, reading, sample_entry
from wattle_testkit.driven_ledger import DrivenLedger

OpenLedger = Callable[[Epoch | None], DrivenLedger]


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[OpenLedger]:
    with ExitStack() as opened:

        def make(epoch: Epoch | None) -> DrivenLedger:
            made = DrivenLedger(tmp_path / "ledger.db", epoch)
            opened.callback(lambda: made.driver.close())
            return made

        yield make


@pytest.fixture
def ledger(open_ledger: OpenLedger) -> DrivenLedger:
    return open_ledger(None)


def enrolled(ledger: DrivenLedger, name: str = "meter") -> Board:
    board = Board(name, ledger.epoch)
    ledger.enrol(board)
    return board


def committed_seqs(ledger: DrivenLedger, board: Board) -> list[int]:
    """Seqs of a meter in the ledger, in the order of their leaves."""
    rows = ledger.driver.connection.execute(
        "SELECT seq FROM samples WHERE meter = ? ORDER BY leaf", (board.kid,)
    )
    return [row[0] for row in rows]


def test_an_added_sample_is_durable_before_it_is_final(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    view = ledger.add_samples(board.sample(1)).acks[board.kid]
    assert (view.final, view.durable) == (0, 1)
    view = ledger.settle().acks[board.kid]
    assert (view.final, view.durable) == (1, 1)


def test_a_crash_between_durable_and_final_loses_nothing(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1), board.sample(2))
    ledger.reopen()
    view = ledger.driver.stands(board.kid)
    assert view is not None
    assert (view.final, view.durable) == (0, 2)
    ledger.settle()
    assert committed_seqs(ledger, board) == [1, 2]


def test_a_crash_between_block_and_commit_loses_nothing(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1), board.sample(2))
    engine, real = ledger.driver.engine, ledger.driver.engine.tick

    def first_block_only(now):  # type: ignore[no-untyped-def]
        output = real(now)
        first = output.to_persist[:1]
        return replace(output, to_persist=first, to_send=first, commits=())

    engine.tick = first_block_only  # type: ignore[method-assign]
    ledger.settle()
    ledger.reopen()
    assert pool_rows.size(ledger.driver.connection) == 0
    assert ledger.driver.queue.held(board.kid) == [(1, 1), (2, 2)]
    ledger.settle()
    ledger.settle()
    assert committed_seqs(ledger, board) == [1, 2]


def test_the_same_round_is_never_stored_twice(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1))
    stale = recovery.load(ledger.driver.connection, ledger.driver.ledger, 0, crypto.verify)
    ledger.settle()
    # An engine that forgot its newest blocks.
    ledger.driver.engine = Engine(ledger.epoch, 0, GRID.sign, stale.recovered)
    with pytest.raises(StoreError, match="second own block of round"):
        ledger.add_samples(board.sample(2))
    ledger.reopen()
    ledger.add_samples(board.sample(2))
    ledger.settle()
    assert committed_seqs(ledger, board) == [1, 2]


def test_lowest_seq_first_whatever_the_order_of_arrival(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1))  # the pace begins
    ledger.add_samples(*(board.sample(seq) for seq in (5, 3, 4, 2)))
    ledger.settle()
    assert committed_seqs(ledger, board) == [1, 2, 3, 4, 5]


def test_a_backlog_does_not_make_another_meter_wait(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(epoch_of(constants=Constants(block_entries_max=4)))
    busy, other = enrolled(ledger, "busy"), enrolled(ledger, "other")
    ledger.driver.add([], ledger.now)
    first = [sample_entry(busy.sample(seq)) for seq in range(1, 4)]
    late = [sample_entry(busy.sample(seq)) for seq in range(4, 20)]
    ledger.add(*first, sample_entry(other.sample(1)), *late)
    ledger.settle()
    leaves = ledger.driver.connection.execute("SELECT meter FROM samples ORDER BY leaf")
    assert other.kid in [row[0] for row in leaves][:4]


def test_a_held_sample_comes_when_its_meter_has_moved(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(epoch_of(constants=Constants(runs_max=2)))
    board = enrolled(ledger)
    ledger.add_samples(*(board.sample(seq) for seq in (2, 4, 6)))
    ledger.settle()
    assert committed_seqs(ledger, board) == [2, 4]
    blocks = _blocks_with_entries(ledger)
    ledger.settle()
    ledger.settle()
    assert _blocks_with_entries(ledger) == blocks, "it was offered again although nothing moved"
    ledger.add_samples(board.sample(1), board.sample(3))
    for _ in range(3):
        ledger.settle()
    assert committed_seqs(ledger, board) == [2, 4, 1, 3, 6]
    assert pool_rows.size(ledger.driver.connection) == 0


def _blocks_with_entries(ledger: DrivenLedger) -> int:
    query = "SELECT count(DISTINCT id / 4096) FROM entries"
    (count,) = ledger.driver.connection.execute(query).fetchone()
    return int(count)


def test_a_transaction_goes_at_once_and_before_samples(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1))
    ledger.add_samples(board.sample(2))
    other = Board("other", ledger.epoch)
    progress = ledger.enrol(other)
    assert progress.registry_changed
    assert registry.meter(ledger.driver.state, other.kid) is not None


def test_the_registry_is_read_again_for_enrolments_and_for_no_payment(
    ledger: DrivenLedger,
) -> None:
    enrolled(ledger)
    body = Issue("CNY", 2, ledger.epoch.members[0].kid, 1).row()
    progress = ledger.transact(transaction.ISSUE, body)
    assert progress.transactions
    assert not progress.registry_changed


def test_the_stored_state_is_what_is_in_memory(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    ledger.add_samples(board.sample(1, [reading(CREATED_MS + 5, ei=7)]), board.sample(3))
    ledger.settle()
    before = (ledger.driver.head, dict(ledger.driver.state))
    ledger.reopen()
    assert (ledger.driver.head, ledger.driver.state) == before


def test_idle_rounds_go_on_and_cost_a_block_a_minute(ledger: DrivenLedger) -> None:
    progress = ledger.settle()
    before = ledger.driver.connection.execute("SELECT count(*) FROM blocks").fetchone()[0]
    for _ in range(10):
        ledger.pass_ms(60_000 + SAMPLE_ROUND_MS)
        progress = ledger.driver.tick(ledger.now)
    after = ledger.driver.connection.execute("SELECT count(*) FROM blocks").fetchone()[0]
    assert after - before == 10
    assert progress.next_tick_ms > ledger.steady_ms


def test_a_full_disk_is_an_error_and_then_goes_on(ledger: DrivenLedger) -> None:
    board = enrolled(ledger)
    (pages,) = ledger.driver.connection.execute("PRAGMA page_count").fetchone()
    ledger.driver.connection.execute(f"PRAGMA max_page_count = {pages}")
    sent: list[int] = []

    def send_until_full() -> None:
        for seq in range(1, 1000):
            sent.append(seq)
            ledger.add_samples(board.sample(seq))
            ledger.settle()

    with pytest.raises(StoreError, match="full"):
        send_until_full()
    seq = sent[-1]
    ledger.driver.open()  # a new connection has the default limit: room was made
    view = ledger.driver.stands(board.kid)
    assert view is not None
    assert view.durable in (seq - 1, seq)
    ledger.add_samples(*(board.sample(n) for n in range(view.durable + 1, seq + 5)))
    ledger.settle()
    ledger.settle()
    assert committed_seqs(ledger, board) == list(range(1, seq + 5))


class TestOpening:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="no such database"):
            database.open_reader(tmp_path / "none.db", schema.LEDGER, bytes(16))

    def test_another_ledger(self, tmp_path: Path) -> None:
        database.create_ledger(tmp_path / "l.db", bytes(16))
        with pytest.raises(StoreError, match=r"of ledger 0000.* expected 0101"):
            database.open_writer(tmp_path / "l.db", schema.LEDGER, b"\1" * 16)

    def test_another_kind(self, tmp_path: Path) -> None:
        database.create_operation(tmp_path / "o.db", bytes(16))
        with pytest.raises(StoreError, match="not the database of a ledger"):
            database.open_writer(tmp_path / "o.db", schema.LEDGER, bytes(16))

    def test_another_version(self, tmp_path: Path) -> None:
        database.create_ledger(tmp_path / "l.db", bytes(16))
        writer = database.open_writer(tmp_path / "l.db", schema.LEDGER, bytes(16))
        writer.execute("PRAGMA user_version = 99")
        writer.close()
        with pytest.raises(StoreError, match=r"schema version 99, .*made by a newer"):
            database.open_reader(tmp_path / "l.db", schema.LEDGER, bytes(16))

    def test_no_database_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "l.db").write_bytes(b"something else" * 100)
        with pytest.raises(StoreError, match="not a database"):
            database.open_reader(tmp_path / "l.db", schema.LEDGER, bytes(16))

    def test_what_a_power_cut_left_of_a_new_ledger_is_in_nobodys_way(self, tmp_path: Path) -> None:
        for name in ("l.db.new", "l.db.new-wal", "l.db-wal"):
            (tmp_path / name).write_bytes(b"half of it")
        database.create_ledger(tmp_path / "l.db", bytes(16))
        assert [path.name for path in tmp_path.iterdir()] == ["l.db"]
        database.open_reader(tmp_path / "l.db", schema.LEDGER, bytes(16)).close()

    def test_a_ledger_is_not_made_over_another(self, tmp_path: Path) -> None:
        database.create_ledger(tmp_path / "l.db", bytes(16))
        with pytest.raises(StoreError, match="exists"):
            database.create_ledger(tmp_path / "l.db", bytes(16))

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError):
            database.create_ledger(tmp_path / "none" / "l.db", bytes(16))

    def test_a_reader_cannot_write(self, tmp_path: Path) -> None:
        database.create_ledger(tmp_path / "l.db", bytes(16))
        reader = database.open_reader(tmp_path / "l.db", schema.LEDGER, bytes(16))
        with pytest.raises(StoreError), database.store_errors_named("l.db"):
            reader.execute("DELETE FROM ledger")
        reader.close()

    def test_a_tree_that_does_not_end_with_the_newest_commit(self, ledger: DrivenLedger) -> None:
        enrolled(ledger)
        ledger.settle()
        ledger.driver.connection.execute(
            "DELETE FROM commits WHERE commit_index = (SELECT max(commit_index) FROM commits)"
        )
        with pytest.raises(StoreError, match="audit"):
            ledger.driver.open()
        with closing(ledger.reader()) as file:
            file.execute("DELETE FROM commits")
        with pytest.raises(StoreError, match="audit"):
            ledger.driver.open()

    def test_a_committed_sample_can_be_found(self, ledger: DrivenLedger) -> None:
        board = enrolled(ledger)
        signed = board.sample(1)
        ledger.add_samples(signed)
        ledger.settle()
        found = ledger_rows.find_sample(ledger.driver.connection, board.kid, 1)
        assert found == sample_entry(signed)
        assert ledger_rows.find_sample(ledger.driver.connection, board.kid, 2) is None
