"""The cheapest set of whole loads that reaches a need (DEMAND_RESPONSE.md, D25)."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.selection import covering
from wattle_gateway.contracts.selection.covering import EXACT_MAX, Load


def digest(number: int) -> bytes:
    return number.to_bytes(32, "big")


def ranked(*rows: tuple[int, int]) -> list[Load]:
    """Loads of (quota, cost)."""
    return covering.ranked(
        Load(quota_w, cost, digest(number)) for number, (quota_w, cost) in enumerate(rows)
    )


def cheapest(loads: list[Load], need_w: int) -> int:
    """The least cost by trying every sum: [sum] -> cost, an independent way to the optimum."""
    best = {0: 0}
    for load in loads:
        for sum_w, cost in list(best.items()):
            total_w = min(need_w, sum_w + load.quota_w)
            best[total_w] = min(best.get(total_w, cost + load.cost), cost + load.cost)
    return best[need_w]


ROWS = st.tuples(st.integers(1, 30), st.integers(1, 1_000))


@given(st.lists(ROWS, min_size=1, max_size=9), st.data())
def test_few_loads_are_chosen_as_trying_every_set_would(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    loads = ranked(*rows)
    need_w = data.draw(st.integers(1, sum(load.quota_w for load in loads)))
    found = covering.cover(loads, need_w)
    assert found is not None
    sets = [
        chosen
        for size in range(1, len(loads) + 1)
        for chosen in combinations(loads, size)
        if sum(load.quota_w for load in chosen) >= need_w
    ]
    least = min(
        (
            sum(load.cost for load in chosen),
            sum(load.quota_w for load in chosen),
            tuple(load.digest for load in chosen),
        )
        for chosen in sets
    )
    assert (
        sum(load.cost for load in found),
        sum(load.quota_w for load in found),
        tuple(load.digest for load in found),
    ) == least


@given(st.lists(ROWS, min_size=EXACT_MAX + 1, max_size=40), st.data())
def test_many_loads_cost_at_most_twice_the_least(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    loads = ranked(*rows)
    need_w = data.draw(st.integers(1, sum(load.quota_w for load in loads)))
    found = covering.cover(loads, need_w)
    assert found is not None
    assert sum(load.cost for load in found) <= 2 * cheapest(loads, need_w)


@given(st.lists(ROWS, min_size=1, max_size=40), st.data())
def test_no_chosen_load_could_be_left_out(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    loads = ranked(*rows)
    need_w = data.draw(st.integers(1, sum(load.quota_w for load in loads)))
    found = covering.cover(loads, need_w)
    assert found is not None
    over_w = sum(load.quota_w for load in found) - need_w
    assert 0 <= over_w < min(load.quota_w for load in found)
    assert list(found) == covering.ranked(found)
    assert len(set(found)) == len(found)


def test_all_together_may_not_be_enough() -> None:
    assert covering.cover(ranked((5, 1), (6, 1)), 12) is None
    assert covering.cover(ranked((5, 1), (6, 1)), 11) == tuple(ranked((5, 1), (6, 1)))
    assert covering.cover([], 1) is None


def test_equal_loads_are_taken_by_digest() -> None:
    few = covering.cover(ranked(*[(10, 5)] * 4), 20)
    many = covering.cover(ranked(*[(10, 5)] * 40), 20)
    assert few is not None
    assert few == many
    assert [load.digest for load in few] == [digest(0), digest(1)]


def test_a_large_cheap_load_does_not_close_what_a_small_one_can() -> None:
    # By cost per watt the large one is next; two small ones do, at a fifth of the money.
    small = [(10, 11)] * 18
    found = covering.cover(ranked((10, 1), (1_000, 1_000), *small), 30)
    assert found is not None
    assert sorted(load.cost for load in found) == [1, 11, 11]


def test_ten_thousand_loads_of_a_thousand_megawatt_meet_a_need_within_one_of_them() -> None:
    random = Random(1)
    loads = ranked(
        *((random.randrange(10_000, 190_000), random.randrange(1, 10**9)) for _ in range(10_000))
    )
    total_w = sum(load.quota_w for load in loads)
    assert abs(total_w - 10**9) < 10**7
    smallest_w = min(load.quota_w for load in loads)
    for need_w in (10_000_000, 500_000_000, 900_000_000):
        found = covering.cover(loads, need_w)
        assert found is not None
        assert 0 <= sum(load.quota_w for load in found) - need_w <= smallest_w
