"""The simulator is tested too: each planted fault is caught within the seeds that the unaltered
rules pass (test_simulation_seeds.py runs all of them, in the sizes of the campaign)."""

import pytest
from wattle_testkit.simulation.campaign import run_seed, run_seeds
from wattle_testkit.simulation.mutants import MUTANTS

pytestmark = pytest.mark.slow

SEEDS = 500  # of test_simulation_seeds.py
# The first seed that caught it when the table was made. What changes in the rules or in the drawing
# shifts the runs, so some seeds from there on may try before the table is to be made anew:
# `make sim SEEDS=500 ARGS="--mutant NAME"` ends with the first one that fails.
FIRST_SEED = {
    "anchor_at_r_plus_2": 51,
    "blocks_counted": 331,
    "digest_over_signature": 17,
    "epoch_ends_late": 142,
    "floor_from_own_graph": 0,
    "history_without_votes": 12,
    "order_of_arrival": 0,
    "own_payload_forgotten": 24,
    "parking_without_bounds": 21,
    "repeats_count": 4,
    "sent_before_persisted": 0,
    "signs_before_others_answer": 54,
    "skip_by_f_plus_1": 364,
    "taken_by_highest_round": 6,
    "twin_parents": 6,
    "verdict_kept_over_schedule": 1,
    "wall_clock_in_commit_time": 0,
}
MORE_SEEDS = 40
# The sizes of these seeds where they are not those of the campaign (`N=7` on the command line).
SIZES_OF = {"skip_by_f_plus_1": (7,)}


def test_every_mutant_is_tried() -> None:
    assert set(FIRST_SEED) == set(MUTANTS)
    assert len(MUTANTS) >= 12


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_planted_fault_is_caught(name: str) -> None:
    seeds = range(FIRST_SEED[name], FIRST_SEED[name] + MORE_SEEDS)
    assert seeds.stop <= SEEDS
    results = run_seeds(seeds, SIZES_OF.get(name, ()), mutant=name)
    caught = next((result for result in results if result.failure is not None), None)
    assert caught is not None
    if name in SIZES_OF:  # nobody else runs this seed in this size
        assert run_seed(caught.seed, caught.size).failure is None
