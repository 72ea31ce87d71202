"""Every rule of gateway/CONSENSUS.md has a scenario of its own, which names it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A rule begins a line of the page; what follows its number is what it says.
RULES = [
    int(number)
    for number in re.findall(
        r"^(\d+)\. ", (ROOT / "gateway" / "CONSENSUS.md").read_text(), re.MULTILINE
    )
]
SCENARIOS = re.findall(
    r"^def (test_\w+)\(",
    "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_rules_*.py"))),
    re.MULTILINE,
)


def cited(name: str) -> set[int]:
    """The rules in a test's name: `.._rule_9`, `.._rules_1_29`."""
    found = re.search(r"_rules?((?:_\d+)+)$", name)
    return set() if found is None else {int(number) for number in found[1].split("_")[1:]}


def test_rules_are_numbered_without_a_gap() -> None:
    assert list(range(1, len(RULES) + 1)) == RULES
    assert len(RULES) >= 32


@pytest.mark.parametrize("rule", RULES)
def test_a_scenario_cites_the_rule(rule: int) -> None:
    assert any(rule in cited(name) for name in SCENARIOS)


def test_no_scenario_cites_a_rule_that_is_none() -> None:
    assert {number for name in SCENARIOS for number in cited(name)} <= set(RULES)
