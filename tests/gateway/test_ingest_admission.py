"""What enters the pool: new samples once, forks as evidence, and never more than there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.contracts import registry
from wattle_gateway.ingest import admission
from wattle_gateway.ingest.admission import FORK, REPEAT, STORED, Admission
from wattle_gateway.ingest.checker import Checked, Refused, check, claimed_kid
from wattle_gateway.ledger.errors import SignatureError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.ingest_memory import IngestMemory
from wattle_gateway.store import pool_rows
from wattle_testkit.alliance import CREATED_MS, Board, epoch_of, reading
from wattle_testkit.driven_ledger import DrivenLedger
from wattle_wire import downlink

MANY = {f"{base}{phase}": 1000 for base in ("i", "p", "q", "u") for phase in "123"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[DrivenLedger]:
    made = DrivenLedger(tmp_path / "ledger.db", epoch_of(constants=Constants(gap_open_ms=60_000)))
    yield made
    made.driver.close()


@pytest.fixture
def board(ledger: DrivenLedger) -> Board:
    made = Board("meter", ledger.epoch, first_seq=10)
    ledger.enrol(made)
    return made


def admit(ledger: DrivenLedger, *samples: SignedSample, room: int = 100) -> list[str | int]:
    """What became of each sample, in the given order: an effect, or the code of a refusal."""
    checked = [Checked(signed) for signed in samples]
    rule = Admission(room)
    admitted, _ = rule.admit(ledger.driver, ledger.now, checked)
    effects = {id(result.checked): result.effect for result in admitted}
    found = [effects[id(each)] for each in checked]
    return [effect.reason if isinstance(effect, Refused) else effect for effect in found]


def test_while_it_is_closed_new_samples_wait_and_known_ones_are_answered(
    ledger: DrivenLedger, board: Board
) -> None:
    assert admit(ledger, board.sample(10)) == [STORED]
    rule = Admission(100)
    rule.closed = "the gateway is short of disk: not now"
    both = [Checked(board.sample(10)), Checked(board.sample(11))]
    admitted, _ = rule.admit(ledger.driver, ledger.now, both)
    known, new = (result.effect for result in admitted)
    assert known == REPEAT
    assert isinstance(new, Refused)
    assert (new.reason, new.detail) == (downlink.BUSY, rule.closed)
    assert pool_rows.size(ledger.driver.connection) == 1
    rule.closed = ""
    admitted, _ = rule.admit(ledger.driver, ledger.now, both[1:])
    assert [result.effect for result in admitted] == [STORED]


def version(board: Board, seq: int, energy_wh: int) -> SignedSample:
    return board.sample(seq, [reading(CREATED_MS + 1, ei=energy_wh)])


def test_new_then_pooled_then_committed(ledger: DrivenLedger, board: Board) -> None:
    signed = board.sample(10)
    assert admit(ledger, signed) == [STORED]
    assert admit(ledger, signed) == [REPEAT]
    ledger.settle()
    assert admit(ledger, signed) == [REPEAT]
    assert pool_rows.size(ledger.driver.connection) == 0


def test_twice_in_one_batch(ledger: DrivenLedger, board: Board) -> None:
    signed = board.sample(10)
    assert admit(ledger, signed, signed) == [STORED, REPEAT]
    assert pool_rows.size(ledger.driver.connection) == 1


def test_below_the_first_seq_nothing_counts(ledger: DrivenLedger, board: Board) -> None:
    assert admit(ledger, board.sample(9)) == [REPEAT]


def test_in_a_closed_gap_nothing_counts(ledger: DrivenLedger, board: Board) -> None:
    admit(ledger, board.sample(10), board.sample(13, gaps=[(11, 12, 1)]))
    ledger.settle()
    assert admit(ledger, board.sample(11)) == [STORED], "the gap is open"
    ledger.pass_ms(61_000)
    assert admit(ledger, board.sample(12)) == [REPEAT], "the gap is closed"


@pytest.mark.parametrize("committed", [False, True])
def test_a_fork_becomes_evidence_once(ledger: DrivenLedger, board: Board, committed: bool) -> None:
    one, other = version(board, 10, 1), version(board, 10, 2)
    assert admit(ledger, one) == [STORED]
    if committed:
        ledger.settle()
    assert admit(ledger, other, other) == [FORK, FORK]
    assert admit(ledger, other) == [FORK]
    for _ in range(3):
        ledger.settle()
    assert registry.fork(ledger.driver.state, board.kid, 10) is not None
    assert admit(ledger, other) == [FORK]
    assert pool_rows.size(ledger.driver.connection) == 0


def test_a_fork_too_large_to_be_shown_is_no_fault_of_ours(tmp_path: Path) -> None:
    ledger = DrivenLedger(
        tmp_path / "small.db", epoch_of(constants=Constants(entry_bytes_max=20_000))
    )
    board = Board("meter", ledger.epoch)
    ledger.enrol(board)
    large = [
        [reading(CREATED_MS + at, ei=energy_wh, **MANY) for at in range(1, 65)]
        for energy_wh in (1, 2)
    ]
    one, other = (board.sample(1, readings) for readings in large)
    assert len(one.raw) > 10_000
    assert admit(ledger, one, other) == [STORED, FORK]
    ledger.driver.close()


def test_the_pool_has_a_limit_and_the_lowest_come_first(ledger: DrivenLedger, board: Board) -> None:
    samples = [board.sample(seq) for seq in (14, 12, 10, 11, 13)]
    busy = downlink.BUSY
    assert admit(ledger, *samples, room=3) == [busy, STORED, STORED, STORED, busy]
    assert admit(ledger, board.sample(13), room=3) == [busy]
    ledger.settle()
    assert admit(ledger, board.sample(13), room=3) == [STORED]


def test_one_meter_cannot_fill_the_pool(
    ledger: DrivenLedger, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "POOL_OF_A_METER_MAX", 2)
    other = Board("other", ledger.epoch)
    ledger.enrol(other)
    samples = [board.sample(10), board.sample(11), board.sample(12), other.sample(1)]
    assert admit(ledger, *samples) == [STORED, STORED, downlink.BUSY, STORED]


def test_revoked_between_check_and_admission(ledger: DrivenLedger, board: Board) -> None:
    ledger.revoke(board, 11)
    assert admit(ledger, board.sample(11), board.sample(12)) == [STORED, downlink.REVOKED]
    ledger.pass_ms(61_000)
    ledger.settle()
    assert admit(ledger, board.sample(10)) == [downlink.REVOKED]


def test_gone_from_the_registry(ledger: DrivenLedger) -> None:
    assert admit(ledger, Board("nobody", ledger.epoch).sample(1)) == [downlink.NOT_ENROLLED]


def test_execution_uses_what_ingest_knows_and_forgets_it(
    ledger: DrivenLedger, board: Board
) -> None:
    signed = board.sample(10)
    admit(ledger, signed)
    assert ledger.driver.memory.parse(signed.raw, ledger.epoch.ledger_id) is signed
    ledger.settle()
    assert ledger.driver.memory.parse(signed.raw, ledger.epoch.ledger_id) is not signed


def test_memory_vouches_for_the_very_key_and_signature_only(board: Board) -> None:
    signed, other = board.sample(10), Board("other", board.epoch)
    memory = IngestMemory()
    memory.remember(board.signing_key, signed)
    memory.verify(board.signing_key, signed.digest, signed.signature)
    with pytest.raises(SignatureError):
        memory.verify(other.signing_key, signed.digest, signed.signature)
    with pytest.raises(SignatureError):
        memory.verify(board.signing_key, signed.digest, other.sign(signed.digest))


def test_the_kid_stands_at_its_place(board: Board) -> None:
    assert claimed_kid(board.sample(10).raw) == board.kid
    assert claimed_kid(b"") is None
    assert claimed_kid(b"\xd2" * 100) is None


def test_a_check_never_raises(ledger: DrivenLedger, board: Board) -> None:
    raw = board.sample(10).raw
    for place in range(len(raw)):
        broken = raw[:place] + bytes([raw[place] ^ 0x40]) + raw[place + 1 :]
        assert isinstance(check(broken, board.signing_key, ledger.epoch.ledger_id), Refused)
        assert isinstance(check(raw[:place], board.signing_key, ledger.epoch.ledger_id), Refused)
