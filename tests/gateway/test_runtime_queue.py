"""Entries between ingest and commit: an entry that comes two ways waits once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.contracts.execute import HELD, Outcome
from wattle_gateway.ledger.block import round_zero
from wattle_gateway.ledger.evidence import two_blocks, two_samples
from wattle_gateway.runtime.queue import EntryQueue, entry_row
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_gateway.store.pool_rows import PoolEntry
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    enrol_entry,
    epoch_of,
    evidence_entry,
    reading,
    sample_entry,
    two_blocks_of,
)

EPOCH = epoch_of()
BOARD = Board("board", EPOCH)
ENTRIES = {
    "transaction": enrol_entry(BOARD),
    "two samples": evidence_entry(
        two_samples(BOARD.sample(1), BOARD.sample(1, [reading(CREATED_MS + 1)]))
    ),
    "two blocks": evidence_entry(two_blocks(*two_blocks_of(EPOCH, GRID))),
}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[EntryQueue]:
    path = tmp_path / "ledger.db"
    database.create_ledger(path, EPOCH.ledger_id)
    connection = database.open_writer(path, schema.LEDGER, EPOCH.ledger_id)
    yield EntryQueue(connection, EPOCH.ledger_id)
    connection.close()


def offered(queue: EntryQueue) -> list[bytes]:
    urgent, others = queue.next_for(100, 1_000_000)
    return [*urgent, *others]


@pytest.mark.parametrize("body", ENTRIES.values(), ids=ENTRIES)
def test_what_waits_and_is_carried_by_an_older_block_waits_once(
    queue: EntryQueue, body: bytes
) -> None:
    queue.insert(entry_row(body, EPOCH.ledger_id))
    queue.carried([body])  # a block of ours that a peer has given back to us
    queue.give_back([body])  # and that no commit will take
    assert queue.size == 1
    assert offered(queue) == [body]
    queue.took([body])
    assert queue.size == 0


@pytest.mark.parametrize("body", ENTRIES.values(), ids=ENTRIES)
def test_what_is_carried_and_found_again_waits_once(queue: EntryQueue, body: bytes) -> None:
    queue.carried([body])
    queue.insert(entry_row(body, EPOCH.ledger_id))
    queue.give_back([body])
    assert queue.size == 1
    assert offered(queue) == [body]


@pytest.mark.parametrize("body", ENTRIES.values(), ids=ENTRIES)
def test_what_no_commit_takes_waits_again(queue: EntryQueue, body: bytes) -> None:
    queue.carried([body])
    assert offered(queue) == []
    queue.give_back([body])
    assert offered(queue) == [body]


def test_a_sample_that_waits_is_still_known_when_a_copy_of_it_is_held_back(
    queue: EntryQueue,
) -> None:
    """Else the meter's next try would be put into the pool beside it (simulated seed 11909)."""
    row = entry_row(sample_entry(BOARD.sample(7)), EPOCH.ledger_id)
    queue.insert(row)
    queue.carried([row.body])  # a block of ours from before a crash
    queue.settle(row.body, held(row))
    assert queue.held(BOARD.kid) == [(7, 7)]
    assert (queue.size, offered(queue)) == (1, [row.body])
    queue.took([row.body])
    queue.settle(row.body, held(row))
    assert queue.held(BOARD.kid) == [(7, 7)]
    assert (queue.size, offered(queue)) == (1, [])  # until its meter's chain has moved


def held(row: PoolEntry) -> Outcome:
    """Execution cannot take this entry yet."""
    ref = round_zero(EPOCH, 0)
    return Outcome(ref, 0, row.kind, HELD, 0, None, row.meter, row.seq, row.digest)
