"""`dr pool` and `dr select`: what the ledger's loads can do, and who is called."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.selection.choice import CHOSEN, DEARER
from wattle_gateway.contracts.selection.offers import NOT_CONNECTED, TOO_SLOW, Need
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.offer_bodies import DOWN, UP, OfferBody, OfferTerms
from wattle_gateway.ledger.transaction import Revoke
from wattle_gateway.reports import pool as pool_report
from wattle_gateway.reports.pool import PoolLine, Wanted
from wattle_testkit.account_ledger import GRID, AccountLedger
from wattle_testkit.alliance import CREATED_MS, Board

TERMS = OfferTerms("north", 0, DOWN, 1_000, "EUR", 100, 2_000, 3_600_000, 0, 10_000, 1, 0)
NEED = Need(2_000, 5_000, 900_000)


@pytest.fixture
def ledger() -> AccountLedger:
    made = AccountLedger()
    made.done(GRID, transaction.ISSUE, Issue("EUR", 2, GRID.kid, 1).row())
    made.done(GRID, transaction.ISSUE, Issue("USD", 2, GRID.kid, 1).row())
    return made


def enrol(ledger: AccountLedger, name: str, *capacities_w: int) -> bytes:
    """A meter whose devices can adjust this much; its kid."""
    board = Board(name, ledger.epoch)
    points = [
        replace(board.point(device), capacity_w=capacity_w, owner=GRID.kid)
        for device, capacity_w in enumerate(capacities_w, 1)
    ]
    body = transaction.enrol_body(board.enrol(*points, home=GRID.kid))
    ledger.done(GRID, transaction.ENROL, body)
    return board.kid


def offer(ledger: AccountLedger, meter: bytes, device: int = 1, **changes: int | str) -> None:
    terms = replace(TERMS, **changes)  # type: ignore[arg-type]
    ledger.done(GRID, transaction.OFFER, OfferBody(meter, device, terms).row())


def pool(ledger: AccountLedger, area: str | None = None) -> list[PoolLine]:
    return pool_report.pool(ledger.state, CREATED_MS, area)


def test_the_pool_by_area_way_and_response_time(ledger: AccountLedger) -> None:
    first = enrol(ledger, "first", 1_500, 2_000, 700)
    second = enrol(ledger, "second", 5_000, 0)
    offer(ledger, first, 1)
    offer(ledger, first, 2, capacity_w=2_000, response_ms=5_000)
    offer(ledger, second, 1, area="south", direction=UP, response_ms=5_001)
    north = PoolLine("north", "down", 5_000, 2, 3_500, 3_000)
    assert pool(ledger) == [
        north,
        PoolLine("south", "up", 30_000, 1, 5_000, 1_000),
        PoolLine(None, None, None, 1, 700, 0),  # what can adjust nothing is no load
    ]
    assert pool(ledger, "north") == [north]
    assert pool(ledger, "east") == []


def test_the_pool_of_an_area_has_all_that_lies_behind_it(ledger: AccountLedger) -> None:
    areas = ("north", "north/f1", "north/f1/s2", "north/f10", "north2")
    meter = enrol(ledger, "first", *[1_000] * len(areas))
    for device, area in enumerate(areas, 1):
        offer(ledger, meter, device, area=area)
    assert [line.area for line in pool(ledger, "north")] == list(areas[:4])
    assert [line.area for line in pool(ledger, "north/f1")] == ["north/f1", "north/f1/s2"]
    assert [line.area for line in pool(ledger, "north2")] == ["north2"]
    assert sum(line.offered_w for line in pool(ledger)) == 5_000


def test_revoked_meters_are_in_no_pool(ledger: AccountLedger) -> None:
    meter = enrol(ledger, "first", 1_500, 300)
    offer(ledger, meter)
    ledger.done(GRID, transaction.REVOKE, transaction.revoke_body(Revoke(meter, 0)))
    assert pool(ledger) == []


def test_a_need_is_answered_by_the_cheapest_that_can(ledger: AccountLedger) -> None:
    names = {}
    for name, price, response_ms in (
        ("dear", 300, 2_000),
        ("cheap", 100, 2_000),
        ("fair", 200, 2_000),
        ("slow", 1, 6_000),
    ):
        meter = enrol(ledger, name, 1_000)
        names[f"{meter.hex()}/1"] = name
        offer(ledger, meter, price=price, response_ms=response_ms)
    found = pool_report.select(ledger.state, CREATED_MS, NEED, Wanted(DOWN)).as_json()
    assert (found["enough"], found["reached_w"]) == (True, 2_000)
    assert [(names[load["point"]], load["why"]) for load in found["loads"]] == [
        ("cheap", CHOSEN),
        ("fair", CHOSEN),
        ("dear", DEARER),
        ("slow", TOO_SLOW),
    ]


def test_only_what_is_wanted_is_asked(ledger: AccountLedger) -> None:
    north, south = enrol(ledger, "north", 1_000), enrol(ledger, "south", 1_000, 1_000)
    offer(ledger, north)
    offer(ledger, south, 1, area="south")
    offer(ledger, south, 2, direction=UP)

    def asked(wanted: Wanted) -> list[str]:
        found = pool_report.select(ledger.state, CREATED_MS, NEED, wanted)
        return sorted(load["point"] for load in found.as_json()["loads"])

    assert asked(Wanted(DOWN)) == sorted([f"{north.hex()}/1", f"{south.hex()}/1"])
    assert asked(Wanted(DOWN, "south")) == [f"{south.hex()}/1"]
    assert asked(Wanted(UP)) == [f"{south.hex()}/2"]
    assert asked(Wanted(UP, "south")) == []


def test_the_nearer_load_is_called_and_its_lines_are_said(ledger: AccountLedger) -> None:
    areas = ("north/f1/s1", "north/f2/s1", "north2/f1")
    meter = enrol(ledger, "first", *[1_000] * len(areas))
    for device, area in enumerate(areas, 1):
        offer(ledger, meter, device, area=area)
    need = replace(NEED, quota_w=1_000)

    def why(wanted: Wanted) -> dict[str, tuple[str, int | None]]:
        found = pool_report.select(ledger.state, CREATED_MS, need, wanted).as_json()
        assert found["place"] == (wanted.near or wanted.area or "")
        return {load["area"]: (load["why"], load["distance"]) for load in found["loads"]}

    assert why(Wanted(DOWN, near="north/f1")) == {
        "north/f1/s1": (CHOSEN, 0),
        "north/f2/s1": (DEARER, 3),
        "north2/f1": (NOT_CONNECTED, None),
    }
    assert why(Wanted(DOWN, "north", near="north/f2/s2")) == {
        "north/f2/s1": (CHOSEN, 2),
        "north/f1/s1": (DEARER, 4),
    }
    assert {lines for _, lines in why(Wanted(DOWN)).values()} == {0}
    assert {lines for _, lines in why(Wanted(DOWN, "north")).values()} == {0}


def test_prices_in_two_assets_are_not_compared(ledger: AccountLedger) -> None:
    meter = enrol(ledger, "first", 1_000, 1_000)
    offer(ledger, meter, 1)
    offer(ledger, meter, 2, asset="USD")
    with pytest.raises(UsageError, match="EUR, USD"):
        pool_report.select(ledger.state, CREATED_MS, NEED, Wanted(DOWN))
    found = pool_report.select(ledger.state, CREATED_MS, NEED, Wanted(DOWN, asset="USD"))
    assert [load["asset"] for load in found.as_json()["loads"]] == ["USD"]
