"""gateway/ATTACKS.md names only what there is."""

import re
from pathlib import Path

import pytest
from wattle_testkit.simulation import liars
from wattle_testkit.simulation.options import Options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "gateway" / "ATTACKS.md").read_text()
RULES_MAX = 32


def names(pattern: str) -> list[str]:
    return sorted(set(re.findall(pattern, PAGE)))


def defined(folder: str, pattern: str) -> set[str]:
    """What the Python files of a folder define."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        found.update(re.findall(pattern, path.read_text(), re.MULTILINE))
    return found


def test_every_test_exists() -> None:
    tests = defined("tests", r"^\s*(?:async )?def (test_\w+)")
    named = names(r"`(test_\w+)`")
    assert len(named) > 50
    assert [name for name in named if name not in tests] == []


def test_every_limit_exists() -> None:
    limits = defined("gateway", r"^([A-Z][A-Z_]+)\b")
    named = names(r"`([A-Z]+(?:_[A-Z]+)+)`")
    assert len(named) > 20
    assert [name for name in named if name not in limits] == []


def test_every_transcript_exists() -> None:
    named = {
        name
        for line in re.findall(r"transcripts? (.+?)[.,\n]", PAGE)
        for name in re.findall(r"`(\w+)`", line)
    }
    assert len(named) > 5
    stored = {path.stem for path in (ROOT / "tests/consensus/transcripts").glob("*.txt")}
    assert named <= stored


def test_every_vice_of_the_simulator_is_on_the_page() -> None:
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"\*sim:\*(.+)", PAGE))))
    assert set(liars.NAMES) <= told
    others = told - set(liars.NAMES)
    assert others <= {"Agreement"} | set(Options.__dataclass_fields__)


@pytest.mark.parametrize("path", re.findall(r"`(tests/\S+\.py)`", PAGE))
def test_every_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_rules_are_those_that_there_are() -> None:
    cited = re.findall(r"\((\d+(?:(?:, | to )\d+)*)\)", PAGE)
    assert cited
    for group in cited:
        assert all(1 <= int(number) <= RULES_MAX for number in re.findall(r"\d+", group))


def test_every_attack_says_what_bounds_it_who_shows_it_and_what_it_costs() -> None:
    attacks = re.findall(r"^### (.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert len(attacks) > 20
    for attack in attacks:
        for part in ("- Bounded by: ", "- Shown by: ", "- Costs: "):
            assert attack.count(part) == 1, attack.splitlines()[0]
