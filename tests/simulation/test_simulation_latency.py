"""How fast an alliance of ten decides, in simulated time: the same figures on every machine."""

import pytest
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.simulation.latency import median_latency_ms

pytestmark = pytest.mark.slow

SECONDS = 30
# Two members whose links are this much slower: their blocks come after the leader timeout.
SLOW_MS = 400


def test_ten_members_of_whom_two_are_down_decide_within_0_9_s() -> None:
    assert median_latency_ms(10, seconds=SECONDS, absent=2) <= 900


def test_a_schedule_by_connectivity_is_a_fifth_faster_than_round_robin() -> None:
    by_connectivity = median_latency_ms(10, seconds=SECONDS, slow=2, slow_ms=SLOW_MS)
    in_turn = median_latency_ms(
        10, seconds=SECONDS, slow=2, slow_ms=SLOW_MS, constants=Constants(leader_permille=0)
    )
    assert by_connectivity <= 0.8 * in_turn
