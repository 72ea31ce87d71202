"""Transactions in commits: nonces, and each refusal by a transaction that earns it alone."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts.execute import HELD, RECORDED, REPEAT, VOID
from wattle_gateway.contracts.registry import Revocation
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import entry, genesis, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import ENROL, REVOKE
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    Party,
    enrol_entry,
    epoch_of,
    sample_entry,
    transaction_entry,
)
from wattle_testkit.commit_chain import CommitChain
from wattle_wire import cose, uplink

EPOCH = epoch_of()
BOARD = Board("board", EPOCH)


@pytest.fixture
def ledger() -> CommitChain:
    """An empty ledger of GRID alone."""
    return CommitChain(EPOCH, GRID)


def enrol_with(nonce: int = 0, board: Board = BOARD, **changes: object) -> bytes:
    """The entry of an enrol whose body has parts replaced, right or wrong."""
    row = transaction.enrol_body(board.enrol())
    names = ["proof", "site", "home", "further", "carry", "points"]
    for name, value in changes.items():
        row[names.index(name)] = value
    return transaction_entry(EPOCH, GRID, ENROL, row, nonce=nonce)


def revoke(last_seq: int, nonce: int, kid: bytes = BOARD.kid) -> bytes:
    return transaction_entry(EPOCH, GRID, REVOKE, [kid, last_seq], nonce=nonce)


def refused(ledger: CommitChain, raw: bytes, time_ms: int | None = None) -> int:
    """The refusal of a transaction: recorded, its nonce consumed, nothing else changed."""
    executed = ledger.commit(raw, time_ms=time_ms)
    (outcome,) = executed.outcomes
    assert outcome.effect == RECORDED
    assert outcome.verdict != classes.ACCEPTED
    assert outcome.meter is None
    assert [row for row, _ in executed.changes] == [key("nonce", GRID.kid, 0)]
    return outcome.verdict


def nonce_of(ledger: CommitChain, lane: int = 0) -> int:
    return registry.next_nonce(ledger.state, GRID.kid, lane)


class TestNonces:
    """Who may speak, and in which order."""

    def test_each_transaction_takes_the_next(self, ledger: CommitChain) -> None:
        for nonce in range(3):
            assert nonce_of(ledger) == nonce
            board = Board(f"board {nonce}", EPOCH)
            assert ledger.one(enrol_entry(board, nonce=nonce)).verdict == classes.ACCEPTED
        assert nonce_of(ledger) == 3

    def test_lanes_count_by_themselves(self, ledger: CommitChain) -> None:
        body = transaction.enrol_body(BOARD.enrol())
        raw = transaction_entry(EPOCH, GRID, ENROL, body, lane=15)
        assert ledger.one(raw).verdict == classes.ACCEPTED
        assert (nonce_of(ledger, 0), nonce_of(ledger, 15)) == (0, 1)

    def test_one_ahead_is_held(self, ledger: CommitChain) -> None:
        ahead = enrol_entry(BOARD, nonce=1)
        assert ledger.one(ahead).effect == HELD
        assert ledger.state == {}
        ledger.commit(enrol_entry(Board("first", EPOCH)))
        assert ledger.one(ahead).effect == RECORDED

    def test_one_behind_is_a_repeat(self, ledger: CommitChain) -> None:
        raw = enrol_entry(BOARD)
        ledger.commit(raw)
        before = dict(ledger.state)
        assert ledger.one(raw).effect == REPEAT
        assert ledger.state == before

    def test_two_of_one_nonce_in_one_commit(self, ledger: CommitChain) -> None:
        executed = ledger.commit(enrol_entry(BOARD), enrol_entry(Board("other", EPOCH)))
        assert [outcome.effect for outcome in executed.outcomes] == [RECORDED, REPEAT]
        assert registry.meter(ledger.state, Board("other", EPOCH).kid) is None

    def test_an_unknown_party_has_no_effect(self, ledger: CommitChain) -> None:
        raw = transaction_entry(EPOCH, Party("nobody"), REVOKE, [BOARD.kid, 1])
        assert ledger.one(raw).effect == VOID
        assert ledger.state == {}

    def test_a_signature_that_fails_has_no_effect(self, ledger: CommitChain) -> None:
        one, other = enrol_entry(BOARD), enrol_entry(BOARD, nonce=1)
        assert ledger.one(one[:-64] + other[-64:]).effect == VOID
        assert set(ledger.state) == {key("standing", GRID.kid)}

    def test_what_is_no_transaction_has_no_effect(self, ledger: CommitChain) -> None:
        raw = entry.encode(entry.TRANSACTION, b"no transaction", 60_000)
        assert ledger.one(raw).effect == VOID


class TestEnrol:
    """Kind 1."""

    def test_a_meter_is_registered_with_all_it_stated(self, ledger: CommitChain) -> None:
        enrol = BOARD.enrol(BOARD.point(1), BOARD.point(7, rating_w=5))
        body = transaction.enrol_body(enrol)
        ledger.commit(transaction_entry(EPOCH, GRID, ENROL, body))
        meter = registry.meter(ledger.state, BOARD.kid)
        assert meter is not None
        assert (meter.kid, meter.eui64, meter.signing_key) == (
            BOARD.kid,
            BOARD.eui64,
            BOARD.signing_key,
        )
        assert (meter.first_seq, meter.protection, meter.revoked) == (1, "file", None)
        assert (meter.site, meter.home, meter.further, meter.carry, meter.points) == (
            enrol.site,
            enrol.home,
            enrol.further,
            enrol.carry,
            enrol.points,
        )
        assert registry.meters(ledger.state) == [meter]
        assert registry.holder_of_eui64(ledger.state, BOARD.eui64) == BOARD.kid

    @pytest.mark.parametrize(
        "changes",
        [{"site": "NO"}, {"points": []}, {"home": b""}, {"carry": -1}, {"proof": None}],
    )
    def test_1_malformed_body(self, ledger: CommitChain, changes: dict[str, object]) -> None:
        assert refused(ledger, enrol_with(**changes)) == classes.MALFORMED_BODY

    def test_2_expired(self, ledger: CommitChain) -> None:
        body = transaction.enrol_body(BOARD.enrol())
        until = {"until_ms": CREATED_MS + 5}
        raw = transaction_entry(EPOCH, GRID, ENROL, body, **until)
        assert refused(ledger, raw, CREATED_MS + 6) == classes.EXPIRED
        again = transaction_entry(EPOCH, GRID, ENROL, body, nonce=1, until_ms=CREATED_MS + 6)
        assert ledger.one(again).verdict == classes.ACCEPTED

    @pytest.mark.parametrize("role", [genesis.HOSTED_USER, genesis.OBSERVER])
    def test_3_role_not_allowed(self, role: int) -> None:
        party = Party("watcher", role)
        epoch = epoch_of(GRID, party)
        ledger = CommitChain(epoch, GRID)
        raw = enrol_entry(Board("board", epoch), party)
        assert ledger.one(raw).verdict == classes.ROLE_NOT_ALLOWED

    @pytest.mark.parametrize("role", range(1, 6))
    def test_roles_that_run_sites_are_allowed(self, role: int) -> None:
        party = Party("runner", role)
        epoch = epoch_of(party)
        ledger = CommitChain(epoch, party)
        assert ledger.one(enrol_entry(Board("board", epoch), party)).verdict == classes.ACCEPTED

    def test_4_kind_unknown(self, ledger: CommitChain) -> None:
        raw = transaction_entry(EPOCH, GRID, 99, [])
        assert refused(ledger, raw) == classes.KIND_UNKNOWN

    def test_5_proof_of_another_ledger(self, ledger: CommitChain) -> None:
        elsewhere = Board("board", epoch_of(Party("other"))).proof()
        assert refused(ledger, enrol_with(proof=elsewhere)) == classes.PROOF_FAILS

    def test_5_proof_that_is_none(self, ledger: CommitChain) -> None:
        assert refused(ledger, enrol_with(proof=b"none")) == classes.PROOF_FAILS

    def test_5_proof_signed_by_another_key(self, ledger: CommitChain) -> None:
        thief = Board("thief", EPOCH)
        stolen = cose.parse_sign1("enrol", EPOCH.ledger_id, BOARD.proof()).payload
        proof = thief.signed("enrol", stolen)
        assert refused(ledger, enrol_with(proof=proof)) == classes.PROOF_FAILS

    def test_5_proof_under_another_kid(self, ledger: CommitChain) -> None:
        payload = cose.parse_sign1("enrol", EPOCH.ledger_id, BOARD.proof()).payload
        digest = cose.digest("enrol", EPOCH.ledger_id, bytes(8), payload)
        proof = cose.sign1(bytes(8), payload, BOARD.sign(digest))
        assert refused(ledger, enrol_with(proof=proof)) == classes.PROOF_FAILS

    def test_5_proof_with_a_link_key_off_the_curve(self, ledger: CommitChain) -> None:
        point_0 = b"\x04" + bytes(64)
        payload = uplink.encode_proof(
            BOARD.eui64, BOARD.signing_key, point_0, BOARD.signing_key, 1, "file"
        )
        proof = BOARD.signed("enrol", payload)
        assert refused(ledger, enrol_with(proof=proof)) == classes.PROOF_FAILS

    def test_6_already_enrolled(self, ledger: CommitChain) -> None:
        ledger.commit(enrol_entry(BOARD))
        assert refused(ledger, enrol_with(nonce=1)) == classes.ALREADY_ENROLLED

    def test_6_a_revoked_key_never_comes_back(self, ledger: CommitChain) -> None:
        ledger.commit(enrol_entry(BOARD), revoke(0, 1))
        assert refused(ledger, enrol_with(nonce=2)) == classes.ALREADY_ENROLLED

    def test_7_eui64_in_use_until_its_meter_is_revoked(self, ledger: CommitChain) -> None:
        ledger.commit(enrol_entry(BOARD))
        renewed = NewKeys("new keys", EPOCH)
        assert refused(ledger, enrol_with(1, renewed)) == classes.EUI64_IN_USE
        ledger.commit(revoke(0, 2))
        assert ledger.one(enrol_with(3, renewed)).verdict == classes.ACCEPTED
        assert registry.holder_of_eui64(ledger.state, BOARD.eui64) == renewed.kid

    def test_11_approval_missing(self) -> None:
        grid, retail = Party("grid"), Party("retail", genesis.RETAILER)
        epoch = epoch_of(grid, retail)
        ledger = CommitChain(epoch, grid, retail)
        body = transaction.enrol_body(Board("board", epoch).enrol(home=retail.kid))
        raw = transaction_entry(epoch, grid, ENROL, body)
        assert ledger.one(raw).verdict == classes.APPROVAL_MISSING
        raw = transaction_entry(epoch, retail, ENROL, body)
        assert ledger.one(raw).verdict == classes.ACCEPTED

    @pytest.mark.parametrize("changes", [{"home": bytes(8)}, {"further": [bytes(8)]}])
    def test_12_gateway_unknown(self, ledger: CommitChain, changes: dict[str, object]) -> None:
        assert refused(ledger, enrol_with(**changes)) == classes.MEMBER_UNKNOWN

    def test_12_owner_unknown(self, ledger: CommitChain) -> None:
        point = transaction.point_row(replace(BOARD.point(1), owner=bytes(8)))
        assert refused(ledger, enrol_with(points=[point])) == classes.MEMBER_UNKNOWN


class NewKeys(Board):
    """BOARD's hardware with keys of another birth."""

    @property
    def eui64(self) -> bytes:
        """The EUI-64 of BOARD."""
        return BOARD.eui64


class TestRevoke:
    """Kind 2."""

    @pytest.fixture
    def ledger(self) -> CommitChain:
        """A ledger with BOARD and its samples 1 and 2."""
        made = CommitChain(EPOCH, GRID)
        samples = [sample_entry(BOARD.sample(seq)) for seq in (1, 2)]
        made.commit(enrol_entry(BOARD), *samples, time_ms=CREATED_MS + 1)
        return made

    def test_a_meter_is_revoked_at_commit_time(self, ledger: CommitChain) -> None:
        outcome = ledger.one(revoke(2, 1), CREATED_MS + 9)
        assert (outcome.verdict, outcome.meter) == (classes.ACCEPTED, BOARD.kid)
        meter = registry.meter(ledger.state, BOARD.kid)
        assert meter is not None
        assert meter.revoked == Revocation(2, CREATED_MS + 9)
        assert registry.holder_of_eui64(ledger.state, BOARD.eui64) is None

    def test_1_malformed_body(self, ledger: CommitChain) -> None:
        raw = transaction_entry(EPOCH, GRID, REVOKE, ["all"], nonce=1)
        assert refused(ledger, raw) == classes.MALFORMED_BODY

    def test_8_meter_unknown(self, ledger: CommitChain) -> None:
        assert refused(ledger, revoke(2, 1, bytes(8))) == classes.METER_UNKNOWN

    def test_9_already_revoked(self, ledger: CommitChain) -> None:
        ledger.commit(revoke(2, 1))
        assert refused(ledger, revoke(3, 2)) == classes.ALREADY_REVOKED

    def test_10_last_seq_below_final(self, ledger: CommitChain) -> None:
        assert refused(ledger, revoke(1, 1)) == classes.LAST_SEQ_BELOW_FINAL

    def test_11_approval_missing(self) -> None:
        grid, retail = Party("grid"), Party("retail", genesis.RETAILER)
        epoch = epoch_of(grid, retail, constants=Constants(enrol_approvals=1))
        ledger = CommitChain(epoch, grid, retail)
        board = Board("board", epoch)
        body = transaction.enrol_body(board.enrol(home=retail.kid))
        ledger.commit(transaction_entry(epoch, retail, ENROL, body))
        raw = transaction_entry(epoch, grid, REVOKE, [board.kid, 5])
        assert ledger.one(raw).verdict == classes.APPROVAL_MISSING


def test_the_first_refusal_in_the_order_of_spec_counts(ledger: CommitChain) -> None:
    expired = {"until_ms": CREATED_MS - 1}
    raw = transaction_entry(EPOCH, GRID, 99, None, **expired)
    assert refused(ledger, raw) == classes.EXPIRED
    raw = transaction_entry(EPOCH, GRID, 99, None, nonce=1)
    assert refused(ledger, raw) == classes.KIND_UNKNOWN
    assert refused(ledger, enrol_with(2, home=bytes(8), proof=b"x")) == classes.PROOF_FAILS
