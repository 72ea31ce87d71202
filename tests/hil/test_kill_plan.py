"""Kills are planned from a seed and far enough apart to see each one's effect."""

from collections import Counter
from itertools import pairwise

import pytest
from wattle_hil.errors import ScheduleError
from wattle_hil.runs.kill_plan import METER, MIN_SPACING_S, TARGETS, plan_kills


def test_each_target_is_killed_as_often_as_asked_within_the_span() -> None:
    plan = plan_kills(TARGETS, each=3, meters=4, from_s=10, until_s=100, seed=1)
    assert Counter(kill.target for kill in plan) == dict.fromkeys(TARGETS, 3)
    assert all(10 <= kill.at_s <= 100 for kill in plan)
    gaps_s = [later.at_s - earlier.at_s for earlier, later in pairwise(plan)]
    assert min(gaps_s) >= MIN_SPACING_S
    assert {kill.meter for kill in plan if kill.target == METER} <= set(range(4))
    assert all(kill.meter is None for kill in plan if kill.target != METER)


def test_a_seed_gives_one_plan_and_another_seed_another() -> None:
    first, again, other = (
        plan_kills(TARGETS, 2, meters=4, from_s=0, until_s=60, seed=seed) for seed in (7, 7, 8)
    )
    assert first == again != other


def test_more_kills_than_the_time_allows_are_refused() -> None:
    assert plan_kills(TARGETS, 0, meters=1, from_s=0, until_s=1, seed=1) == []
    with pytest.raises(ScheduleError, match="30 kills in 60 s of real time, expected at most 10"):
        plan_kills(TARGETS, 10, meters=1, from_s=0, until_s=60, seed=1)
