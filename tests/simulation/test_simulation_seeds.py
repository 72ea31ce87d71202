"""Seeds of every committee size, as many as a change of the rules has to pass before it lands.

A failure prints the seed, the commit and the command that replays it.
"""

import pytest
from wattle_testkit.simulation.__main__ import told
from wattle_testkit.simulation.campaign import run_seed
from wattle_testkit.simulation.options import SIZES

pytestmark = pytest.mark.slow

SEEDS = 500
# Chunks, so that processors share the work evenly: one has all sizes, the next one only the small
# ones. One of 20 members takes as long as ten of 4, one of 10 as three; `make sim` runs them all.
CHUNK = len(SIZES)
LARGE = 10
CHUNKS = 28


def seeds_of(chunk: int) -> list[int]:
    """The seeds of a chunk."""
    seeds = range(chunk * CHUNK, (chunk + 1) * CHUNK)
    return [seed for seed in seeds if chunk % 2 == 0 or SIZES[seed % CHUNK] < LARGE]


# Found by campaigns: seed and size of runs that failed before a rule was mended.
FOUND = [(916, 4), (1222, 4), (2054, 7), (2067, 7)]


@pytest.mark.parametrize(("seed", "size"), FOUND)
def test_what_campaigns_found_is_mended(seed: int, size: int) -> None:
    result = run_seed(seed, size)
    assert result.failure is None, "\n" + told(result)


def test_as_many_as_are_asked_for_of_every_size() -> None:
    seeds = [seed for chunk in range(CHUNKS) for seed in seeds_of(chunk)]
    assert len(seeds) >= SEEDS
    assert {SIZES[seed % CHUNK] for seed in seeds} == set(SIZES)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_seeds_pass(chunk: int) -> None:
    for seed in seeds_of(chunk):
        result = run_seed(seed)
        assert result.failure is None, "\n" + told(result)
        assert result.tally is not None
        assert result.tally.commits > 0
