"""Seeds of every committee size, as many as a change of the rules has to pass before it lands.

A failure prints the seed, the commit and the command that replays it.
"""

import pytest
from wattle_testkit.simulation.__main__ import told
from wattle_testkit.simulation.campaign import run_seed

pytestmark = pytest.mark.slow

SEEDS = 500
# Of as many seeds a chunk, so that the processors share the work evenly; one chunk has all sizes.
CHUNK = 20


# Found by campaigns: seed and size of runs that failed before a rule was mended.
FOUND = [(916, 4), (1222, 4), (2054, 7), (2067, 7)]


@pytest.mark.parametrize(("seed", "size"), FOUND)
def test_what_campaigns_found_is_mended(seed: int, size: int) -> None:
    result = run_seed(seed, size)
    assert result.failure is None, "\n" + told(result)


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds_pass(first: int) -> None:
    for seed in range(first, first + CHUNK):
        result = run_seed(seed)
        assert result.failure is None, "\n" + told(result)
        assert result.tally is not None
        assert result.tally.commits > 0
