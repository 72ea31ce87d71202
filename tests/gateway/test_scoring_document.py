"""The worked event of SCORING.md, computed from the tables in the document itself."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from wattle_gateway.contracts.reputation.conduct import charge, rate
from wattle_gateway.contracts.reputation.standing import (
    GRADES,
    EventMark,
    Standing,
    put_standing,
    standing,
)
from wattle_gateway.contracts.scoring.parts import Kept, Performance
from wattle_gateway.contracts.scoring.score import event_scores
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.weights import SCORE, SILENCE, weight
from wattle_gateway.ledger.market import DATA_CLASSES, FAULTS, Market
from wattle_testkit.shown_fault import SHOWN

DOCUMENT = Path(__file__).resolve().parents[2] / "gateway/SCORING.md"
SETS = ("new", "strict")
QUARTER_S = 900
ASKED_MS = 2_000
MJ_PER_WH = 3_600_000
EARLIER, NOW = bytes(32), bytes([1]) * 32

Row = dict[str, str]


def tables(text: str) -> list[list[Row]]:
    """The tables of a page that have column names, in their order."""
    found = []
    for block in re.findall(r"(?m)(?:^\|.*\|\n)+", text):
        lines = [[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()]
        names = lines[0]
        if all(names):
            found.append([dict(zip(names, line, strict=True)) for line in lines[2:]])
    return found


@dataclass(frozen=True)
class Page:
    """What the worked event is made of, and what the page says comes out."""

    event: list[Row]
    weights: list[Row]
    results: dict[str, list[Row]]


@pytest.fixture(scope="module")
def page() -> Page:
    text = DOCUMENT.read_text()
    event, weights, *results = tables(text.split("## A worked event")[1].split("\n## ")[0])
    return Page(event, weights, dict(zip(SETS, results, strict=True)))


def market_of(page: Page, name: str) -> Market:
    """A new ledger's parameters with the weights of a column."""
    table = dict(Market().weight_of)
    for row in page.weights:
        known = table[row["class"]]
        number = int(row[name])
        if row["class"] in DATA_CLASSES:
            table[row["class"]] = known._replace(score=number)
        else:
            table[row["class"]] = known._replace(reputation=number)
    return replace(Market(), weights=tuple(sorted(table.items())))


def performance(row: Row, market: Market) -> Performance:
    kept = []
    for name in ("1st", "2nd", "3rd", "4th"):
        energy, *classes = row[name].split()
        found = None if energy == "-" else int(energy) * MJ_PER_WH
        kept.append(Kept(int(row["quota W"]), found, weight(market, classes, SCORE)))
    taken_ms = round(float(row["taken s"]) * 1000)
    return Performance(QUARTER_S, tuple(kept), ASKED_MS, taken_ms)


def worked(page: Page, name: str) -> list[Row]:
    """The result table of a set of weights, as it comes out."""
    market = market_of(page, name)
    kids = {row["party"]: row["party"].encode().ljust(8) for row in page.event}
    state = State({})
    for row in page.event:
        past = [EventMark(EARLIER, int(mark), 0, 0, 0) for mark in row["history"].split()]
        known = Standing(kids[row["party"]], market.reputation_start, events=tuple(past))
        put_standing(state, known)
    scores = event_scores(
        {kids[row["party"]]: [performance(row, market)] for row in page.event},
        {kid: standing(state, market, kid, 0).history for kid in kids.values()},
        market,
    )
    found = []
    for row in page.event:
        kid = kids[row["party"]]
        # Faults of delivery with the initial statement, silence with the final one.
        for fault in row["faults"].split():
            if fault != SILENCE:
                charge(state, market, kid, fault, SHOWN, 1)
        rate(state, market, kid, NOW, scores[kid], 1)
        if SILENCE in row["faults"].split():
            charge(state, market, kid, SILENCE, SHOWN, 1)
        one = scores[kid]
        after = standing(state, market, kid, 1)
        numbers = (
            one.accuracy,
            one.availability,
            one.speed,
            one.absolute,
            one.vertical,
            one.horizontal,
            one.value,
        )
        cells = [row["party"], *map(str, numbers), f"500 to {after.reputation}", after.grade]
        found.append(dict(zip(RESULT_COLUMNS, cells, strict=True)))
    return found


RESULT_COLUMNS = (
    "party",
    "accuracy",
    "availability",
    "speed",
    "absolute",
    "vertical",
    "horizontal",
    "score",
    "reputation",
    "grade",
)


@pytest.mark.parametrize("name", SETS)
def test_the_worked_event_comes_out_as_it_is_written(page: Page, name: str) -> None:
    assert page.results[name] == worked(page, name)


def test_the_column_of_a_new_ledger_is_a_new_ledgers(page: Page) -> None:
    assert market_of(page, "new") == Market()
    assert {row["class"] for row in page.weights} <= {*DATA_CLASSES, *FAULTS}


def test_the_two_sets_give_two_results(page: Page) -> None:
    for one, other in zip(page.results["new"], page.results["strict"], strict=True):
        assert one["party"] == other["party"]
        assert one["reputation"] != other["reputation"]


def test_grades_are_as_written() -> None:
    said = re.search(r"Grades: (.*?);", DOCUMENT.read_text())
    assert said is not None
    assert said[1] == ", ".join(
        f"{name} from {least}" if least else f"{name} below" for least, name in GRADES
    )
