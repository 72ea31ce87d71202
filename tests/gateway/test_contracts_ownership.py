"""Owners of points: who hands a point on, to whom, and from when on (SPEC section 12)."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes, ownership, registry, waiting
from wattle_gateway.contracts.ownership import OWNERS_MAX, Owned
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Assign
from wattle_gateway.ledger.transaction import APPROVE, ASSIGN, Approve, Point
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.alliance import CREATED_MS, Board
from wattle_wire import cbor

HOUSE, NEIGHBOUR = User("house 7"), User("house 9")
NOW_MS = CREATED_MS


@pytest.fixture
def ledger() -> AccountLedger:
    """GRID's meter with a point that a user of AGGREGATOR owns."""
    made = AccountLedger()
    made.host(HOUSE)
    made.host(NEIGHBOUR)
    enrol(made, HOUSE.kid)
    return made


def enrol(ledger: AccountLedger, owner: bytes) -> int:
    board = Board("board", ledger.epoch)
    body = board.enrol(replace(board.point(1), owner=owner), home=GRID.kid)
    return ledger.send(GRID, transaction.ENROL, transaction.enrol_body(body))


def point_of(ledger: AccountLedger) -> tuple[bytes, Point]:
    (meter,) = registry.meters(ledger.state)
    return meter.kid, meter.points[0]


def assign(
    ledger: AccountLedger, owner: bytes, from_ms: int = NOW_MS, device: int = 1
) -> list[object]:
    return Assign(Board("board", ledger.epoch).kid, device, from_ms, owner).row()


def handed_on(ledger: AccountLedger, old: Signer, new: Signer, from_ms: int) -> None:
    """Both sides agree."""
    digest = ledger.done(old, ASSIGN, assign(ledger, new.kid, from_ms))
    ledger.done(new, APPROVE, transaction.approve_body(Approve(digest)))


def test_a_hosted_user_may_own_a_point_from_its_enrolment_on(ledger: AccountLedger) -> None:
    meter, point = point_of(ledger)
    assert ownership.owners(ledger.state, meter, point) == (Owned(0, HOUSE.kid),)


@pytest.mark.parametrize("kid", [bytes(8), REGULATOR.kid])
def test_12_an_owner_has_to_be_a_party_that_owns(kid: bytes) -> None:
    assert enrol(AccountLedger(), kid) == classes.MEMBER_UNKNOWN


def test_under_rules_1_owners_are_members_of_any_role() -> None:
    assert enrol(AccountLedger(rules=1), REGULATOR.kid) == classes.ACCEPTED
    assert enrol(AccountLedger(rules=1), HOUSE.kid) == classes.MEMBER_UNKNOWN


def test_a_point_is_somebody_elses_from_a_time_on(ledger: AccountLedger) -> None:
    handed_on(ledger, HOUSE, NEIGHBOUR, NOW_MS + 100)
    meter, point = point_of(ledger)
    at = [
        ownership.owner_at(ledger.state, meter, point, NOW_MS + offset) for offset in (0, 99, 100)
    ]
    assert at == [HOUSE.kid, HOUSE.kid, NEIGHBOUR.kid]
    handed_on(ledger, NEIGHBOUR, RETAIL, NOW_MS + 101)
    assert ownership.owner_at(ledger.state, meter, point, NOW_MS + 101) == RETAIL.kid
    rows = cbor.decode(ledger.state[key("owners", meter, 1)])
    assert rows == [[NOW_MS + 100, NEIGHBOUR.kid], [NOW_MS + 101, RETAIL.kid]]
    assert point_of(ledger) == (meter, point)


def test_nobody_is_given_a_point_against_its_will(ledger: AccountLedger) -> None:
    digest = ledger.done(HOUSE, ASSIGN, assign(ledger, NEIGHBOUR.kid))
    meter, point = point_of(ledger)
    assert ownership.owners(ledger.state, meter, point)[-1].owner == HOUSE.kid
    row = cbor.decode(ledger.state[key("waiting", digest)])
    assert row == [CREATED_MS * 2, HOUSE.kid, ASSIGN, assign(ledger, NEIGHBOUR.kid)]
    (found,) = waiting.everything(ledger.state)
    asked = [
        kid
        for kid in (HOUSE.kid, NEIGHBOUR.kid, GRID.kid, AGGREGATOR.kid)
        if waiting.may_approve(ledger.state, found, ledger.epoch, kid)
    ]
    assert asked == [NEIGHBOUR.kid]


class TestRefusals:
    """Kind 12."""

    @pytest.mark.parametrize("device", [0, 33, -1])
    def test_1_malformed_body(self, ledger: AccountLedger, device: int) -> None:
        body = assign(ledger, NEIGHBOUR.kid, device=device)
        assert ledger.send(HOUSE, ASSIGN, body) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: AccountLedger) -> None:
        body = assign(ledger, NEIGHBOUR.kid)
        assert ledger.send(REGULATOR, ASSIGN, body) == classes.ROLE_NOT_ALLOWED

    def test_8_meter_unknown(self, ledger: AccountLedger) -> None:
        body = Assign(bytes(8), 1, NOW_MS, NEIGHBOUR.kid).row()
        assert ledger.send(HOUSE, ASSIGN, body) == classes.METER_UNKNOWN

    @pytest.mark.parametrize("kid", [bytes(8), REGULATOR.kid])
    def test_12_new_owner_that_is_no_party_that_owns(
        self, ledger: AccountLedger, kid: bytes
    ) -> None:
        assert ledger.send(HOUSE, ASSIGN, assign(ledger, kid)) == classes.MEMBER_UNKNOWN

    def test_25_to_itself(self, ledger: AccountLedger) -> None:
        assert ledger.send(HOUSE, ASSIGN, assign(ledger, HOUSE.kid)) == classes.TO_ITSELF

    def test_34_point_unknown(self, ledger: AccountLedger) -> None:
        body = assign(ledger, NEIGHBOUR.kid, device=2)
        assert ledger.send(HOUSE, ASSIGN, body) == classes.POINT_UNKNOWN

    @pytest.mark.parametrize("who", [GRID, AGGREGATOR, NEIGHBOUR])
    def test_35_not_the_owner(self, ledger: AccountLedger, who: Signer) -> None:
        body = assign(ledger, FACTORY.kid)
        assert ledger.send(who, ASSIGN, body) == classes.NOT_THE_OWNER

    def test_35_who_has_handed_it_on_owns_it_no_more(self, ledger: AccountLedger) -> None:
        handed_on(ledger, HOUSE, NEIGHBOUR, NOW_MS + 100)
        body = assign(ledger, FACTORY.kid, NOW_MS + 200)
        assert ledger.send(HOUSE, ASSIGN, body) == classes.NOT_THE_OWNER

    def test_36_owner_backdated(self, ledger: AccountLedger) -> None:
        body = assign(ledger, NEIGHBOUR.kid, NOW_MS - 1)
        assert ledger.send(HOUSE, ASSIGN, body) == classes.OWNER_BACKDATED
        handed_on(ledger, HOUSE, NEIGHBOUR, NOW_MS + 100)
        body = assign(ledger, HOUSE.kid, NOW_MS + 100)
        assert ledger.send(NEIGHBOUR, ASSIGN, body) == classes.OWNER_BACKDATED

    def test_36_the_yes_came_too_late(self, ledger: AccountLedger) -> None:
        digest = ledger.done(HOUSE, ASSIGN, assign(ledger, NEIGHBOUR.kid, NOW_MS + 5))
        yes = transaction.approve_body(Approve(digest))
        late = ledger.send(NEIGHBOUR, APPROVE, yes, time_ms=NOW_MS + 6)
        assert late == classes.OWNER_BACKDATED

    def test_37_owners_full(self, ledger: AccountLedger) -> None:
        pair = (HOUSE, NEIGHBOUR)
        for number in range(OWNERS_MAX):
            handed_on(ledger, pair[number % 2], pair[1 - number % 2], NOW_MS + number)
        body = assign(ledger, NEIGHBOUR.kid, NOW_MS + OWNERS_MAX)
        assert ledger.send(HOUSE, ASSIGN, body) == classes.OWNERS_FULL

    @pytest.mark.parametrize("who", [HOUSE, GRID, FACTORY])
    def test_38_not_asked(self, ledger: AccountLedger, who: Signer) -> None:
        digest = ledger.done(HOUSE, ASSIGN, assign(ledger, NEIGHBOUR.kid))
        yes = transaction.approve_body(Approve(digest))
        assert ledger.send(who, APPROVE, yes) == classes.NOT_ASKED
