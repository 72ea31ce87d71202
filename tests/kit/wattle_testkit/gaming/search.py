"""The search itself: every combination of strategies, and the best of each sort."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wattle_gateway.contracts.baseline.rule import Rule
from wattle_gateway.ledger.market import Market

from wattle_testkit.gaming.play import HONEST, Earned, Game, Strategy, strategies
from wattle_testkit.gaming.season import Season


@dataclass(frozen=True)
class Best:
    """The strategy of a sort that earns most, and by how much more than honesty it does, in
    thousandths of what exact delivery pays."""

    strategy: Strategy
    gain_permille: int


@dataclass(frozen=True)
class Found:
    """One load under one rule. `honest_permille` of exact delivery; the best of over-declaring
    alone, of silence alone, of both (`unknowing`: all that is left to who does not know of the
    event before the window), of the window alone, and of all; the same when reputations count; and
    when the load that is raised has to be paid for, too."""

    load: str
    rule: str
    honest_permille: int
    over: Best
    silence: Best
    unknowing: Best
    window: Best
    all: Best
    with_reputation: Best
    with_energy: Best


def search(
    played: Season, rule: Rule, market: Market, asked: Iterable[Strategy] | None = None
) -> Found:
    """Plays all strategies (those `asked`, the honest one among them)."""
    game = Game(played, rule, market)
    earned = {one: game.play(one) for one in (strategies() if asked is None else asked)}
    honest = earned[HONEST]

    def best(allowed: Callable[[Strategy], bool], value: Callable[[Earned], int]) -> Best:
        choices = [one for one in earned if allowed(one)]
        # Of equal ones that which is nearest to honesty.
        found = max(choices, key=lambda one: (value(earned[one]), one == HONEST))
        return Best(found, (value(earned[found]) - value(honest)) * 1000 // game.exact)

    def only(*names: str) -> Callable[[Strategy], bool]:
        fixed = [name for name in Strategy.__dataclass_fields__ if name not in names]
        return lambda one: all(getattr(one, name) == getattr(HONEST, name) for name in fixed)

    return Found(
        played.load.name,
        rule.name,
        honest.paid * 1000 // game.exact,
        best(only("over_permille"), lambda found: found.paid),
        best(only("silence_permille", "silence"), lambda found: found.paid),
        best(only("over_permille", "silence_permille", "silence"), lambda found: found.paid),
        best(only("inflation_permille", "quiet"), lambda found: found.paid),
        best(lambda _: True, lambda found: found.paid),
        best(lambda _: True, lambda found: found.kept),
        best(lambda _: True, lambda found: found.kept - found.energy_cost),
    )
