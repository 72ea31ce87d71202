"""Options are drawn from the seed and nothing else."""

from collections import Counter

import pytest
from wattle_gateway.ledger.genesis import EVENT_RULES
from wattle_testkit.simulation import liars
from wattle_testkit.simulation.options import FAULTS_MS, SIZES, draw


def test_a_seed_draws_the_same_whoever_chose_the_size() -> None:
    assert draw(3) == draw(3, SIZES[3])
    assert draw(3) != draw(23)


@pytest.mark.parametrize("size", FAULTS_MS)
def test_no_more_than_f_members_are_faulty(size: int) -> None:
    for seed in range(200):
        options = draw(seed, size)
        faulty = len(options.liars) + options.wiped + options.restored
        assert faulty <= options.faulty_max == (size - 1) // 3


def test_every_vice_and_every_fault_is_drawn() -> None:
    drawn = [draw(seed) for seed in range(1_000)]
    vices = Counter(vice for options in drawn for liar in options.liars for vice in liar)
    assert set(vices) == set(liars.NAMES)
    for name in (
        "loss_permille",
        "duplicate_permille",
        "reorders",
        "tail_permille",
        "flaps",
        "slow",
        "late",
        "partitions",
        "crashes",
        "torn_commits",
        "clock_jumps",
        "wiped",
        "restored",
        "changes",
        "meter_cuts",
        "keeps_back",
        "skips",
    ):
        assert sum(bool(getattr(options, name)) for options in drawn) > 30, name


def test_a_few_small_alliances_have_events() -> None:
    drawn = [draw(seed) for seed in range(2_000)]
    trading = [options for options in drawn if options.events]
    assert 5 < len(trading) < 30
    assert all(options.size <= 7 and options.rules >= EVENT_RULES for options in trading)


def test_all_sizes_take_part() -> None:
    assert {1, 4, 7, 10, 20} == set(SIZES) == set(FAULTS_MS)
