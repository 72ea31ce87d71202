"""Decisions of the gateway are cited by number: each has one of its own."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "gateway" / "DECISIONS.md"


def test_each_decision_has_the_next_number() -> None:
    text = PAGE.read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert len(numbers) > 50
    assert numbers == list(range(1, len(numbers) + 1))
