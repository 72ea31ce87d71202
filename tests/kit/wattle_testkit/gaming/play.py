"""What a strategy earns in a season: lines by the contracts, with and without reputations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from wattle_gateway.contracts.baseline.local_days import DAY_S
from wattle_gateway.contracts.baseline.rule import Rule
from wattle_gateway.contracts.reputation.conduct import charge, rate
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.scoring.parts import Kept, Performance, parts
from wattle_gateway.contracts.scoring.score import score
from wattle_gateway.contracts.settlement.lines import Facts, Line, Tariff, adjustment_mj, line
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.weights import FALSE_DECLARATION, NO_DELIVERY, SILENCE
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DOWN

from wattle_testkit.gaming import season as seasons
from wattle_testkit.gaming.loads import FIRST_DAY, QUARTER_S
from wattle_testkit.gaming.season import Season
from wattle_testkit.shown_fault import SHOWN

# Millionths of a euro: 10 EUR per MW and hour to stand by, 200 EUR per MWh for what is shed, 200
# for what is missing, 250 for what is drawn.
AVAILABILITY_PRICE = 10_000_000
ENERGY_PRICE = 200_000_000
PENALTY_PRICE = 200_000_000
RETAIL_PRICE = 250_000_000
_WH_PER_MWH = 1_000_000

PARTY, EVENT = bytes(8), bytes(32)
SCATTERED = "scattered"  # readings fail at random
CHOSEN = "chosen"  # whole intervals, those that would pay least

OVER_PERMILLE = (1000, 1050, 1100, 1250, 1500, 2000, 2500, 3000)
SHARES_PERMILLE = (0, 100, 250, 500, 750, 1000)


@dataclass(frozen=True, order=True)
class Strategy:
    """`over_permille` of what can be shed is declared; the load is raised by
    `inflation_permille` in the hours that the baseline is adjusted by, or `quiet`: nothing is
    measured in them where that pays; `silence_permille` of the readings of the event are kept
    back, in the `silence` way."""

    over_permille: int = 1000
    inflation_permille: int = 0
    quiet: bool = False
    silence_permille: int = 0
    silence: str = SCATTERED

    def __str__(self) -> str:
        said = [f"{self.over_permille / 1000:g}x"] if self.over_permille != 1000 else []
        if self.inflation_permille:
            said.append(f"+{self.inflation_permille // 10}")
        if self.quiet:
            said.append("quiet")
        if self.silence_permille:
            mark = "s" if self.silence == SCATTERED else "c"
            said.append(f"{mark}{self.silence_permille // 10}")
        return " ".join(said)


HONEST = Strategy()


def strategies(
    over: Sequence[int] = OVER_PERMILLE, shares: Sequence[int] = SHARES_PERMILLE
) -> Iterator[Strategy]:
    """Every combination, the honest one first."""
    windows = [(share, False) for share in shares] + [(0, True)]
    silences = [(0, SCATTERED), *product(shares[1:], (SCATTERED, CHOSEN))]
    for over_permille, (inflation, quiet), (silence, way) in product(over, windows, silences):
        yield Strategy(over_permille, inflation, quiet, silence, way)


@dataclass(frozen=True)
class Earned:
    """Over a season, in the prices' unit: `paid` less penalties; `kept` the same when events of a
    suspended party pay nothing; `energy_cost` of the load that was raised; `suspended` events."""

    paid: int
    kept: int
    energy_cost: int
    suspended: int


class Game:
    """One load, one rule, one season; what several strategies share is computed once."""

    def __init__(self, played: Season, rule: Rule, market: Market) -> None:
        self._season = played
        self._rule = rule
        self._market = market
        self._baselines: dict[int, list[list[int] | None]] = {}
        self._silent = seasons.silent_window(played, rule)
        self._measured: dict[int, list[list[int | None]]] = {}
        self._tariff = Tariff(
            AVAILABILITY_PRICE,
            ENERGY_PRICE,
            PENALTY_PRICE,
            market.credit_max_permille,
            market.deadband_permille,
            DOWN,
            QUARTER_S,
        )

    @property
    def exact(self) -> int:
        """What a season pays in which the honest quota is shed to the Wh: the measure of gains."""
        asked_mj = self._season.load.adjustable_w * QUARTER_S * 1000
        exactly = line(Facts(self._season.load.adjustable_w, asked_mj, 0, True), self._tariff)
        return exactly.net * len(seasons.EVENT_QUARTERS) * len(self._season.days)

    def play(self, strategy: Strategy) -> Earned:
        """What a strategy earns."""
        state = State({})
        paid = kept = suspended = 0
        for number, day in enumerate(self._season.days):
            time_ms = (FIRST_DAY + day + 1) * DAY_S * 1000
            lines = self._lines(strategy, number)
            net = sum(one.net for one in lines)
            paid += net
            if standing(state, self._market, PARTY, time_ms).suspended:
                suspended += 1
                continue
            kept += net
            self._judge(state, lines, time_ms)
        extra_wh = seasons.extra_wh(self._season, self._rule, strategy.inflation_permille)
        return Earned(paid, kept, extra_wh * RETAIL_PRICE // _WH_PER_MWH, suspended)

    def _lines(self, strategy: Strategy, number: int) -> list[Line]:
        """The lines of an event; who is silent in the window is so where that pays."""
        found = self._lines_by(
            strategy, self._baseline(strategy.inflation_permille)[number], number
        )
        if not strategy.quiet:
            return found
        other = self._lines_by(strategy, self._silent[number], number)
        return max(found, other, key=lambda lines: sum(one.net for one in lines))

    def _lines_by(self, strategy: Strategy, baseline: list[int] | None, number: int) -> list[Line]:
        scattered = strategy.silence_permille if strategy.silence == SCATTERED else 0
        energies = self._energies(scattered)[number]
        quota_w = self._season.load.adjustable_w * strategy.over_permille // 1000
        lines = [
            line(
                Facts(quota_w, None if baseline is None else baseline[at], known, True),
                self._tariff,
            )
            for at, known in enumerate(energies)
        ]
        if strategy.silence == CHOSEN:
            hidden = len(lines) * strategy.silence_permille // 1000
            for at in sorted(range(len(lines)), key=lambda at: lines[at].net)[:hidden]:
                lines[at] = line(replace(lines[at].facts, energy_mwh=None), self._tariff)
        return lines

    def _judge(self, state: State, lines: Sequence[Line], time_ms: int) -> None:
        """Score and faults, as at the settlement of an event."""
        market = self._market
        adjusted = [adjustment_mj(one.facts, DOWN) for one in lines]
        kept = tuple(
            Kept(one.facts.quota_w, found) for one, found in zip(lines, adjusted, strict=True)
        )
        known = any(found is not None for found in adjusted)
        did = parts(Performance(QUARTER_S, kept, 2_000, 1_000 if known else None), market)
        history = standing(state, market, PARTY, time_ms).history
        shown = faults(lines, adjusted, market)
        for fault in shown:
            if fault != SILENCE:
                charge(state, market, PARTY, fault, SHOWN, time_ms)
        rate(state, market, PARTY, EVENT, score(did, market, history, ()), time_ms)
        if SILENCE in shown:
            charge(state, market, PARTY, SILENCE, SHOWN, time_ms)

    def _baseline(self, inflation_permille: int) -> list[list[int] | None]:
        if inflation_permille not in self._baselines:
            found = seasons.baselines(self._season, self._rule, inflation_permille)
            self._baselines[inflation_permille] = found
        return self._baselines[inflation_permille]

    def _energies(self, silence_permille: int) -> list[list[int | None]]:
        if silence_permille not in self._measured:
            self._measured[silence_permille] = seasons.measured(self._season, silence_permille)
        return self._measured[silence_permille]


def faults(lines: Sequence[Line], adjusted: Sequence[int | None], market: Market) -> list[str]:
    """What a resource is charged with in an event (D14), each once."""
    found = []
    if any(one.facts.energy_mwh is None for one in lines):
        found.append(SILENCE)
    asked = [one.facts.quota_w * QUARTER_S * 1000 for one in lines]
    if any(
        one.facts.baseline_mj is not None and one.facts.baseline_mj < asked_mj
        for one, asked_mj in zip(lines, asked, strict=True)
    ):
        found.append(FALSE_DECLARATION)
    if any(
        got is not None and got * 1000 < asked_mj * market.delivery_floor_permille
        for got, asked_mj in zip(adjusted, asked, strict=True)
    ):
        found.append(NO_DELIVERY)
    return found
