"""Loads that may be called: `offer` and `retract`, clause by clause (SPEC section 12)."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes, offering, registry
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Assign, Issue
from wattle_gateway.ledger.offer_bodies import (
    DOWN,
    OfferBody,
    OfferTerms,
    Retract,
    parse_offer,
)
from wattle_gateway.ledger.transaction import APPROVE, ASSIGN, OFFER, RETRACT, Approve, Revoke
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
CAPACITY_W = 3_000
TERMS = OfferTerms(
    "north", 12, DOWN, CAPACITY_W, "EUR", 90_000, 2_000, 3_600_000, 600_000, 10_000, 1, 500
)


@pytest.fixture
def ledger() -> AccountLedger:
    """As `founded`, under the newest rules."""
    return founded(genesis.RULES)


def founded(rules: int, rating_w: int = 10_000) -> AccountLedger:
    """GRID's meter with a point that a user of AGGREGATOR owns; GRID issues EUR."""
    made = AccountLedger(rules=rules)
    made.host(HOUSE)
    made.host(NEIGHBOUR)
    board = Board("board", made.epoch)
    point = replace(board.point(1, rating_w), owner=HOUSE.kid, capacity_w=CAPACITY_W)
    made.done(GRID, transaction.ENROL, transaction.enrol_body(board.enrol(point, home=GRID.kid)))
    made.done(GRID, transaction.ISSUE, Issue("EUR", 2, GRID.kid, 1).row())
    return made


def meter(ledger: AccountLedger) -> bytes:
    return Board("board", ledger.epoch).kid


def offer(ledger: AccountLedger, device: int = 1, **changes: int | str) -> list[object]:
    terms = replace(TERMS, **changes)  # type: ignore[arg-type]
    return OfferBody(meter(ledger), device, terms).row()


def standing(ledger: AccountLedger, time_ms: int = CREATED_MS) -> list[StandingOffer]:
    return offering.standing_offers(ledger.state, time_ms)


@pytest.mark.parametrize("who", [HOUSE, AGGREGATOR])
def test_an_owner_offers_its_load_or_its_host_does(ledger: AccountLedger, who: Signer) -> None:
    digest = ledger.done(who, OFFER, offer(ledger))
    assert standing(ledger) == [
        StandingOffer(meter(ledger), 1, digest, who.kid, HOUSE.kid, CREATED_MS, TERMS)
    ]
    assert standing(ledger, CREATED_MS - 1) == []


def test_the_row_is_that_of_spec(ledger: AccountLedger) -> None:
    digest = ledger.done(HOUSE, OFFER, offer(ledger))
    assert ledger.state[key("offer", meter(ledger), 1)] == cbor.encode(
        [
            digest,
            HOUSE.kid,
            HOUSE.kid,
            CREATED_MS,
            ["north", 12, 1, 3_000, "EUR", 90_000, 2_000, 3_600_000, 600_000, 10_000, 1, 500],
        ]
    )


def test_a_newer_offer_replaces_the_older(ledger: AccountLedger) -> None:
    ledger.done(HOUSE, OFFER, offer(ledger))
    ledger.done(AGGREGATOR, OFFER, offer(ledger, price=1))
    assert [one.terms.price for one in standing(ledger)] == [1]


def test_what_is_retracted_is_gone(ledger: AccountLedger) -> None:
    ledger.done(HOUSE, OFFER, offer(ledger))
    ledger.done(AGGREGATOR, RETRACT, Retract(meter(ledger), 1).row())
    assert standing(ledger) == []
    assert ledger.send(HOUSE, RETRACT, Retract(meter(ledger), 1).row()) == classes.OFFER_UNKNOWN


def test_8_and_34_a_load_is_a_point_of_a_meter(ledger: AccountLedger) -> None:
    unknown = OfferBody(bytes(8), 1, TERMS).row()
    assert ledger.send(HOUSE, OFFER, unknown) == classes.METER_UNKNOWN
    assert ledger.send(HOUSE, OFFER, offer(ledger, device=2)) == classes.POINT_UNKNOWN
    assert ledger.send(HOUSE, RETRACT, [bytes(8), 1]) == classes.METER_UNKNOWN
    assert ledger.send(HOUSE, RETRACT, Retract(meter(ledger), 2).row()) == classes.POINT_UNKNOWN


def test_9_nobody_is_called_behind_a_revoked_meter(ledger: AccountLedger) -> None:
    ledger.done(HOUSE, OFFER, offer(ledger))
    body = transaction.revoke_body(Revoke(meter(ledger), 0))
    ledger.done(GRID, transaction.REVOKE, body)
    assert ledger.send(HOUSE, OFFER, offer(ledger)) == classes.ALREADY_REVOKED
    assert standing(ledger) == []


@pytest.mark.parametrize("who", [NEIGHBOUR, GRID, RETAIL, FACTORY])
def test_39_nobody_else_offers_it(ledger: AccountLedger, who: Signer) -> None:
    assert ledger.send(who, OFFER, offer(ledger)) == classes.NOT_OWNER_OR_HOST
    ledger.done(HOUSE, OFFER, offer(ledger))
    body = Retract(meter(ledger), 1).row()
    assert ledger.send(who, RETRACT, body) == classes.NOT_OWNER_OR_HOST


def test_3_an_observer_offers_nothing(ledger: AccountLedger) -> None:
    assert ledger.send(REGULATOR, OFFER, offer(ledger)) == classes.ROLE_NOT_ALLOWED


def test_40_no_more_than_the_registered_capacity(ledger: AccountLedger) -> None:
    refused = ledger.send(HOUSE, OFFER, offer(ledger, capacity_w=CAPACITY_W + 1))
    assert refused == classes.ABOVE_CAPACITY


@pytest.mark.parametrize(("rules", "over"), [(2, classes.ACCEPTED), (3, classes.ABOVE_CAPACITY)])
def test_40_under_rules_3_no_more_than_the_rating(rules: int, over: int) -> None:
    """The registry may say that a load can adjust more than it can ever draw."""
    ledger = founded(rules, rating_w=CAPACITY_W - 1_000)
    assert ledger.send(HOUSE, OFFER, offer(ledger, capacity_w=CAPACITY_W - 999)) == over
    assert ledger.send(HOUSE, OFFER, offer(ledger, capacity_w=CAPACITY_W - 1_000)) == 0


def test_21_its_price_is_in_an_asset_of_the_ledger(ledger: AccountLedger) -> None:
    assert ledger.send(HOUSE, OFFER, offer(ledger, asset="USD")) == classes.ASSET_UNKNOWN


def test_4_rules_1_know_no_offers() -> None:
    old = AccountLedger(rules=1)
    assert old.send(GRID, OFFER, OfferBody(bytes(8), 1, TERMS).row()) == classes.KIND_UNKNOWN
    assert old.send(GRID, RETRACT, Retract(bytes(8), 1).row()) == classes.KIND_UNKNOWN


def test_an_area_may_be_a_path_from_rules_3_on(ledger: AccountLedger) -> None:
    path = offer(ledger, area="north/feeder-7/section-2")
    ledger.done(HOUSE, OFFER, path)
    assert [one.terms.area for one in standing(ledger)] == ["north/feeder-7/section-2"]
    old = founded(rules=2)
    assert old.send(HOUSE, OFFER, path) == classes.MALFORMED_BODY
    # Of all clauses the form is the first, as it was before there were paths.
    unknown = OfferBody(bytes(8), 1, replace(TERMS, area="north/feeder-7")).row()
    assert old.send(HOUSE, OFFER, unknown) == classes.MALFORMED_BODY
    old.done(HOUSE, OFFER, offer(old, area="n" * 32))


def test_an_offer_ends_with_its_owner(ledger: AccountLedger) -> None:
    ledger.done(HOUSE, OFFER, offer(ledger))
    later_ms = CREATED_MS + 1_000
    digest = ledger.done(HOUSE, ASSIGN, Assign(meter(ledger), 1, later_ms, NEIGHBOUR.kid).row())
    ledger.done(NEIGHBOUR, APPROVE, transaction.approve_body(Approve(digest)))
    assert len(standing(ledger, later_ms - 1)) == 1
    assert standing(ledger, later_ms) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"area": "North"},
        {"area": ""},
        {"area": "n" * 33},
        {"area": "north/"},
        {"area": "north//s2"},
        {"area": "/".join(["n" * 32] * 4)},
        {"node": -1},
        {"node": 2**32},
        {"direction": 0},
        {"direction": 3},
        {"capacity_w": 0},
        {"capacity_w": 10**12 + 1},
        {"asset": "eur"},
        {"price": -1},
        {"price": 10**12 + 1},
        {"response_ms": 3_600_001},
        {"holds_ms": 0},
        {"holds_ms": 86_400_001},
        {"rest_ms": 86_400_001},
        {"period_ms": 0},
        {"resolution_wh": 0},
        {"resolution_wh": 10**6 + 1},
        {"called_w": -(10**12) - 1},
    ],
)
def test_1_terms_outside_their_bounds_are_malformed(
    ledger: AccountLedger, changes: dict[str, int | str]
) -> None:
    assert ledger.send(HOUSE, OFFER, offer(ledger, **changes)) == classes.MALFORMED_BODY


@pytest.mark.parametrize("body", [None, [], [b"x", 1, []], [bytes(8), 0, TERMS.row()], 5])
def test_1_another_form_is_malformed(ledger: AccountLedger, body: object) -> None:
    assert ledger.send(HOUSE, OFFER, body) == classes.MALFORMED_BODY
    assert ledger.send(HOUSE, RETRACT, body) == classes.MALFORMED_BODY


def test_a_body_is_read_as_it_was_written(ledger: AccountLedger) -> None:
    body = OfferBody(meter(ledger), 32, TERMS)
    assert parse_offer(cbor.decode(cbor.encode(body.row()))) == body


def test_a_damaged_row_is_named(ledger: AccountLedger) -> None:
    assert registry.meters(ledger.state)
    for value in (b"", cbor.encode([1]), cbor.encode([bytes(32), bytes(8), bytes(8), 1, [1]])):
        damaged = {**ledger.state, key("offer", meter(ledger), 1): value}
        with pytest.raises(StateError, match="offer"):
            offering.standing_offers(damaged, CREATED_MS)
