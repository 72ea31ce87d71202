"""Whoever reads of a fault finds the bytes that show it: each digest on record is followed into a
store (D14)."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.fault_record import FaultRecord
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import entry, evidence, leaf, signed_sample, transaction
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.transaction import PUBLISH
from wattle_gateway.reports import fault_grounds
from wattle_gateway.reports.fault_grounds import Ground
from wattle_gateway.store import block_ids, block_rows
from wattle_gateway.store.archived import ArchivedBlock, ArchivedLeaf, attached
from wattle_testkit.account_ledger import GRID, MEMBERS, RETAIL
from wattle_testkit.alliance import Party, epoch_of, evidence_entry, genesis_of, two_blocks_of
from wattle_testkit.commit_chain import CommitChain
from wattle_testkit.event_ledger import EVENT, HOUSE, MINUTE_MS
from wattle_testkit.settled_event import FINAL_MS, SettledEvent, fresh
from wattle_testkit.stored_chain import as_folder, stored
from wattle_wire.sample import Reading

FOUR = tuple(Party(name) for name in ("one", "two", "three", "four"))
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def ledger() -> SettledEvent:
    return fresh()


def records(chain: CommitChain, kid: bytes) -> dict[str, FaultRecord]:
    return dict(standing(chain.state, Market(), kid, chain.head.time_ms).records)


def followed(path: Path, chain: CommitChain, kid: bytes) -> list[Ground]:
    """What shows the faults of a party, from a store of the chain's log."""
    ledger_id = chain.epoch.ledger_id
    with closing(stored(path, chain)) as reader:
        return fault_grounds.grounds(reader, ledger_id, records(chain, kid))


def at(chain: CommitChain, ground: Ground) -> bytes:
    """The entry that stands in the log where a ground says."""
    assert ground.index is not None
    found = leaf.decode(chain.leaves[ground.index])
    assert isinstance(found, EntryLeaf)
    assert found.entry == ground.raw
    return entry.decode(found.entry).body


def test_a_refused_transaction(ledger: SettledEvent, tmp_path: Path) -> None:
    for asset in ("USD", "CNY"):
        body = [*EVENT.row()]
        body[15] = asset
        assert ledger.send(RETAIL, PUBLISH, body) != 0
    ledger.commit_at(FINAL_MS)  # others after it change nothing of it
    (ground,) = followed(tmp_path / "ledger.db", ledger.chain, RETAIL.kid)
    assert (ground.name, ground.record.count) == ("error", 2)
    shown = transaction.parse(at(ledger.chain, ground), ledger.epoch.ledger_id)
    assert shown.digest == ground.record.shown.digest
    assert (shown.kid, shown.body[15]) == (RETAIL.kid, "CNY")  # type: ignore[index]


def test_the_event_of_a_statement(ledger: SettledEvent, tmp_path: Path) -> None:
    event = ledger.call()
    ledger.commit_at(FINAL_MS)
    (ground,) = followed(tmp_path / "ledger.db", ledger.chain, HOUSE.kid)
    assert (ground.name, ground.record.shown.digest) == ("silence", event)
    shown = transaction.parse(at(ledger.chain, ground), ledger.epoch.ledger_id)
    assert (shown.digest, shown.kind) == (event, PUBLISH)
    assert ledger.result(event, HOUSE).commit == ground.record.shown.commit


def test_the_sample_that_nobody_ordered(ledger: SettledEvent, tmp_path: Path) -> None:
    begin_ms = ledger.chain.head.time_ms
    order = sha256(b"nobody's").digest()
    for minute in (0, 1, 62):  # the second word of the same order is no news
        read_ms = begin_ms + minute * MINUTE_MS
        reading = Reading(1, read_ms, "G", {"ei": 10_000, "p": 0})
        command = (order, 7) if minute < HOUR_MS // MINUTE_MS else None
        ledger.sample(HOUSE, [reading], command=command, time_ms=read_ms)
    (ground,) = followed(tmp_path / "ledger.db", ledger.chain, GRID.kid)
    assert ground.name == "uncommanded"
    shown = signed_sample.parse(at(ledger.chain, ground), ledger.epoch.ledger_id)
    assert shown.digest == ground.record.shown.digest
    assert (shown.sample.command, shown.sample.readings[0].time_ms) == ((order, 7), begin_ms)


def test_the_evidence_of_two_blocks(tmp_path: Path) -> None:
    epoch = epoch_of(*FOUR)
    chain = CommitChain(epoch, *FOUR)
    raw = evidence_entry(evidence.two_blocks(*two_blocks_of(epoch, FOUR[1])))
    chain.commit(raw)
    (ground,) = followed(tmp_path / "ledger.db", chain, FOUR[1].kid)
    assert (ground.name, ground.raw) == ("double_signing", raw)
    assert ground.record.shown.digest == sha256(raw).digest()
    at(chain, ground)


def test_the_block_with_what_is_no_entry(tmp_path: Path) -> None:
    """It has no leaf, but a block that a commit took."""
    chain = CommitChain(epoch_of(*FOUR), *FOUR)
    chain.commit()
    _, block = chain.prepare(b"no entry")
    chain.commit(b"no entry")
    author = chain.epoch.members[0].kid
    path = tmp_path / "ledger.db"
    stored(path, chain).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        ids = block_ids.encode([block_rows.insert(connection, block)])
        connection.execute("UPDATE commits SET blocks = ? WHERE commit_index = 2", (ids,))
        found = fault_grounds.grounds(connection, chain.epoch.ledger_id, records(chain, author))
    (ground,) = found
    assert (ground.name, ground.index, ground.raw) == ("error", None, block.block.raw)
    assert ground.record.shown.digest == block.block.digest


def test_the_last_commit_of_a_silent_day(tmp_path: Path) -> None:
    """The chain's blocks are all of author 0 and name nobody: the three others are away."""
    chain = CommitChain(epoch_of(*FOUR), *FOUR)
    day_ms = 24 * HOUR_MS
    begin_ms = (chain.head.time_ms // day_ms + 1) * day_ms
    for minute in range(chain.epoch.constants.leader_commits + 2):
        chain.commit(time_ms=begin_ms + minute * MINUTE_MS)
    last = chain.head
    chain.commit(time_ms=begin_ms + day_ms)
    present, *away = [member.kid for member in chain.epoch.members]
    assert records(chain, present) == {}
    for number, kid in enumerate(away):
        (ground,) = followed(tmp_path / f"{number}.db", chain, kid)
        assert (ground.name, ground.record.count) == ("gateway_silence", 1)
        assert ground.record.shown.digest == last.digest
        assert ground.index is not None
        assert chain.leaves[ground.index] == ground.raw
        assert leaf.commit_digest(ground.raw) == last.digest


def test_what_the_store_does_not_have_is_said(ledger: SettledEvent, tmp_path: Path) -> None:
    ledger.call()
    ledger.commit_at(FINAL_MS)
    empty = CommitChain(ledger.epoch, *MEMBERS)
    with closing(stored(tmp_path / "ledger.db", empty)) as reader:
        ledger_id = ledger.epoch.ledger_id
        found = fault_grounds.grounds(reader, ledger_id, records(ledger.chain, HOUSE.kid))
    assert [(ground.index, ground.raw) for ground in found] == [(None, None)]


class Shelf:
    """An archive with all entries of a chain, and no blocks."""

    def __init__(self, chain: CommitChain) -> None:
        self._chain = chain

    def leaves(self, first: int, end: int) -> dict[int, ArchivedLeaf]:
        """Those of entries."""
        return {
            index: ArchivedLeaf(index, 0, 0, 0, None, raw)
            for index, raw in enumerate(self._chain.leaves[first:end], first)
            if isinstance(leaf.decode(raw), EntryLeaf)
        }

    def reach(self, meter: bytes | None, from_ms: int | None, to_ms: int | None) -> None:
        """Nobody asks."""

    def blocks(self, epoch: int) -> Iterator[ArchivedBlock]:
        """None."""
        return iter(())

    def blocks_of(self, commit: int) -> dict[int, ArchivedBlock]:
        """None."""
        return {}


def test_a_sample_that_has_left_is_found_in_the_archive(
    ledger: SettledEvent, tmp_path: Path
) -> None:
    begin_ms = ledger.chain.head.time_ms
    for minute, command in ((0, (bytes(32), 7)), (62, None)):
        read_ms = begin_ms + minute * MINUTE_MS
        reading = Reading(1, read_ms, "G", {"ei": 10_000, "p": 0})
        ledger.sample(HOUSE, [reading], command=command, time_ms=read_ms)
    path = tmp_path / "ledger.db"
    stored(path, ledger.chain).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM entries WHERE substr(body, 1, 2) = x'8201'")
        asked = (connection, ledger.epoch.ledger_id, records(ledger.chain, GRID.kid))
        assert [ground.raw for ground in fault_grounds.grounds(*asked)] == [None]
        with attached(connection, Shelf(ledger.chain)):
            (ground,) = fault_grounds.grounds(*asked)
    shown = signed_sample.parse(at(ledger.chain, ground), ledger.epoch.ledger_id)
    assert shown.digest == ground.record.shown.digest


def test_a_damaged_entry_is_named(ledger: SettledEvent, tmp_path: Path) -> None:
    assert ledger.send(RETAIL, PUBLISH, []) != 0
    path = tmp_path / "ledger.db"
    stored(path, ledger.chain).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET body = x'820200'")
        shown = records(ledger.chain, RETAIL.kid)
        with pytest.raises(StoreError, match="is damaged"):
            fault_grounds.grounds(connection, ledger.epoch.ledger_id, shown)


def test_the_command_names_digest_and_ledger_index(
    ledger: SettledEvent, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger.send(RETAIL, PUBLISH, []) != 0
    constants = ledger.epoch.constants
    first = genesis_of(*MEMBERS, constants=constants, rules=ledger.epoch.rules)
    as_folder(tmp_path, first, ledger.chain)
    assert main(["dr", "profile", str(tmp_path), "retail", "--format", "json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["shown_by"]
    record = records(ledger.chain, RETAIL.kid)["error"]
    assert shown["digest"] == record.shown.digest.hex()
    assert (shown["fault"], shown["what"], shown["count"]) == ("error", "transaction", 1)
    found = leaf.decode(ledger.chain.leaves[shown["ledger_index"]])
    assert isinstance(found, EntryLeaf)
    assert found.entry.hex() == shown["bytes"]
    assert fault_record.NAMES[record.shown.what] == shown["what"]
    assert main(["dr", "profile", str(tmp_path), "retail"]) == 0
    text = capsys.readouterr().out
    assert f"transaction, commit {record.shown.commit}, ledger index" in text
    assert record.shown.digest.hex() in text
