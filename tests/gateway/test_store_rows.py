"""Rows that are more than columns: ids of blocks, tiles and proofs, the own mark; and what a day
of them costs."""

import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import merkle, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.store import block_ids, own_rows, schema, tree_rows
from wattle_gateway.store import connection as database
from wattle_gateway.store.schema import TILE_LEAVES
from wattle_testkit.alliance import Board, Party, epoch_of, reading, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.driven_ledger import DrivenLedger

DAY_MS = 86_400_000


@given(st.lists(st.integers(0, 1 << 50)))
def test_block_ids_come_back(ids: list[int]) -> None:
    assert block_ids.decode(block_ids.encode(ids)) == tuple(ids)


def test_neighbours_cost_a_byte_each() -> None:
    assert len(block_ids.encode(range(1_000_000, 1_000_060))) == 62


def test_ids_that_are_cut_short_are_refused() -> None:
    with pytest.raises(StoreError, match="end within an id"):
        block_ids.decode(block_ids.encode([5000])[:-1])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty ledger's writer."""
    database.create_ledger(tmp_path / "ledger.db", bytes(16))
    connection = database.open_writer(tmp_path / "ledger.db", schema.LEDGER, bytes(16))
    yield connection
    connection.close()


class TestOwnMark:
    def test_a_round_is_signed_once(self, ledger: sqlite3.Connection) -> None:
        own_rows.sign(ledger, 0, 7)
        for epoch, round_number in ((0, 7), (0, 6)):
            with pytest.raises(StoreError, match="second own block"):
                own_rows.sign(ledger, epoch, round_number)
        own_rows.sign(ledger, 1, 1)
        with pytest.raises(StoreError, match="second own block"):
            own_rows.sign(ledger, 0, 8)
        assert own_rows.load(ledger).highest_in(1) == 1
        assert own_rows.load(ledger).highest_in(0) == 0

    def test_it_never_falls(self, ledger: sqlite3.Connection) -> None:
        own_rows.raise_to(ledger, 2, 9)
        own_rows.raise_to(ledger, 2, 3)
        own_rows.raise_to(ledger, 1, 30)
        assert (own_rows.load(ledger).epoch, own_rows.load(ledger).round) == (2, 9)

    def test_a_lost_ledger_remembers_that_it_is_one(self, tmp_path: Path) -> None:
        path = tmp_path / "lost.db"
        database.create_ledger(path, bytes(16), lost=True)
        connection = database.open_writer(path, schema.LEDGER, bytes(16))
        assert own_rows.load(connection).lost
        own_rows.save_silence(connection, 4)
        assert own_rows.load(connection).silent_epoch == 4
        connection.close()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenLedger]:
    """A ledger with a few tiles."""
    made = DrivenLedger(tmp_path_factory.mktemp("tree") / "ledger.db")
    board = Board("leaves", made.epoch)
    made.enrol(board)
    seq = 0
    while made.driver.ledger.edge.size < 3 * TILE_LEAVES + 40:
        made.add_samples(*(board.sample(seq + more) for more in range(1, 41)))
        seq += 40
        made.settle()
    yield made
    made.driver.close()


@pytest.fixture(scope="module")
def hashes(grown: DrivenLedger) -> list[bytes]:
    """The hash of every leaf."""
    size = grown.driver.ledger.edge.size
    connection = grown.driver.connection
    return tree_rows.leaf_hashes(connection, 0, size)


class TestTree:
    def test_the_leaves_have_the_root_of_the_edge(
        self, grown: DrivenLedger, hashes: list[bytes]
    ) -> None:
        assert merkle.root(hashes) == grown.driver.ledger.edge.root()

    @pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 700, 768, 800])
    def test_roots_and_proofs_of_any_size(
        self, grown: DrivenLedger, hashes: list[bytes], size: int
    ) -> None:
        connection = grown.driver.connection
        new = len(hashes)
        old_root = merkle.edge_of(islice(hashes, size)).root()
        assert tree_rows.head_root(connection, size) == old_root
        proof = tree_rows.consistency_proof(connection, size, new)
        assert proof == merkle.consistency_proof(hashes, size, new)
        merkle.verify_consistency(size, new, proof, old_root, merkle.root(hashes))

    @pytest.mark.parametrize(
        ("table", "row", "first", "end"),
        [("tiles", "tile = 1", 0, 512), ("leaves", "leaf = 300", 256, 320)],
    )
    def test_a_missing_leaf_or_tile_is_named(
        self, grown: DrivenLedger, table: str, row: str, first: int, end: int
    ) -> None:
        connection = grown.driver.connection
        connection.execute("SAVEPOINT whole")
        connection.execute(f"DELETE FROM {table} WHERE {row}")
        with pytest.raises(StoreError, match="is not stored"):
            tree_rows.root(connection, first, end)
        connection.execute("ROLLBACK TO whole")
        connection.execute("RELEASE whole")


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of all pages in use; the tests' SQLite has dbstat."""
    (used,) = connection.execute("SELECT sum(pgsize) FROM dbstat").fetchone()
    return int(used)


class TestBytesADay:
    """Issue: one meter at 1 Hz below 80 MB a day beside its samples, an idle alliance below 20,
    both at n = 4. Round numbers grow by 4 bytes in a day's use: 5 for each header."""

    LATER_HEADER_BYTES = 5 * 4

    @pytest.fixture
    def four(self, tmp_path: Path) -> Iterator[DrivenAlliance]:
        parties = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
        epoch = epoch_of(*parties, constants=Constants(enrol_approvals=1))
        made = DrivenAlliance(tmp_path, *parties, epoch=epoch)
        made.run(1000)
        yield made
        made.close()

    def blocks(self, alliance: DrivenAlliance) -> int:
        """Blocks that a gateway has stored."""
        (count,) = alliance["ann"].connection.execute("SELECT count(*) FROM blocks").fetchone()
        return int(count)

    def grown(self, alliance: DrivenAlliance, before: tuple[int, int], for_ms: int) -> int:
        """Bytes a day by what was added since (bytes, blocks) `before`."""
        added = used_bytes(alliance["ann"].connection) - before[0]
        added += (self.blocks(alliance) - before[1]) * self.LATER_HEADER_BYTES
        return added * DAY_MS // for_ms

    def test_idle(self, four: DrivenAlliance) -> None:
        before = used_bytes(four["ann"].connection), self.blocks(four)
        four.run(2 * 3_600_000)
        assert self.grown(four, before, 2 * 3_600_000) < 5_000_000

    def test_one_meter(self, four: DrivenAlliance) -> None:
        board = Board("meter", four.epoch)
        kid = four.epoch.members[0].kid
        (home,) = [name for name, member in four.members.items() if member.kid == kid]
        four.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
        four.run(5000)
        before, sample_bytes, seconds = (
            (used_bytes(four["ann"].connection), self.blocks(four)),
            0,
            240,
        )
        for seq in range(1, seconds + 1):
            body = sample_entry(board.sample(seq, [reading(four.unix_ms, ei=seq)]))
            sample_bytes += len(body)
            four.add(home, body)
            four.run(1000)
        own = sample_bytes * DAY_MS // (seconds * 1000)
        assert self.grown(four, before, seconds * 1000) - own < 80_000_000
