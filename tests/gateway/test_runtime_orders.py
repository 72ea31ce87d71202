"""Orders on their way through real drivers: of an emergency first by its block, then committed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.contracts.events import rows
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Setpoint
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms
from wattle_gateway.orders.book import PointOrder
from wattle_testkit.alliance import Board, Party, epoch_of
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.event_ledger import FIXED_PRICE

MINUTE_MS = 60_000
TERMS = OfferTerms("north", 0, DOWN, 3_000, "EUR", 1, 2_000, 7_200_000, 0, 1_000, 1, 500)


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[DrivenAlliance]:
    parties = [
        Party(name, role)
        for name, role in (
            ("grid", genesis.GRID_COMPANY),
            ("retail", genesis.RETAILER),
            ("aggregator", genesis.AGGREGATOR),
            ("factory", genesis.LARGE_USER),
        )
    ]
    constants = Constants(enrol_approvals=1, market=Market(interval_s=60))
    epoch = epoch_of(*parties, constants=constants, rules=genesis.EVENT_RULES)
    made = DrivenAlliance(tmp_path, *parties, epoch=epoch)
    yield made
    made.close()


def send(alliance: DrivenAlliance, name: str, kind: int, body: object) -> None:
    alliance.transact(name, kind, body)
    alliance.run(3_000)


def selected_event(alliance: DrivenAlliance, *, emergency: bool) -> tuple[bytes, bytes]:
    """(digest, meter kid) of an event with one selected load of the factory."""
    grid, factory = (alliance.members[name].party for name in ("grid", "factory"))
    send(alliance, "grid", transaction.ISSUE, Issue("EUR", 2, grid.kid, 10**9).row())
    board = Board("meter", alliance.epoch)
    point = replace(board.point(1), capacity_w=3_000, owner=factory.kid)
    body = transaction.enrol_body(board.enrol(point, home=grid.kid))
    send(alliance, "grid", transaction.ENROL, body)
    send(alliance, "factory", transaction.OFFER, OfferBody(board.kid, 1, TERMS).row())
    begin_ms = (alliance.unix_ms // MINUTE_MS + 2) * MINUTE_MS
    publish = replace(
        FIXED_PRICE,
        emergency=emergency,
        begin_ms=begin_ms,
        select_ms=begin_ms - MINUTE_MS // 2,
        energy_price=100,
    )
    send(alliance, "grid", transaction.PUBLISH, publish.row())
    (event,) = rows.events(alliance["grid"].state)
    quotas = Declare(event.digest, board.kid, 1, 0, (3_000,) * 4)
    send(alliance, "factory", transaction.DECLARE, quotas.row())
    alliance.run(begin_ms - alliance.unix_ms)
    return event.digest, board.kid


def dispatched(alliance: DrivenAlliance, event: bytes, meter: bytes) -> list[list[PointOrder]]:
    """The orders that each gateway hears of, one after the other."""
    for member in alliance.members.values():
        member.heard.clear()
    body = Dispatch(event, 0, (Setpoint(meter, 1, 700),))
    send(alliance, "grid", transaction.DISPATCH, body.row())
    return [
        [order for progress in member.heard for order in progress.orders]
        for member in alliance.members.values()
    ]


def test_an_emergency_is_heard_of_before_it_is_committed(alliance: DrivenAlliance) -> None:
    for orders in dispatched(alliance, *selected_event(alliance, emergency=True)):
        assert [order.committed for order in orders] == [False, True]
        assert {(order.watts, order.digest) for order in orders} == {(700, orders[0].digest)}
        assert orders[0].from_ms <= orders[1].from_ms < orders[1].until_ms
    assert len(alliance.heads()) == 1


def test_any_other_order_waits_for_its_commit(alliance: DrivenAlliance) -> None:
    for orders in dispatched(alliance, *selected_event(alliance, emergency=False)):
        assert [order.committed for order in orders] == [True]
