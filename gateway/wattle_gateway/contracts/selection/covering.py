"""The cheapest set of whole loads that reaches a need: a covering knapsack (D25).

Exact for few: of each sum that they can reach the cheapest way is kept. For many: by cost per watt,
closed by one load; at most twice the optimum (Csirik, Frenk, Labbe and Zhang, Heuristics for the
0-1 min-knapsack problem, Acta Cybernetica 10, 1991), and with many small loads close to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

EXACT_MAX = 16  # 65,536 sums at worst


@dataclass(frozen=True)
class Load:
    """`quota_w` > 0, `cost` > 0, `digest` breaks ties."""

    quota_w: int
    cost: int
    digest: bytes


def ranked(loads: Iterable[Load]) -> list[Load]:
    """By cost per watt, equal ones by digest."""
    return sorted(loads, key=cmp_to_key(_by_cost_per_watt))


def cover(loads: Sequence[Load], need_w: int) -> tuple[Load, ...] | None:
    """Of `ranked` loads some whose quotas reach `need_w` (> 0), in that order; None if all
    together do not. None of them could be left out, so the need is passed by less than the
    smallest of them.
    """
    if sum(load.quota_w for load in loads) < need_w:
        return None
    if len(loads) <= EXACT_MAX:
        return _exact(loads, need_w)
    return _by_rank(loads, need_w)


def _by_cost_per_watt(one: Load, other: Load) -> int:
    difference = one.cost * other.quota_w - other.cost * one.quota_w
    if difference == 0:
        return -1 if one.digest < other.digest else 1
    return difference


def _exact(loads: Sequence[Load], need_w: int) -> tuple[Load, ...]:
    """Sum reached (at most the need) -> (cost, quota beyond it, digests, loads), the least."""
    best: dict[int, tuple[int, int, tuple[bytes, ...], tuple[Load, ...]]] = {0: (0, 0, (), ())}
    for load in loads:
        for reached_w, (paid, quota_w, digests, chosen) in list(best.items()):
            if reached_w == need_w:
                continue
            total_w = min(need_w, reached_w + load.quota_w)
            found = (
                paid + load.cost,
                quota_w + load.quota_w,
                (*digests, load.digest),
                (*chosen, load),
            )
            if total_w not in best or found[:3] < best[total_w][:3]:
                best[total_w] = found
    return best[need_w][3]


def _by_rank(loads: Sequence[Load], need_w: int) -> tuple[Load, ...]:
    """Takes what does not reach the need yet; each load that would is a way to close, passed over
    for the next. The cheapest of these ways."""
    taken: list[Load] = []
    paid, missing_w = 0, need_w
    best: tuple[int, int, Load] | None = None
    for load in loads:
        if load.quota_w < missing_w:
            taken.append(load)
            paid += load.cost
            missing_w -= load.quota_w
        elif best is None or paid + load.cost < best[0]:
            best = (paid + load.cost, len(taken), load)
    assert best is not None, "all together reach the need"
    return _without_spare((*taken[: best[1]], best[2]), need_w)


def _without_spare(chosen: Sequence[Load], need_w: int) -> tuple[Load, ...]:
    """Leaves out, dearest first, what the need is reached without."""
    spare_w = sum(load.quota_w for load in chosen) - need_w
    kept = []
    for load in sorted(chosen, key=lambda load: (-load.cost, load.digest)):
        if load.quota_w <= spare_w:
            spare_w -= load.quota_w
        else:
            kept.append(load)
    return tuple(ranked(kept))
