"""The search for gains from cheating, small; and rows of the table in SCORING.md, computed anew."""

import re
from pathlib import Path

import pytest
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.ledger.market import Market
from wattle_testkit.gaming import season as seasons
from wattle_testkit.gaming.__main__ import DAYS, EVENTS, RULES, SEED
from wattle_testkit.gaming.loads import KINDS, made
from wattle_testkit.gaming.play import CHOSEN, HONEST, Game, Strategy, strategies
from wattle_testkit.gaming.search import search
from wattle_testkit.gaming.season import Season, season
from wattle_testkit.gaming.table import table

DOCUMENT = Path(__file__).resolve().parents[2] / "gateway/SCORING.md"
CAISO = "caiso-10-of-10"
LOADS = {kind.name: kind for kind in KINDS}
WITHOUT_WINDOW = [one for one in strategies() if not one.inflation_permille and not one.quiet]


def played(name: str, events: int = 4) -> Season:
    return season(made(LOADS[name], DAYS, SEED), events)


@pytest.fixture(scope="module")
def office() -> Game:
    return Game(played("office"), PRESETS[CAISO].rule, Market())


@pytest.mark.parametrize("rule", [CAISO, "ercot-middle-8-of-10", "pjm-match-day-3"])
def test_who_does_not_know_the_window_is_best_off_honest_within_a_hundredth(rule: str) -> None:
    found = search(played("office"), PRESETS[rule].rule, Market(), WITHOUT_WINDOW)
    assert found.unknowing.gain_permille <= 10


def test_declaring_more_and_more_is_paid_less_and_less(office: Game) -> None:
    paid = [office.play(Strategy(over)).paid for over in (1100, 1250, 1500, 2000, 3000)]
    assert paid == sorted(paid, reverse=True)


def test_an_office_that_is_silent_earns_less(office: Game) -> None:
    paid = [office.play(Strategy(silence_permille=share)).paid for share in (0, 500, 1000)]
    assert paid == sorted(paid, reverse=True)
    assert paid[-1] == 0
    half = office.play(Strategy(silence_permille=500, silence=CHOSEN))
    assert 0 < half.paid < paid[0]


def test_a_raised_window_is_paid_and_costs_energy(office: Game) -> None:
    """What the document warns of, so that it does not go on warning when it is no longer so."""
    honest, raised = office.play(HONEST), office.play(Strategy(inflation_permille=250))
    assert raised.paid > honest.paid
    assert raised.energy_cost > honest.energy_cost == 0


def test_who_is_always_silent_is_suspended_and_paid_nothing() -> None:
    game = Game(played("office", 12), PRESETS[CAISO].rule, Market())
    found = game.play(Strategy(silence_permille=1000))
    assert (found.kept, found.suspended > 0) == (0, True)
    assert game.play(HONEST).suspended == 0


def test_readings_that_all_come_are_measured_to_what_was_drawn() -> None:
    found = played("office")
    day = found.days[0]
    for at, energy_mwh in enumerate(seasons.measured(found, 0)[0]):
        power_w = found.load.power_w[day][seasons.EVENT_QUARTERS[at]] - found.load.adjustable_w
        assert energy_mwh == pytest.approx(power_w * 250, rel=0.02)


def test_every_combination_is_played_once() -> None:
    found = list(strategies())
    assert found[0] == HONEST
    assert len(found) == len(set(found))
    assert f"All {len(found)} combinations" in DOCUMENT.read_text()


@pytest.mark.parametrize(("load", "rule"), [("homes", "nyiso-high-5-of-10")])
def test_a_row_of_the_document_is_what_comes_out(load: str, rule: str) -> None:
    found = search(played(load, EVENTS), PRESETS[rule].rule, Market())
    row = table([found]).splitlines()[-1]
    assert row in DOCUMENT.read_text().splitlines()


def test_the_document_has_a_row_for_every_load_and_preset() -> None:
    rows = re.findall(r"(?m)^\| (\w+) \| `([a-z0-9-]+)` \| -?[\d.]+ \|", DOCUMENT.read_text())
    assert rows == [(kind.name, rule) for kind in KINDS for rule in RULES]
