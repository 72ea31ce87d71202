"""The pace of rounds: a gateway that is short of its machine makes those for samples slower."""

import itertools
import statistics

import pytest
from wattle_gateway.consensus.engine import Now
from wattle_gateway.consensus.pace import (
    IDLE_ROUND_MS,
    SAMPLE_ROUND_MS,
    SLOW_SAMPLE_ROUND_MS,
    URGENT_ROUND_MS,
    Pace,
)
from wattle_gateway.consensus.pool import Pool
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.paper_cluster import PaperCluster

# A meter turns to another gateway when a sample is not final by then (DESIGN section 3), and with
# rule 12 a sample is final within four rounds of the gateway that carries it.
METER_PATIENCE_MS = 60_000


def pace(slow: bool) -> Pace:
    made = Pace()
    made.start(Now(5_000, 1_000))
    made.made(1_000, carries=True)
    if slow:
        made.sample_round_ms = SLOW_SAMPLE_ROUND_MS
    return made


def due(slow: bool, **what: bool) -> int:
    asked = {"urgent": False, "carries": False, "keeps_step": False, **what}
    return pace(slow).due_ms(**asked) - 1_000


@pytest.mark.parametrize("slow", [False, True])
def test_what_is_urgent_what_others_ask_for_and_idle_rounds_are_as_ever(slow: bool) -> None:
    assert due(slow, urgent=True, carries=True) == URGENT_ROUND_MS
    assert due(slow, keeps_step=True) == URGENT_ROUND_MS
    assert due(slow) == IDLE_ROUND_MS


def test_rounds_for_samples_are_slower() -> None:
    assert due(False, carries=True) == SAMPLE_ROUND_MS
    assert due(True, carries=True) == SLOW_SAMPLE_ROUND_MS
    assert 2 * 4 * SLOW_SAMPLE_ROUND_MS <= METER_PATIENCE_MS


def test_alone_too_unless_a_block_is_full() -> None:
    pool = Pool(Constants(block_entries_max=2))
    pool.add([b"one"], urgent=False)
    assert pace(False).alone_due_ms(pool, False) == 1_000 + SAMPLE_ROUND_MS
    assert pace(True).alone_due_ms(pool, False) == 1_000 + SLOW_SAMPLE_ROUND_MS
    pool.add([b"two"], urgent=True)
    assert pace(True).alone_due_ms(pool, False) == 1_000


def test_a_deadline_does_not_wait_for_a_slow_round() -> None:
    made = pace(slow=True)
    made.deadline_ms = 5_500
    made.start(Now(5_000, 1_000))
    assert made.due_ms(urgent=False, carries=True, keeps_step=False) == 1_500


@pytest.mark.parametrize(
    ("size", "slow", "apart_ms"),
    [
        (4, 2, SAMPLE_ROUND_MS),
        (4, 3, SLOW_SAMPLE_ROUND_MS),
        (7, 4, SAMPLE_ROUND_MS),
        (7, 5, SLOW_SAMPLE_ROUND_MS),
    ],
)
def test_an_alliance_is_slower_when_a_quorum_is(size: int, slow: int, apart_ms: int) -> None:
    """RESOURCES.md says of how many: with fewer all keep step with those that are not."""
    cluster = PaperCluster(size)
    for at in range(slow):
        cluster[at].engine.set_pace(SLOW_SAMPLE_ROUND_MS)
    for second in range(30):
        for at in range(size):
            cluster.propose(at, f"s{second}")
        cluster.run(1_000)
    for at in range(size):
        times = [block.time_ms for block in cluster.own(at)]
        steps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert statistics.median(steps) == apart_ms
