"""The engine of a committee of one: what it makes, when, and what it will never do."""

from dataclasses import replace

import pytest
from wattle_gateway.consensus import engine
from wattle_gateway.consensus.engine import Engine, Now
from wattle_gateway.consensus.errors import (
    ConsensusError,
    EntryTooLargeError,
)
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.commit import first_head
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.alliance import CREATED_MS, GRID, epoch_of
from wattle_testkit.lone_gateway import Disk, LoneGateway, PowerCutError

EPOCH = epoch_of()
ENTRY = b"an entry that execution will find void"


def test_an_idle_gateway_makes_one_round_a_minute() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.wait(10 * engine.IDLE_ROUND_MS)
    times = [block.time_ms - CREATED_MS for block in gateway.sent]
    assert times == [engine.IDLE_ROUND_MS * number for number in range(1, 11)]
    assert [commit.index for commit in gateway.disk.commits] == list(range(1, 9))


def test_a_payload_is_committed_at_once_by_the_rounds_it_needs() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    assert [block.round for block in gateway.sent] == [1, 2, 3]
    assert [block.carries for block in gateway.sent] == [True, False, False]
    assert [outcome.round for outcome in gateway.outcomes()] == [1]
    assert gateway.next_tick_ms == engine.IDLE_ROUND_MS


def test_every_block_is_valid_and_votes_for_the_newest_commit() -> None:
    gateway = LoneGateway(EPOCH)
    for _ in range(3):
        gateway.propose(ENTRY)
        gateway.wait(engine.SAMPLE_ROUND_MS)
    digests = {0: EPOCH.digest} | {
        executed.head.index: executed.head.digest for executed in gateway.disk.executed
    }
    for block in gateway.sent:
        parsed = block_format.parse(block.raw, EPOCH.ledger_id)
        entries = gateway.disk.blocks[block.ref].entries
        block_format.check(parsed, entries, EPOCH, crypto.verify)
        assert parsed.commit_vote.digest == digests[parsed.commit_vote.index]
        assert parsed.commit_vote.index == max(0, parsed.round - 3)


def test_samples_wait_for_their_pace() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    gateway.wait(100)
    gateway.propose(b"second")
    gateway.propose(b"third")
    assert len(gateway.outcomes()) == 1
    assert gateway.next_tick_ms == engine.SAMPLE_ROUND_MS
    gateway.wait(engine.SAMPLE_ROUND_MS - 101)
    assert len(gateway.outcomes()) == 1
    gateway.wait(1)
    assert [outcome.round for outcome in gateway.outcomes()] == [1, 4, 4]


def test_transactions_wait_less_and_take_the_samples_along() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    gateway.wait(10)
    gateway.propose(b"sample")
    gateway.propose(b"transaction", urgent=True)
    gateway.wait(engine.URGENT_ROUND_MS - 11)
    assert len(gateway.outcomes()) == 1
    gateway.wait(1)
    first_of_4 = next(block for ref, block in gateway.disk.blocks.items() if ref.round == 4)
    assert first_of_4.entries == (b"transaction", b"sample")


def test_a_full_block_does_not_wait() -> None:
    epoch = epoch_of(constants=Constants(block_entries_max=2))
    gateway = LoneGateway(epoch)
    gateway.propose(ENTRY)
    gateway.propose(b"1", b"2", b"3")
    counts = [len(gateway.disk.blocks[block.ref].entries) for block in gateway.sent]
    assert sum(counts) == 3
    gateway.wait(engine.SAMPLE_ROUND_MS)
    assert len(gateway.outcomes()) == 4


def test_a_wall_clock_set_back_neither_stalls_nor_turns_time_round() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    gateway.now = Now(CREATED_MS - 3_600_000, gateway.now.steady_ms)
    gateway.wait(engine.SAMPLE_ROUND_MS)
    gateway.propose(b"later")
    assert len(gateway.outcomes()) == 2
    times = [block.time_ms for block in gateway.sent]
    assert times == sorted(times)
    assert min(times) >= CREATED_MS


def test_commit_time_is_the_leaders() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.wait(500)
    gateway.propose(ENTRY)
    assert gateway.disk.commits[0].time_ms == CREATED_MS + 500


def test_no_block_while_a_commit_is_being_executed() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.engine.propose([ENTRY], gateway.now)
    later = Now(CREATED_MS + 10**6, 10**6)
    output = gateway.engine.tick(later)
    assert (output.to_persist, output.commits) == ((), ())
    assert output.next_tick_ms > later.steady_ms


def test_an_entry_that_no_block_can_carry_is_refused() -> None:
    gateway = LoneGateway(EPOCH)
    with pytest.raises(EntryTooLargeError, match="60001"):
        gateway.propose(bytes(60_001))
    gateway.propose(ENTRY)
    assert len(gateway.outcomes()) == 1


def test_room_is_given_back_when_a_block_is_made() -> None:
    gateway = LoneGateway(EPOCH)
    full = gateway.engine.room
    gateway.propose(ENTRY)
    gateway.propose(b"waits")
    assert gateway.engine.room == (full[0] - 1, full[1] - 5)
    gateway.wait(engine.SAMPLE_ROUND_MS)
    assert gateway.engine.room == full


def test_a_restart_goes_on_above_the_last_own_block() -> None:
    before = LoneGateway(EPOCH)
    before.propose(ENTRY)
    after = LoneGateway(EPOCH, before.disk)
    after.now = before.now
    after.propose(b"more")
    rounds = [block.round for block in before.sent + after.sent]
    assert rounds == [1, 2, 3, 4, 5, 6]
    assert [commit.index for commit in after.disk.commits] == [1, 2, 3, 4]


def test_a_restart_before_execution_decides_the_same_commit_again() -> None:
    disk = Disk(first_head(EPOCH), writes_left=3)
    gateway = LoneGateway(EPOCH, disk)
    output = gateway.engine.propose([ENTRY], gateway.now)
    for block in output.to_persist:
        disk.write_block(block)
    again = Engine(EPOCH, 0, GRID.sign, disk.recovered(EPOCH)).tick(gateway.now)
    assert again.commits == output.commits
    assert again.to_persist == ()


def test_a_payload_cut_off_from_its_rounds_gets_them_at_the_start() -> None:
    disk = Disk(first_head(EPOCH), writes_left=1)
    with pytest.raises(PowerCutError):
        LoneGateway(EPOCH, disk).propose(ENTRY)
    assert len(disk.blocks) == 1
    disk.writes_left = None
    after = LoneGateway(EPOCH, disk)
    after.tick()
    assert [block.round for block in after.sent] == [2, 3]
    assert [outcome.round for outcome in after.outcomes()] == [1]


def test_recovered_blocks_with_a_hole_are_refused() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    recovered = gateway.disk.recovered(EPOCH)
    holed = tuple(made for made in recovered.uncommitted if made.block.round != 2)
    with pytest.raises(ConsensusError, match=r"round 3.*not among the recovered"):
        Engine(EPOCH, 0, GRID.sign, replace(recovered, uncommitted=holed))


def test_a_lost_leader_is_refused() -> None:
    gateway = LoneGateway(EPOCH)
    gateway.propose(ENTRY)
    recovered = replace(gateway.disk.recovered(EPOCH), committed=(), uncommitted=())
    with pytest.raises(ConsensusError, match="leader of commit 1"):
        Engine(EPOCH, 0, GRID.sign, recovered)


def test_what_the_engine_keeps_is_bounded_by_the_garbage_line() -> None:
    epoch = epoch_of(constants=Constants(gc_depth=4))
    gateway = LoneGateway(epoch)
    for _ in range(50):
        gateway.propose(ENTRY)
        gateway.wait(engine.SAMPLE_ROUND_MS)
    assert len(gateway.engine._dag) == 4 + 2  # and the two rounds above the last leader
    fresh = LoneGateway(epoch, gateway.disk)
    fresh.now = gateway.now
    fresh.propose(ENTRY)
    assert len(fresh.outcomes()) == 51
