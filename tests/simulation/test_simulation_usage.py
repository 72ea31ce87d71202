"""What adjustable points use is in the state of simulated gateways, and the same in all."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.state import State, prefix
from wattle_gateway.ledger.genesis import EVENT_RULES
from wattle_testkit.simulation.campaign import opened
from wattle_testkit.simulation.options import draw

SEED = 4


@pytest.mark.parametrize("rules", [2, EVENT_RULES])
def test_the_state_of_rules_3_has_intervals(rules: int) -> None:
    """That the states are the same in all gateways is what every seed is checked for."""
    with opened(replace(draw(SEED, 4), rules=rules, faults_ms=10_000)) as world:
        assert world.run().samples > 0
        rows = [State(g.driver.state).rows(prefix("usage", 3)) for g in world.sound]
    assert [bool(found) for found in rows] == [rules == EVENT_RULES] * len(rows)
