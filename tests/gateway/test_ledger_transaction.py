"""Transactions and their bodies as bytes."""

from dataclasses import replace

import pytest
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.errors import FormatError, SignatureError
from wattle_gateway.ledger.transaction import Approve, Change, Enrol, Point, Revoke
from wattle_testkit.alliance import GRID, Board, Party, epoch_of, following, transaction_entry
from wattle_wire import cbor, cose

EPOCH = epoch_of()
BOARD = Board("board", EPOCH)
POINT = BOARD.point(1)
ENROL = BOARD.enrol(POINT, BOARD.point(2))


def parsed(payload: object) -> transaction.Transaction:
    encoded = cbor.encode(payload)
    signature = GRID.sign(cose.digest("tx", EPOCH.ledger_id, GRID.kid, encoded))
    return transaction.parse(cose.sign1(GRID.kid, encoded, signature), EPOCH.ledger_id)


def test_transaction_round_trip() -> None:
    raw = entry.decode(
        transaction_entry(EPOCH, GRID, 2, [b"k" * 8, 9], nonce=3, lane=15, until_ms=77)
    ).body
    tx = transaction.parse(raw, EPOCH.ledger_id)
    assert (tx.lane, tx.nonce, tx.until_ms, tx.kind) == (15, 3, 77, transaction.REVOKE)
    assert tx.body == [b"k" * 8, 9]
    assert (tx.raw, tx.kid) == (raw, GRID.kid)
    crypto.verify(GRID.member.block_key, tx.digest, tx.signature)


def test_a_transaction_belongs_to_one_ledger() -> None:
    raw = entry.decode(transaction_entry(EPOCH, GRID, 2, [])).body
    other = transaction.parse(raw, epoch_of(Party("other")).ledger_id)
    with pytest.raises(SignatureError):
        crypto.verify(GRID.member.block_key, other.digest, other.signature)


@pytest.mark.parametrize(
    "payload",
    [
        [16, 0, 0, 1, []],
        [-1, 0, 0, 1, []],
        [0, -1, 0, 1, []],
        [0, 0, -1, 1, []],
        [0, 0, 0, "enrol", []],
        [0, 0, 0, 1],
        {},
    ],
)
def test_a_transaction_of_another_form_is_refused(payload: object) -> None:
    with pytest.raises(FormatError, match="transaction"):
        parsed(payload)


def test_an_unknown_kind_and_body_are_left_to_execution() -> None:
    assert parsed([0, 0, 0, 999, {"any": b"thing"}]).kind == 999


def test_enrol_round_trip() -> None:
    enrol = replace(ENROL, further=(b"b" * 8, b"a" * 8), carry=900)
    assert transaction.parse_enrol(transaction.enrol_body(enrol)) == enrol


def test_revoke_round_trip() -> None:
    revoke = Revoke(BOARD.kid, 123)
    assert transaction.parse_revoke(transaction.revoke_body(revoke)) == revoke


@pytest.mark.parametrize(
    ("enrol", "reason"),
    [
        (replace(ENROL, proof=bytes(1025)), "proof"),
        (replace(ENROL, site="Site"), "site"),
        (replace(ENROL, home=bytes(7)), "home"),
        (replace(ENROL, further=(ENROL.home,)), "twice"),
        (replace(ENROL, further=(b"x" * 8, b"x" * 8)), "twice"),
        (replace(ENROL, further=tuple(bytes([n]) * 8 for n in range(9))), "at most 8"),
        (replace(ENROL, carry=-1), "carry"),
        (replace(ENROL, carry=86401), "carry"),
        (replace(ENROL, points=()), "at least one"),
        (replace(ENROL, points=(POINT, POINT)), "rising"),
        (replace(ENROL, points=(BOARD.point(2), BOARD.point(1))), "rising"),
    ],
)
def test_an_enrol_of_another_form_is_refused(enrol: Enrol, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        transaction.enrol_body(enrol)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (replace(POINT, device=0), "device 0"),
        (replace(POINT, device=33), "device"),
        (replace(POINT, commodity=0), "commodity 0"),
        (replace(POINT, commodity=4), "commodity 4"),
        (replace(POINT, rating_w=0), "rating_w is 0"),
        (replace(POINT, rating_w=10**12 + 1), "rating_w"),
        (replace(POINT, capacity_w=-1), "capacity_w"),
        (replace(POINT, ct=(0, 1)), "ct ratio 0:1"),
        (replace(POINT, vt=(1, 0)), "vt ratio 1:0"),
        (replace(POINT, vt=(2**32, 1)), "vt"),
        (replace(POINT, orient=0), "orient 0"),
        (replace(POINT, orient=True), "orient"),
        (replace(POINT, owner=b""), "owner"),
    ],
)
def test_a_point_of_another_form_is_refused(point: Point, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        transaction.enrol_body(replace(ENROL, points=(point,)))


@pytest.mark.parametrize("body", [None, [], [b"k" * 7, 1], [b"k" * 8, -1], [b"k" * 8, 2**53]])
def test_a_revoke_of_another_form_is_refused(body: object) -> None:
    with pytest.raises(FormatError, match="revoke"):
        transaction.parse_revoke(body)


def test_change_round_trip() -> None:
    change = Change(3, following(GRID, Party("second")), (b"ready", b""))
    assert transaction.parse_change(transaction.change_body(change)) == change


def test_a_change_that_could_not_be_read_is_never_made() -> None:
    with pytest.raises(FormatError, match="no voting member"):
        transaction.change_body(Change(0, replace(following(GRID), members=()), ()))
    with pytest.raises(FormatError, match="ready"):
        transaction.change_body(Change(0, following(GRID), (bytes(2561),)))
    with pytest.raises(FormatError, match="ready"):
        transaction.change_body(Change(0, following(GRID), (b"",) * 33))


def test_rules_of_a_change_may_be_any_number() -> None:
    later = Change(0, replace(following(GRID), rules=7), ())
    assert transaction.parse_change(transaction.change_body(later)).following.rules == 7


def test_approve_round_trip() -> None:
    approve = Approve(bytes(range(32)))
    assert transaction.parse_approve(transaction.approve_body(approve)) == approve
    with pytest.raises(FormatError, match="digest"):
        transaction.approve_body(Approve(b"short"))
