"""How fast an alliance of ten decides, in simulated time: the same figures on every machine."""

import pytest
from wattle_testkit.simulation import latency

pytestmark = pytest.mark.slow


def test_ten_members_of_whom_two_are_down_decide_within_0_9_s() -> None:
    assert (latency.MEMBERS, latency.DOWN, latency.P50_LIMIT_MS) == (10, 2, 900)
    assert latency.with_members_down_ms() <= latency.P50_LIMIT_MS


def test_a_schedule_by_connectivity_is_a_fifth_faster_than_round_robin() -> None:
    by_connectivity = latency.with_slow_members_ms(by_connectivity=True)
    in_turn = latency.with_slow_members_ms(by_connectivity=False)
    assert by_connectivity <= latency.SCHEDULE_LIMIT * in_turn
