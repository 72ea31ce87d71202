"""Each use of the weight table reads the classes of data (D15): what doubtful data does to
baseline, score, reputation and selection, each by the weight for that use alone."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.selection.offers import Need
from wattle_gateway.ledger.market import DEFAULT_WEIGHTS, Weights
from wattle_gateway.ledger.offer_bodies import DOWN
from wattle_gateway.reports import pool
from wattle_gateway.reports.pool import Wanted
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, HOUR_MS, MARKET, SettledEvent

# A reading a quarter of an hour, where one in ten seconds is expected: every interval has this one.
CLASS = "gap"
ONE = Weights(1_000, 1_000, 1_000, 1_000)
NEXT_MS = BEGIN_MS + 12 * HOUR_MS


class Story:
    """An event in which HOUSE keeps its word, and the selection of the next; under these weights
    of the class that all its intervals have."""

    def __init__(self, weights: Weights) -> None:
        table = {**DEFAULT_WEIGHTS, CLASS: weights}
        market = replace(MARKET, weights=tuple(sorted(table.items())))
        self.ledger = ledger = SettledEvent(market)
        self.event = ledger.call()
        ledger.deliver(self.event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(FINAL_MS)
        self.result = ledger.result(self.event, HOUSE)
        assert all(CLASS in line.classes for line in self.result.lines)
        stands = standing(ledger.state, market, HOUSE.kid, FINAL_MS)
        self.reputation, self.faults = stands.reputation, stands.faults
        self.dr_select = self._dr_select()
        following = ledger.call(begin_ms=NEXT_MS)
        self.merit = ledger.quota(following, HOUSE).merit

    @property
    def score(self) -> int:
        assert self.result.score is not None
        return self.result.score.value

    @property
    def moved(self) -> int:
        """How far the event moved the reputation."""
        return self.reputation - MARKET.reputation_start

    def _dr_select(self) -> int | None:
        need, wanted = Need(1_000, 5_000, HOUR_MS), Wanted(DOWN)
        state, market = self.ledger.state, self.ledger.market
        found = pool.select(state, self.ledger.chain.head.time_ms, need, wanted, market)
        kid = self.ledger.board(HOUSE).kid
        (reason,) = (
            one for one in found.choice.reasons if found.standing[one.offer.digest].meter == kid
        )
        return reason.merit


@pytest.fixture(scope="module")
def usual() -> Story:
    return Story(ONE)


def test_the_usual_weights_take_nothing_off(usual: Story) -> None:
    assert usual.faults == {}
    assert usual.moved == (usual.score - MARKET.reputation_start) * MARKET.rate_permille // 1_000
    assert usual.moved > 0


def test_for_the_score(usual: Story) -> None:
    found = Story(ONE._replace(score=500))
    assert found.score < usual.score
    assert found.result.net == usual.result.net


def test_for_the_reputation(usual: Story) -> None:
    found = Story(ONE._replace(reputation=250))
    assert (found.score, found.moved) == (usual.score, usual.moved // 4)


def test_for_selections(usual: Story) -> None:
    found = Story(ONE._replace(selection=400))
    assert (found.score, found.reputation) == (usual.score, usual.reputation)
    for merit, whole in ((found.merit, usual.merit), (found.dr_select, usual.dr_select)):
        assert merit is not None
        assert whole is not None
        assert merit == whole * 400 // 1_000


def test_for_baselines(usual: Story) -> None:
    """Without weight there it is no part of one: nothing is left to compare with."""
    found = Story(ONE._replace(baseline=0))
    assert [line.baseline_mj for line in found.result.lines] == [None] * 4
    assert [line.baseline_mj for line in usual.result.lines] != [None] * 4
